"""Which partitions of the lake's tables have so many small files that rewriting them pays. Needs no Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from imagelake.storage.base import Storage
from imagelake.tables import ALL
from imagelake.tables.delta.delta_log import delta_table, is_delta_table
from imagelake.tables.spec import TableSpec

MEBIBYTE = 1 << 20
MOST_BYTES = 512 * MEBIBYTE
"""Bytes rewritten under one lease: some 20 seconds, a third of what writers wait by default."""
_FEWER = 8
"""Files that must become fewer: below it a reader gains less than the rewrite costs."""


@dataclass(frozen=True)
class FileSizes:
    """Sizes in bytes: files below `small` are rewritten, into files of up to `target`."""

    small: int
    target: int


_MERGED = FileSizes(16 * MEBIBYTE, 32 * MEBIBYTE)
"""A MERGE rewrites every file that it touches."""
_APPENDED = FileSizes(64 * MEBIBYTE, 128 * MEBIBYTE)


@dataclass(frozen=True)
class TableFiles:
    """Files of a table: their number, and their bytes."""

    files: int
    bytes: int


@dataclass(frozen=True)
class ChangedTable:
    """The files of a table before and after some work on it."""

    table: str
    before: TableFiles
    after: TableFiles

    def as_json(self) -> dict[str, Any]:
        """{"table", "files_before", "files_after", "bytes_before", "bytes_after"}."""
        return {
            "table": self.table,
            "files_before": self.before.files,
            "files_after": self.after.files,
            "bytes_before": self.before.bytes,
            "bytes_after": self.after.bytes,
        }


@dataclass(frozen=True)
class CrowdedPartition:
    """The files below `below` bytes of one dataset in a table; dataset is None in a table that has no partitions."""

    spec: TableSpec
    dataset: str | None
    files: TableFiles
    below: int

    @property
    def target(self) -> int:
        """The size in bytes of the files to write."""
        return file_sizes(self.spec).target


@dataclass(frozen=True)
class Survey:
    """The active files of each table by its name, and the partitions worth compacting."""

    tables: Mapping[str, TableFiles]
    crowded: tuple[CrowdedPartition, ...]


def file_sizes(spec: TableSpec) -> FileSizes:
    """Which files of a table are small, and how large they should be."""
    return _APPENDED if spec.append_only else _MERGED


def survey_tables(storage: Storage) -> Survey:
    """Look at the newest state of every table of the lake; one that does not exist is left out."""
    tables: dict[str, TableFiles] = {}
    crowded: list[CrowdedPartition] = []
    for spec in ALL:
        if not is_delta_table(storage, spec.path):
            continue
        sizes = _sizes(storage, spec)
        tables[spec.name] = TableFiles(sum(map(len, sizes.values())), sum(map(sum, sizes.values())))
        crowded += _crowded(spec, sizes)
    return Survey(tables, tuple(crowded))


def _sizes(storage: Storage, spec: TableSpec) -> Mapping[str | None, Sequence[int]]:
    """The sizes of the active files in bytes, ascending, by dataset."""
    added = pa.table(delta_table(storage, spec.path).get_add_actions(flatten=True))
    sizes = added["size_bytes"].to_pylist()
    datasets = added["partition.dataset"].to_pylist() if spec.partition_by else [None] * len(sizes)
    by_dataset: dict[str | None, list[int]] = {}
    for dataset, size in sorted(zip(datasets, sizes, strict=True), key=lambda pair: pair[1]):
        by_dataset.setdefault(dataset, []).append(size)
    return by_dataset


def _crowded(spec: TableSpec, sizes: Mapping[str | None, Sequence[int]]) -> Iterator[CrowdedPartition]:
    for dataset in sorted(sizes, key=str):
        partition = _small_files(spec, dataset, sizes[dataset])
        if partition.files.files - -(-partition.files.bytes // partition.target) >= _FEWER:
            yield partition


def _small_files(spec: TableSpec, dataset: str | None, sizes: Sequence[int]) -> CrowdedPartition:
    """The smallest files of a partition, given ascending, as many as one lease has time for."""
    below, files, total = file_sizes(spec).small, 0, 0
    for size in sizes:
        if size >= below:
            break
        if total + size > MOST_BYTES:
            below = size
            break
        files, total = files + 1, total + size
    return CrowdedPartition(spec, dataset, TableFiles(files, total), below)
