"""Rows of an upload kept as Arrow columns: some 150 bytes a file where Python objects would take 2,000."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

import pyarrow as pa
import pyarrow.compute as pc

BATCH = 32_768
"""Rows that are Python objects at a time."""

T = TypeVar("T")


class RowBuilder:
    """An Arrow table in the making; rows are tuples in the order of the schema, and become Arrow BATCH at a time."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[Sequence[Any]] = []
        self._batches: list[pa.RecordBatch] = []

    def __len__(self) -> int:
        """The rows so far."""
        return sum(map(len, self._batches)) + len(self._rows)

    def append(self, row: Sequence[Any]) -> None:
        """Add a row."""
        self._rows.append(row)
        if len(self._rows) == BATCH:
            self._flush()

    def table(self) -> pa.Table:
        """The rows, in chunks of BATCH."""
        self._flush()
        return pa.Table.from_batches(self._batches, self._schema)

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._batches.append(pa.record_batch(arrays, schema=self._schema))
        self._rows = []


class Rows(Sequence[T], Generic[T]):
    """The rows of a table as values, each made by `make` from the row's columns when it is asked for."""

    def __init__(self, table: pa.Table, make: Callable[..., T]) -> None:
        self.table = table
        self._make = make

    def __len__(self) -> int:
        """The number of rows."""
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[T]:
        """The values in order."""
        return (self._make(*row) for row in rows_of(self.table, *self.table.column_names))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        """One value, or some of them."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        return self._make(*(column[number].as_py() for column in self.table.columns))


def texts(column: pa.ChunkedArray) -> Sequence[str]:
    """A column of text as Python strings, made when they are asked for."""
    return Rows(pa.table([column], ["text"]), str)


def rows_of(table: pa.Table | pa.RecordBatch, *names: str) -> Iterator[tuple[Any, ...]]:
    """These columns of each row."""
    for piece in pieces(table.select(list(names))):
        yield from zip(*(column.to_pylist() for column in piece.columns), strict=True)


def pieces(table: pa.Table | pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in batches of at most BATCH."""
    return iter(table.to_batches(BATCH) if isinstance(table, pa.Table) else [table])


def batches(column: pa.ChunkedArray) -> Iterator[pa.Array]:
    """A column in pieces of at most BATCH rows."""
    return (batch.column(0) for batch in pa.table([column], ["column"]).to_batches(BATCH))


def sum_of(column: pa.ChunkedArray) -> int:
    """The exact sum, however large: hostile sizes are more than 64 bits hold."""
    return sum(sum(numbers.to_pylist()) for numbers in batches(column))


def rows_where(table: pa.Table, condition: pa.ChunkedArray) -> pa.Table:
    """The rows that meet a condition; not a copy where all of them do."""
    return table if pc.all(condition, min_count=0).as_py() else table.filter(condition)


def sorted_rows(table: pa.Table, name: str) -> pa.Table:
    """The rows by a column, which sorts text as Python does; not a copy where they are in order."""
    column = table[name]
    in_order = pc.less_equal(column.slice(0, max(0, len(column) - 1)), column.slice(1))
    if pc.all(in_order, min_count=0).as_py():
        return table
    return table.take(pc.sort_indices(column))
