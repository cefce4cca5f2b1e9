"""A strict reader for zip archives: an index of byte ranges, nothing is ever extracted.

Sizes come from the central directory; every member is checked against it when it is read (`storage.member`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.errors import NotFound, UploadRejected
from imagelake.storage.base import Storage
from imagelake.storage.zip.central_directory import CENTRAL, Record, entry_count, records
from imagelake.storage.zip.end_records import MAX16, Directory, read_end
from imagelake.storage.zip.index import Entry, entry_ends, entry_table, record_table
from imagelake.uploads.file_names import check_distinct, shown
from imagelake.uploads.source_rows import Rows, rows_where, sum_of, texts

if TYPE_CHECKING:
    from imagelake.config.settings import IngestSettings

_DEFLATE_CEILING = 1032  # no deflate stream inflates further than this
_RATIO_FLOOR = 1 << 20  # below this many bytes no ratio is dangerous
_ENTRY_ROOM = 2048  # bytes of central directory an entry may need on average


@dataclass(frozen=True)
class ArchiveIndex:
    """Its length, the first byte of its directory, and the sha256 of all from there on: two copies agree in it."""

    length: int
    offset: int
    sha256: str


@dataclass(frozen=True)
class Archive:
    """The members of a zip in the order of its directory, its comment, its index."""

    entries: Rows[Entry]
    comment: bytes
    index: ArchiveIndex


def read_archive(storage: Storage, path: str, limits: IngestSettings) -> Archive:
    """The index of a zip, from its end records and central directory alone.

    UploadRejected (rule `archive.…`) for anything a careful writer would not have made; nothing is inflated.
    """
    stat = storage.stat(path)
    if stat is None:
        raise NotFound(f"{storage.uri(path)} does not exist")
    try:
        directory = read_end(storage, path, stat.length)
        _check_counts(directory, limits)
        tail = storage.read(path, directory.offset, stat.length - directory.offset)
        index = _index(tail, stat.length, directory.offset)
        entries = _entries(tail, directory, limits)
    except UploadRejected as error:
        raise UploadRejected(f"{path}: {error.message}", hint=error.hint, rule=error.rule) from None
    return Archive(Rows(entries, Entry), directory.comment, index)


def _entries(tail: bytes, directory: Directory, limits: IngestSettings) -> pa.Table:
    """ENTRIES of the directory that these bytes begin with."""
    records = record_table(_records(memoryview(tail)[: directory.size], directory, limits))
    ends = entry_ends(records, directory.offset)
    is_dir = pc.ends_with(records["path"], "/")
    folders = (path[:-1] for path in texts(records["path"].filter(is_dir)))
    check_distinct(rows_where(records, pc.invert(is_dir))["path"], folders, "archive")
    _check_sizes(records, limits)
    return entry_table(records, ends)


def index(storage: Storage, path: str, offset: int) -> ArchiveIndex:
    """The index of a zip whose directory begins at this byte."""
    stat = storage.stat(path)
    length = stat.length if stat is not None else 0
    return _index(storage.read(path, offset, max(0, length - offset)), length, offset)


def _index(tail: bytes, length: int, offset: int) -> ArchiveIndex:
    return ArchiveIndex(length, offset, hashlib.sha256(tail).hexdigest())


def _check_counts(directory: Directory, limits: IngestSettings) -> None:
    least = _least_entries(directory)
    if least == 0:
        raise UploadRejected("the archive is empty", rule="archive.empty")
    _check_limit(directory.entries, limits)
    if least * CENTRAL.size > directory.size:
        raise _wrong_count(directory)
    _check_limit(least, limits)


def _wrong_count(directory: Directory) -> UploadRejected:
    return UploadRejected(
        f"a directory of {directory.size} bytes cannot hold {directory.entries} entries", rule="archive.entry_count"
    )


def _least_entries(directory: Directory) -> int:
    """The smallest number that is congruent to the declared one and may need the directory's size."""
    surplus = directory.size - MAX16 - directory.entries * _ENTRY_ROOM
    return directory.entries + max(0, -(-surplus // (directory.modulus * _ENTRY_ROOM))) * directory.modulus


def _check_limit(count: int, limits: IngestSettings) -> None:
    if count > limits.max_entries:
        raise UploadRejected(
            f"{count} entries; at most {limits.max_entries} are allowed",
            hint="split the upload, or raise ingest.max_entries",
            rule="archive.too_many_entries",
        )


def _records(data: memoryview, directory: Directory, limits: IngestSettings) -> Iterator[Record]:
    count = entry_count(data, directory.entries, directory.modulus)
    if count < _least_entries(directory):
        raise _wrong_count(directory)
    _check_limit(count, limits)
    return records(data, count)


def _check_sizes(table: pa.Table, limits: IngestSettings) -> None:
    total, packed = sum_of(table["size"]), sum_of(table["compressed"])
    if total > limits.max_total_bytes:
        raise UploadRejected(
            f"{total} bytes of content; at most {limits.max_total_bytes} are allowed",
            hint="split the upload, or raise ingest.max_total_bytes",
            rule="archive.too_large",
        )
    ceiling = pc.multiply(table["compressed"], pa.scalar(_DEFLATE_CEILING, pa.uint64()))
    liars = table.filter(pc.greater(table["size"], ceiling))
    if len(liars):
        path, size, compressed = (liars[name][0].as_py() for name in ("path", "size", "compressed"))
        raise UploadRejected(
            f"{shown(path)} declares {size} bytes from {compressed}, more than deflate can hold",
            rule="archive.ratio",
        )
    if total > _RATIO_FLOOR and total > packed * limits.max_ratio:
        raise UploadRejected(
            f"{packed} bytes would inflate to {total}; at most {limits.max_ratio:g} times as many are allowed",
            hint="raise ingest.max_ratio if the archive is genuine",
            rule="archive.ratio",
        )
