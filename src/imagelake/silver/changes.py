"""The difference between two drafts, as merge sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context
from imagelake.silver.apply_upload import Draft
from imagelake.silver.categories import COMPARED
from imagelake.silver.frames import same
from imagelake.silver.images import STICKY
from imagelake.tables import silver
from imagelake.tables.frames import settled, together
from imagelake.tables.spec import TableSpec
from imagelake.tables.store import CHANGE

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Change:
    """What differs in one table: the rows to put and to drop (settled), and how many."""

    spec: TableSpec
    rows: DataFrame
    count: int


def changes(ctx: Context, before: Draft, after: Draft) -> list[Change]:
    """The difference of images, annotations, categories and rejections, in this order; nothing to do is zero rows."""
    images, annotations, rejections = together(
        lambda: _counted(silver.IMAGES, before.images, after.images, ("row_hash", "split", "flags")),
        lambda: _counted(silver.ANNOTATIONS, before.annotations, after.annotations, ("row_hash", "area")),
        lambda: _counted(silver.REJECTIONS, before.rejections, after.rejections, ("closed_at", "record", "delivery")),
    )
    return [images, annotations, _categories(ctx, before.categories, after.categories), rejections]


def _categories(ctx: Context, before: Rows, after: Rows) -> Change:
    old = {row["name"]: _state(row) for row in before}
    put = [row for row in after if old.get(row["name"]) != _state(row)]
    names = {row["name"] for row in after}
    drop = [row for row in before if row["name"] not in names]
    frames = [
        ctx.tables.frame(silver.CATEGORIES, rows).withColumn(CHANGE, F.lit(change))
        for change, rows in (("put", put), ("drop", drop))
    ]
    return Change(silver.CATEGORIES, frames[0].unionByName(frames[1]), len(put) + len(drop))


def _state(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in COMPARED)


def _counted(spec: TableSpec, old: DataFrame, new: DataFrame, compared: tuple[str, ...]) -> Change:
    frame = settled(_difference(spec, old, new, compared))
    return Change(spec, frame, frame.count())


def _difference(spec: TableSpec, old: DataFrame, new: DataFrame, compared: tuple[str, ...]) -> DataFrame:
    """One pass over both: a row in both keeps its new values, one that is only in the old keeps its old ones."""
    key = spec.key[-1]
    pairs = new.select(key, F.struct(*spec.names).alias("_new")).join(
        old.select(key, F.struct(*spec.names).alias("_old")), key, "full"
    )
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
