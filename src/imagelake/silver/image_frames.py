"""Small frame helpers of the silver stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import StructType

Row = Mapping[str, Any]
"""A row by column name."""

Part = tuple[pa.RecordBatch, Mapping[str, pa.Array]]
"""Some rows of a batch, and the columns that a function adds to them."""


class BatchRows:
    """The rows of a batch as mappings. A column becomes Python values when a row is first asked for it."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self._columns: dict[str, list[Any]] = {}

    def __iter__(self) -> Iterator[Row]:
        return (_BatchRow(self, index) for index in range(self._batch.num_rows))

    @property
    def names(self) -> list[str]:
        """The columns of the batch."""
        names: list[str] = self._batch.schema.names
        return names

    def column(self, name: str) -> list[Any]:
        """The values of a column; KeyError for a name that the batch does not have."""
        values = self._columns.get(name)
        if values is None:
            values = self._columns[name] = self._batch.column(name).to_pylist()
        return values


class _BatchRow(Mapping[str, Any]):
    __slots__ = ("_index", "_rows")

    def __init__(self, rows: BatchRows, index: int) -> None:
        self._rows = rows
        self._index = index

    def __getitem__(self, name: str) -> Any:
        return self._rows.column(name)[self._index]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows.names)

    def __len__(self) -> int:
        return len(self._rows.names)


def map_rows(frame: DataFrame, added: str, function: Callable[[Row], Row]) -> DataFrame:
    """The frame with columns added (or replaced) by a Python function from a row to those columns.

    `added` is their DDL. The function runs in the workers on Arrow batches; it must be importable there. Only the
    columns that it reads become Python values.
    """
    schema = to_arrow_schema(cast(StructType, StructType.fromDDL(added)), timezone="UTC")

    def add_columns(batch: pa.RecordBatch) -> Iterator[Part]:
        yield batch, to_columns(map(function, BatchRows(batch)), schema)

    return map_batches(frame, schema, add_columns)


def map_batches(frame: DataFrame, added: pa.Schema, function: Callable[[pa.RecordBatch], Iterable[Part]]) -> DataFrame:
    """The frame with columns added (or replaced) by a Python function from a batch to parts of it with those columns.

    A function returns each row of its batch in one part, in any order; it must be importable in the workers.
    """
    own_fields = [field for field in frame.schema.fields if field.name not in added.names]
    schema = StructType(own_fields + from_arrow_schema(added).fields)
    names = [field.name for field in own_fields]

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            fields = pa.schema([*(batch.schema.field(name) for name in names), *added])
            for rows, columns in function(batch):
                values = [*(rows.column(name) for name in names), *(columns[name] for name in added.names)]
                yield pa.RecordBatch.from_arrays(values, schema=fields)

    return frame.mapInArrow(run, schema)


def to_columns(rows: Iterable[Row], schema: pa.Schema) -> dict[str, pa.Array]:
    """The columns of the schema of rows as Arrow arrays."""
    values = [tuple(row[name] for name in schema.names) for row in rows]
    columns = zip(*values, strict=True) if values else ((),) * len(schema)
    return {field.name: pa.array(column, field.type) for field, column in zip(schema, columns, strict=True)}


def text_array(*values: str) -> Column:
    """An array<string> literal; empty for no values."""
    return F.array(*(F.lit(v) for v in values)).cast("array<string>")


def sorted_set(*arrays: Column) -> Column:
    """The union of arrays, sorted, nulls as empty."""
    return F.sort_array(F.array_distinct(F.concat(*(F.coalesce(a, text_array()) for a in arrays))))


def same(left: Column, right: Column) -> Column:
    """Null-safe equality."""
    return left.eqNullSafe(right)
