"""A dataset's part of a table at one Delta version, looked up by this process, with changes laid over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from imagelake.storage.base import Storage
from imagelake.tables.delta.delta_log import delta_table
from imagelake.tables.delta.types import arrow_schema
from imagelake.tables.delta.upsert import CHANGE, ActiveFile, active_files, conformed, open_file, read_file
from imagelake.tables.spec import TableSpec

_ROWS_AT_ONCE = 50_000

Mask = Callable[[pa.Array], pa.Array]
"""Which of the values of a column are meant, as booleans."""


@dataclass
class PinnedTable:
    """The rows of a dataset at a version of a table, and what has been put and dropped since (`lay_over`)."""

    storage: Storage
    spec: TableSpec
    files: tuple[ActiveFile, ...]
    put: pa.Table = field(init=False)
    changed: pa.Array = field(init=False)

    def __post_init__(self) -> None:
        self.put = arrow_schema(self.spec).empty_table()
        self.changed = pa.array([], pa.string())

    @classmethod
    def at(cls, storage: Storage, spec: TableSpec, dataset: str, version: int) -> PinnedTable:
        """The table as it is at that version."""
        log = delta_table(storage, spec.path)
        if log.version() != version:
            log.load_as_version(version)
        return cls(storage, spec, tuple(active_files(log, dataset)))

    @property
    def key(self) -> str:
        """The column that tells the dataset's rows apart."""
        return self.spec.key[-1]

    def where(self, masks: dict[str, Mask]) -> pa.Table:
        """The rows one of whose columns is meant by its mask; all columns of the spec.

        Only the columns asked about are read of files and row groups without such a row.
        """
        parts = [self.put.filter(_any({name: self.put[name] for name in masks}, masks))]
        for file in self.files:
            parts.extend(self._rows_of(file, masks))
        return pa.concat_tables(parts).combine_chunks()

    def columns(self, names: tuple[str, ...], masks: dict[str, Mask]) -> pa.Table:
        """These columns of the rows one of whose columns is meant by its mask, whatever lies over them."""
        schema = pa.schema([self.put.schema.field(name) for name in names])
        parts = [schema.empty_table()]
        for file in self.files:
            parts.extend(rows.select(names).cast(schema) for rows in self._read(file, masks, names))
        return pa.concat_tables(parts).combine_chunks()

    def stored(self, keys: pa.Array) -> pa.Table:
        """The rows of these keys as the table has them, whatever has been laid over them."""
        parts = [arrow_schema(self.spec).empty_table()]
        for file in self.files:
            parts.extend(self._read(file, {self.key: is_in(keys)}))
        return pa.concat_tables(parts).combine_chunks()

    def lay_over(self, changes: pa.Table) -> None:
        """Take changes (the spec's columns and CHANGE) for the newest state of their keys."""
        changes = changes.cast(self.put.schema.append(pa.field(CHANGE, pa.string())))
        rows = changes.filter(pc.equal(changes[CHANGE], "put")).select(self.put.column_names)
        others = self.put.filter(pc.invert(pc.is_in(self.put[self.key], value_set=pc.unique(changes[self.key]))))
        self.put = pa.concat_tables([others, rows]).combine_chunks()
        keys = [*self.changed.to_pylist(), *changes[self.key].to_pylist()]
        self.changed = pa.array(dict.fromkeys(keys), pa.string())

    def count_by(self, column: str) -> Counter[str]:
        """How many rows of the pinned version have each value of a column."""
        counts: Counter[str] = Counter()
        for file in self.files:
            values = read_file(self.storage, self.spec, file.path, (column,))[column].value_counts()
            counts.update({pair["values"]: pair["counts"] for pair in values.to_pylist()})
        return counts

    def _rows_of(self, file: ActiveFile, masks: dict[str, Mask]) -> list[pa.Table]:
        tables = self._read(file, masks)
        if not len(self.changed):
            return tables
        return [rows.filter(pc.invert(pc.is_in(rows[self.key], value_set=self.changed))) for rows in tables]

    def _read(self, file: ActiveFile, masks: dict[str, Mask], names: tuple[str, ...] = ()) -> list[pa.Table]:
        """The rows with the columns named, all without names, and those of the partition."""
        parts = []
        with open_file(self.storage, self.spec, file.path) as parquet:
            there = set(parquet.schema_arrow.names)
            columns = [name for name in names or self.spec.names if name in there and name not in masks]
            for number in range(parquet.num_row_groups):
                asked = parquet.read_row_group(number, list(masks))
                mask = _any({name: asked[name] for name in masks}, masks)
                if pc.any(mask).as_py():
                    rows = _wanted(parquet, number, columns, mask)
                    for name in masks:
                        rows = rows.append_column(name, asked[name].filter(mask))
                    parts.append(conformed(self.spec, file, rows))
        return parts


def _wanted(parquet: pq.ParquetFile, group: int, names: Sequence[str], mask: pa.ChunkedArray) -> pa.Table:
    """Columns of the rows of a row group that are meant; Spark's groups are large, so they are never held whole."""
    parts, start, empty = [], 0, pa.table({"rows": pa.nulls(pc.sum(mask).as_py())}).select([])
    for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=names) if names else ():
        parts.append(pa.table(batch).filter(mask.slice(start, len(batch))))
        start += len(batch)
    return pa.concat_tables(parts) if parts else empty


def is_in(values: pa.Array) -> Mask:
    """The mask of values that are among these."""
    return lambda column: pc.is_in(column, value_set=values.cast(column.type))


def either(one: Mask, other: Mask) -> Mask:
    """The mask of values that one of two masks means."""
    return lambda column: pc.or_(pc.fill_null(one(column), False), pc.fill_null(other(column), False))


def above(least: int) -> Mask:
    """The mask of numbers above this one."""
    return lambda column: pc.greater(column, least)


def _any(columns: dict[str, pa.ChunkedArray], masks: dict[str, Mask]) -> pa.ChunkedArray:
    first, *others = (pc.fill_null(masks[name](column), False) for name, column in columns.items())
    for other in others:
        first = pc.or_(first, other)
    return first
