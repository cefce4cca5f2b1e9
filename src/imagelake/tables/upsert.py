"""Changes to the rows of one dataset, applied by this process: files that hold a changed row are written anew."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from imagelake.storage.base import Storage
from imagelake.tables.commit import DataFile, FileChange, Txn, commit, write_files
from imagelake.tables.spec import TableSpec
from imagelake.tables.types import with_all_columns

CHANGE = "_change"
"""Column of changes to a table: `put` writes the row, `drop` removes it."""

MOST_ROWS = 500_000
"""Rows in files to write anew up to which one process does it; more are for Spark."""

_IMAGE = "image_key"


class TooManyRows(Exception):
    """Raised when more rows would have to be written anew than one process should."""


@dataclass(frozen=True)
class ActiveFile(DataFile):
    """A file of the newest state, with the least and the greatest image key in it where the log has them."""

    least: str | None = None
    greatest: str | None = None


def upsert(storage: Storage, spec: TableSpec, dataset: str, changes: pa.Table, txn: Txn) -> int | None:
    """Apply changes (the spec's columns and CHANGE) by the spec's key; the version, None when `txn` is not new.

    TooManyRows, and nothing written, when the files that hold changed rows have more than MOST_ROWS.
    """
    rewritten: dict[str, list[DataFile]] = {}
    put: list[DataFile] = []
    rows = changes.filter(pc.equal(changes[CHANGE], "put")).select(spec.names)

    def change_of(log: DeltaTable) -> FileChange:
        touched = [file for file in active_files(log, dataset) if _holds(storage, spec, file, changes)]
        if sum(file.rows or MOST_ROWS for file in touched) > MOST_ROWS:
            raise TooManyRows(spec.name)
        for file in touched:
            if file.path not in rewritten:
                rewritten[file.path] = write_files(storage, spec, _others(storage, spec, file, changes))
        if not put:
            put.extend(write_files(storage, spec, rows))
        return FileChange("MERGE", [*(new for file in touched for new in rewritten[file.path]), *put], touched)

    return commit(storage, spec, txn, change_of)


def active_files(log: DeltaTable, dataset: str) -> list[ActiveFile]:
    """The files of a dataset in the state that the log was loaded at."""
    actions = pa.table(log.get_add_actions(flatten=True))
    mine = actions.filter(pc.equal(actions["partition.dataset"], dataset)).to_pylist()
    return [
        ActiveFile(
            row["path"],
            {"dataset": dataset},
            row["size_bytes"],
            row["num_records"],
            None,
            row.get(f"min.{_IMAGE}"),
            row.get(f"max.{_IMAGE}"),
        )
        for row in mine
    ]


@contextmanager
def open_file(storage: Storage, spec: TableSpec, path: str) -> Iterator[pq.ParquetFile]:
    """A file of a table; it has no partition column, and no column that the table got later."""
    with storage.open(f"{spec.path}/{path}") as stream:
        yield pq.ParquetFile(stream, coerce_int96_timestamp_unit="us")


def read_file(storage: Storage, spec: TableSpec, path: str, columns: tuple[str, ...]) -> pa.Table:
    """These columns of a file of a table, as far as it has them."""
    with open_file(storage, spec, path) as file:
        there = set(file.schema_arrow.names)
        return file.read([name for name in columns if name in there])


def conformed(spec: TableSpec, file: DataFile, rows: pa.Table) -> pa.Table:
    """Rows of a file with all columns of the spec: its partition, and nulls for columns that it does not have."""
    for name, value in file.partition.items():
        rows = rows.append_column(name, pa.array([value] * len(rows), pa.string()))
    return with_all_columns(spec, rows)


def _holds(storage: Storage, spec: TableSpec, file: ActiveFile, changes: pa.Table) -> bool:
    """Whether a file has a row of a changed key; it is opened only where its image keys do not rule that out."""
    key = spec.key[-1]
    if file.least is not None and file.greatest is not None:
        images = sorted({name for name in changes[_IMAGE].to_pylist() if name is not None})
        first = bisect_left(images, file.least)
        if first == len(images) or images[first] > file.greatest:
            return False
    rows = read_file(storage, spec, file.path, (key,))
    return bool(pc.any(pc.is_in(rows[key], value_set=_values(changes, key, rows))).as_py())


def _others(storage: Storage, spec: TableSpec, file: DataFile, changes: pa.Table) -> pa.Table:
    """The rows of a file whose key is not changed, with all columns of the spec."""
    key = spec.key[-1]
    rows = read_file(storage, spec, file.path, spec.names)
    is_changed = pc.is_in(rows[key], value_set=_values(changes, key, rows))
    return conformed(spec, file, rows.filter(pc.invert(is_changed)))


def _values(changes: pa.Table, key: str, rows: pa.Table) -> pa.Array:
    return pc.unique(changes[key]).cast(rows[key].type)
