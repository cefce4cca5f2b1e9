"""Changes to the rows of one dataset, applied by this process: files that hold a changed row are written anew."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from imagelake.storage.base import Storage
from imagelake.tables.delta.commit import DataFile, FileChange, Txn, commit, write_file, write_files
from imagelake.tables.delta.types import with_all_columns
from imagelake.tables.spec import ROWS_PER_FILE, TableSpec

CHANGE = "_change"
"""Column of changes to a table: `put` writes the row, `drop` removes it."""

MOST_ROWS = 5_000_000
"""Rows in files to write anew up to which one process does it, in seconds; more are for Spark."""

_ROWS_AT_ONCE = 50_000

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
                rewritten[file.path] = _without(storage, spec, file, changes)
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
    """A file of a table; columns that the table got later are not in it, those of the partition if Spark wrote it."""
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
        if name not in rows.column_names:  # Spark writes it into some files
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
    with open_file(storage, spec, file.path) as parquet:
        return any(_group_holds(parquet, number, key, changes) for number in range(parquet.num_row_groups))


def _group_holds(parquet: pq.ParquetFile, number: int, key: str, changes: pa.Table) -> bool:
    """Whether a row group has a row of a changed key; image keys are a fraction of the size of others."""
    for name in (_IMAGE, key) if _IMAGE in changes.column_names else (key,):
        rows = parquet.read_row_group(number, [name])
        if not pc.any(pc.is_in(rows[name], value_set=_values(changes, name, rows))).as_py():
            return False
    return True


def _without(storage: Storage, spec: TableSpec, file: ActiveFile, changes: pa.Table) -> list[DataFile]:
    """The rows of a file whose key is not changed, with all columns of the spec, as files of ROWS_PER_FILE rows."""
    files, parts = [], (rows for rows in _others(storage, spec, file, changes) if len(rows))
    while (first := next(parts, None)) is not None:
        rest = islice(parts, ROWS_PER_FILE // _ROWS_AT_ONCE - 1)
        files.append(write_file(storage, spec, file.partition, chain((first,), rest)))
    return files


def _others(storage: Storage, spec: TableSpec, file: ActiveFile, changes: pa.Table) -> Iterator[pa.Table]:
    key = spec.key[-1]
    with open_file(storage, spec, file.path) as parquet:
        there = [name for name in spec.names if name in set(parquet.schema_arrow.names)]
        for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=there):
            rows = pa.table(batch)
            is_changed = pc.is_in(rows[key], value_set=_values(changes, key, rows))
            yield conformed(spec, file, rows.filter(pc.invert(is_changed)))


def _values(changes: pa.Table, key: str, rows: pa.Table) -> pa.Array:
    return pc.unique(changes[key]).cast(rows[key].type)
