"""The difference between two drafts, as merge sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from imagelake.runs.context import Context
from imagelake.silver.apply_upload import DraftFrames
from imagelake.silver.image_frames import same
from imagelake.silver.rows.categories import COMPARED as OF_CATEGORIES
from imagelake.silver.rows.images import STICKY
from imagelake.tables import silver
from imagelake.tables.delta.store import TableChanges
from imagelake.tables.delta.types import arrow_schema, table_of
from imagelake.tables.delta.upsert import CHANGE
from imagelake.tables.frames import Counted, counted, frame_of, is_empty, is_on_driver, local_rows, run_parallel
from imagelake.tables.spec import TableSpec

Rows = Sequence[Mapping[str, Any]]

_COMPARED = {
    silver.IMAGES.name: ("row_hash", "split", "flags"),
    silver.ANNOTATIONS.name: ("row_hash", "area"),
    silver.REJECTIONS.name: ("closed_at", "record", "delivery"),
}
"""Columns in which a row that is in both differs."""


def changes(ctx: Context, before: DraftFrames, after: DraftFrames) -> list[TableChanges]:
    """The difference of images, annotations, categories and rejections, in this order; nothing to do is zero rows."""
    images, annotations, rejections = run_parallel(
        partial(row_changes, silver.IMAGES, before.images, after.images),
        partial(row_changes, silver.ANNOTATIONS, before.annotations, after.annotations),
        partial(row_changes, silver.REJECTIONS, before.rejections, after.rejections),
    )
    return [images, annotations, category_changes(ctx, before.categories, after.categories), rejections]


def category_changes(ctx: Context, before: Rows, after: Rows) -> TableChanges:
    """The difference of categories."""
    old = {row["name"]: _state(row) for row in before}
    put = [row for row in after if old.get(row["name"]) != _state(row)]
    names = {row["name"] for row in after}
    drop = [row for row in before if row["name"] not in names]
    marks = pa.array(["put"] * len(put) + ["drop"] * len(drop), pa.string())
    table = table_of(silver.CATEGORIES, [*put, *drop]).append_column(CHANGE, marks)
    schema = arrow_schema(silver.CATEGORIES).append(pa.field(CHANGE, pa.string()))
    frame = frame_of(ctx.spark, table, from_arrow_schema(schema))
    return TableChanges(silver.CATEGORIES, Counted(frame, len(table), table))


def _state(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in OF_CATEGORIES)


def row_changes(spec: TableSpec, old: DataFrame, new: DataFrame) -> TableChanges:
    """The row changes between two checkpointed frames of a table."""
    before, after = local_rows(old), local_rows(new)
    if before is not None and after is not None:
        rows = _local_difference(spec, before, after)
        schema = from_arrow_schema(rows.schema)
        return TableChanges(spec, Counted(frame_of(new.sparkSession, rows, schema), len(rows), rows))
    if not is_on_driver(new) and is_empty(old):
        return TableChanges(spec, Counted(new.selectExpr(*spec.names, f"'put' AS {CHANGE}"), new.count()))
    return TableChanges(spec, counted(_difference(spec, old, new, _COMPARED[spec.name])))


def _local_difference(spec: TableSpec, old: pa.Table, new: pa.Table) -> pa.Table:
    """Like `_difference`, for Arrow tables on the driver."""
    key = spec.key[-1]
    before, after = (list(zip(rows[key].to_pylist(), _states(spec, rows), strict=True)) for rows in (old, new))
    states, names = dict(before), {name for name, _ in after}
    put = [name not in states or states[name] != state for name, state in after]
    removed = [name not in names for name, _ in before]
    marks = ["put"] * sum(put) + ["drop"] * sum(removed)
    kinds = arrow_schema(spec)
    parts = ((new, put), (old, removed))
    rows = [rows.filter(pa.array(mask, pa.bool_())).select(spec.names).cast(kinds) for rows, mask in parts]
    return pa.concat_tables(rows).append_column(CHANGE, pa.array(marks, pa.string()))


def _states(spec: TableSpec, rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The compared values of each row."""
    columns = [
        [None if flags is None else [f for f in flags if f in STICKY] for flags in rows[name].to_pylist()]
        if name == "flags"
        else rows[name].to_pylist()
        for name in _COMPARED[spec.name]
    ]
    return zip(*columns, strict=True)


def _difference(spec: TableSpec, old: DataFrame, new: DataFrame, compared: tuple[str, ...]) -> DataFrame:
    """One pass over both: a row in both keeps its new values, one that is only in the old keeps its old ones."""
    key = spec.key[-1]
    row = f"struct({', '.join(spec.names)})"
    pairs = new.selectExpr(key, f"{row} AS _new").join(old.selectExpr(key, f"{row} AS _old"), key, "full")
    unequal: Column = F.col("_new").isNull() | F.col("_old").isNull()
    for name in compared:
        unequal = unequal | ~same(_state_of("_new", name), _state_of("_old", name))
    change = F.when(F.col("_new").isNull(), "drop").otherwise("put")
    return (
        pairs.where(unequal)
        .select(F.coalesce("_new", "_old").alias("_row"), change.alias(CHANGE))
        .select("_row.*", CHANGE)
    )


def _state_of(side: str, name: str) -> Column:
    """A compared column; of flags those that say something of the row by themselves."""
    column = F.col(f"{side}.{name}")
    return F.array_intersect(column, F.array(*map(F.lit, STICKY))) if name == "flags" else column
