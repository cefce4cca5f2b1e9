"""The files of an upload as columns, and the value that each row is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.errors import NotFound
from imagelake.storage.zip.central_directory import Codec
from imagelake.storage.zip.index import ENTRIES, Entry
from imagelake.uploads.file_names import shown
from imagelake.uploads.source_rows import RowBuilder, Rows, rows_where, texts

MEMBERS = pa.schema(
    [
        ("path", pa.large_string()),
        ("raw_path", pa.large_string()),
        ("length", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("etag", pa.string()),
        ("header_offset", pa.int64()),  # from here on of a member of an archive, else null
        ("end", pa.int64()),
        ("compressed", pa.int64()),
        ("crc32", pa.int64()),
        ("codec", pa.string()),
        ("raw_name", pa.large_binary()),
    ]
)
"""The columns of Member and of its Entry, whose path is the raw path and whose size is the length."""

IGNORED = pa.schema([("path", pa.large_string()), ("length", pa.int64()), ("reason", pa.string())])
"""The columns of Ignored."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an upload: path without the wrapper folder (NFC, /), path as given, bytes after decoding.

    For a member of an archive `entry` says where it is there; for a file `mtime_ns` when it was last changed, for an
    object of a bucket `etag` which version it is.
    """

    path: str
    raw_path: str
    length: int
    entry: Entry | None = None
    mtime_ns: int | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Ignored:
    """A file left out: path with the wrapper folder (NFC), bytes, and why: junk, link, or special (device, pipe)."""

    path: str
    length: int
    reason: Literal["junk", "link", "special"]


class Members(Rows[Member]):
    """The files of an upload, sorted by path; `table` has MEMBERS."""

    def __init__(self, table: pa.Table) -> None:
        super().__init__(table, _member)

    def paths(self) -> Sequence[str]:
        """All paths."""
        return texts(self.table["path"])

    def part(self, start: int, count: int) -> Members:
        """At most so many of them, from a place on."""
        return Members(self.table.slice(start, count))

    def find(self, path: str) -> Member:
        """The member at this path; NotFound when there is none."""
        place = bisect_left(self.paths(), path)
        if place == len(self) or self.table["path"][place].as_py() != path:
            raise NotFound(f"the upload has no file {shown(path)}")
        return self[place]


def entry_members(entries: pa.Table) -> pa.Table:
    """MEMBERS of the files among zip_entries.ENTRIES."""
    entries = rows_where(entries, pc.invert(entries["is_dir"]))
    named = {"raw_path": entries["path"], "length": entries["size"]}
    columns = {name: named.get(name, entries[name] if name in ENTRIES.names else None) for name in MEMBERS.names}
    count = len(entries)
    absent = {field.name: pa.nulls(count, field.type) for field in MEMBERS if columns[field.name] is None}
    return pa.table([absent.get(name, column) for name, column in columns.items()], schema=MEMBERS)


def member_row(path: str, raw_path: str, length: int, *, mtime_ns: int | None = None, etag: str | None = None) -> Any:
    """A row of MEMBERS of a file or object."""
    return (path, raw_path, length, mtime_ns, etag, *(None,) * 6)


def one_member(row: Any) -> Members:
    """The files of an upload that is one file."""
    builder = RowBuilder(MEMBERS)
    builder.append(row)
    return Members(builder.table())


def nothing_ignored() -> Rows[Ignored]:
    """No file left out."""
    return Rows(IGNORED.empty_table(), Ignored)


def _member(  # noqa: PLR0913  the columns of MEMBERS
    path: str,
    raw_path: str,
    length: int,
    mtime_ns: int | None,
    etag: str | None,
    header_offset: int | None,
    end: int,
    compressed: int,
    crc32: int,
    codec: Codec,
    raw_name: bytes | None,
) -> Member:
    if header_offset is None:
        return Member(path, raw_path, length, None, mtime_ns, etag)
    entry = Entry(raw_path, header_offset, end, compressed, length, crc32, codec, is_dir=False, raw_name=raw_name)
    return Member(path, raw_path, length, entry)
