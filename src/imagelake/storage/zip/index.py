"""The members of a zip as columns: where their bytes are, and whether any two share some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.errors import UploadRejected
from imagelake.storage.zip.central_directory import Codec, Record
from imagelake.uploads.file_names import shown
from imagelake.uploads.source_rows import RowBuilder

_MOST = 2**64 - 1

_RECORDS = pa.schema(
    [
        ("path", pa.large_string()),
        ("offset", pa.uint64()),
        ("least_end", pa.uint64()),
        ("compressed", pa.uint64()),
        ("size", pa.uint64()),
        ("crc32", pa.int64()),
        ("codec", pa.string()),
        ("raw_name", pa.large_binary()),
    ]
)
"""The columns of Record; a zip64 directory may say any number of 8 bytes."""

ENTRIES = pa.schema(
    [
        ("path", pa.large_string()),
        ("header_offset", pa.int64()),
        ("end", pa.int64()),
        ("compressed", pa.int64()),
        ("size", pa.int64()),
        ("crc32", pa.int64()),
        ("codec", pa.string()),
        ("is_dir", pa.bool_()),
        ("raw_name", pa.large_binary()),
    ]
)
"""The columns of Entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member: NFC path (a directory's ends with /), its local header, and sizes in bytes.

    `end` is the offset of the structure that follows; header and data end at or before it. `raw_name`: the name its
    headers have where a Unicode path field gave another path.
    """

    path: str
    header_offset: int
    end: int
    compressed: int
    size: int
    crc32: int
    codec: Codec
    is_dir: bool
    raw_name: bytes | None = None


def record_table(records: Iterable[Record]) -> pa.Table:
    """The records of a directory as columns."""
    builder = RowBuilder(_RECORDS)
    for record in records:
        builder.append(record if record.least_end <= _MOST else record._replace(least_end=_MOST))
    return builder.table()


def entry_ends(records: pa.Table, directory: int) -> pa.Array:
    """Where what follows each member begins, the directory at this offset behind the last.

    UploadRejected when any two share bytes, or when data precedes the first.
    """
    order = pc.sort_indices(records["offset"])
    offsets, least_ends = (records[name].take(order).combine_chunks() for name in ("offset", "least_end"))
    if offsets[0].as_py() != 0:
        raise UploadRejected("data precedes the archive's first member", rule="archive.prepended_data")
    following = pa.concat_arrays([offsets.slice(1), pa.array([directory], pa.uint64())])
    overlapping = pc.indices_nonzero(pc.greater(least_ends, following))
    if len(overlapping):
        path = records["path"][order[overlapping[-1].as_py()].as_py()].as_py()
        raise UploadRejected(f"{shown(path)} overlaps what follows it", rule="archive.overlap")
    return following.take(pc.sort_indices(order))


def entry_table(records: pa.Table, ends: pa.Array) -> pa.Table:
    """ENTRIES of a directory whose numbers have been checked."""
    named = {"header_offset": records["offset"], "end": ends, "is_dir": pc.ends_with(records["path"], "/")}
    columns = {name: named[name] if name in named else records[name] for name in ENTRIES.names}
    return pa.table([columns[field.name].cast(field.type) for field in ENTRIES], schema=ENTRIES)
