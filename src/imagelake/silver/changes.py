"""The difference between two drafts, as merge sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context
from imagelake.silver.fold import Draft
from imagelake.silver.frames import same
from imagelake.tables import silver
from imagelake.tables.frames import settled, together
from imagelake.tables.spec import TableSpec
from imagelake.tables.store import CHANGE

Rows = Sequence[Mapping[str, Any]]

SILVER: tuple[TableSpec, ...] = (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS)


def changes(ctx: Context, before: Draft, after: Draft) -> list[tuple[TableSpec, DataFrame, int]]:
    """Per table: the rows to put and to drop (settled), and how many. Nothing to do is zero rows."""
    images, annotations, rejections = together(
        lambda: _counted(silver.IMAGES, before.images, after.images, ("row_hash", "split")),
        lambda: _counted(silver.ANNOTATIONS, before.annotations, after.annotations, ("row_hash",)),
        lambda: _counted(silver.REJECTIONS, before.rejections, after.rejections, ("closed_at",)),
    )
    return [images, annotations, _categories(ctx, before.categories, after.categories), rejections]


def _categories(ctx: Context, before: Rows, after: Rows) -> tuple[TableSpec, DataFrame, int]:
    old = {row["name"]: row["row_hash"] for row in before}
    put = [row for row in after if old.get(row["name"]) != row["row_hash"]]
    names = {row["name"] for row in after}
    drop = [row for row in before if row["name"] not in names]
    frames = [
        ctx.tables.frame(silver.CATEGORIES, rows).withColumn(CHANGE, F.lit(change))
        for change, rows in (("put", put), ("drop", drop))
    ]
    return silver.CATEGORIES, frames[0].unionByName(frames[1]), len(put) + len(drop)


def _counted(
    spec: TableSpec, old: DataFrame, new: DataFrame, compared: tuple[str, ...]
) -> tuple[TableSpec, DataFrame, int]:
    frame = settled(_difference(spec, old, new, compared))
    return spec, frame, frame.count()


def _difference(spec: TableSpec, old: DataFrame, new: DataFrame, compared: tuple[str, ...]) -> DataFrame:
    """One pass over both: a row in both keeps its new values, one that is only in the old keeps its old ones."""
    key = spec.key[-1]
    pairs = new.select(key, F.struct(*spec.names).alias("_new")).join(
        old.select(key, F.struct(*spec.names).alias("_old")), key, "full"
    )
    unequal: Column = F.col("_new").isNull() | F.col("_old").isNull()
    for name in compared:
        unequal = unequal | ~same(F.col(f"_new.{name}"), F.col(f"_old.{name}"))
    change = F.when(F.col("_new").isNull(), "drop").otherwise("put")
    return (
        pairs.where(unequal)
        .select(F.coalesce("_new", "_old").alias("_row"), change.alias(CHANGE))
        .select("_row.*", CHANGE)
    )
