"""Small frame helpers of the silver stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

Row = dict[str, Any]


def map_rows(frame: DataFrame, added: str, function: Callable[[Row], Row]) -> DataFrame:
    """The frame with columns added (or replaced) by a Python function from a row to those columns.

    `added` is their DDL. The function runs in the workers on Arrow batches; it must be importable there.
    """
    extra = StructType.fromDDL(added)
    replaced = set(extra.names)
    schema = StructType([f for f in frame.schema.fields if f.name not in replaced] + extra.fields)
    arrow = to_arrow_schema(schema, timezone="UTC")

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = batch.to_pylist()
            for row in rows:
                row.update(function(row))
            yield pa.RecordBatch.from_pylist(rows, schema=arrow)

    return frame.mapInArrow(run, schema)


def text_array(*values: str) -> Column:
    """An array<string> literal; empty for no values."""
    return F.array(*(F.lit(v) for v in values)).cast("array<string>")


def sorted_set(*arrays: Column) -> Column:
    """The union of arrays, sorted, nulls as empty."""
    return F.array_sort(F.array_distinct(F.concat(*(F.coalesce(a, text_array()) for a in arrays))))


def same(left: Column, right: Column) -> Column:
    """Null-safe equality."""
    return left.eqNullSafe(right)
