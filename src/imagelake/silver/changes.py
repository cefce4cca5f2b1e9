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
from imagelake.tables.spec import TableSpec
from imagelake.tables.store import CHANGE

Rows = Sequence[Mapping[str, Any]]

SILVER: tuple[TableSpec, ...] = (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS)


def changes(ctx: Context, before: Draft, after: Draft) -> list[tuple[TableSpec, DataFrame, int]]:
    """Per table: the rows to put and to drop (persisted), and how many. Nothing to do is zero rows."""
    return [
        _counted(silver.IMAGES, before.images, after.images, ("row_hash", "split")),
        _counted(silver.ANNOTATIONS, before.annotations, after.annotations, ("row_hash",)),
        _categories(ctx, before.categories, after.categories),
        _counted(silver.REJECTIONS, before.rejections, after.rejections, ("closed_at",)),
    ]


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
    frame = _difference(spec, old, new, compared).persist()
    return spec, frame, frame.count()


def _difference(spec: TableSpec, old: DataFrame, new: DataFrame, compared: tuple[str, ...]) -> DataFrame:
    key = spec.key[-1]
    marks = old.select(key, F.lit(True).alias("_was"), *(F.col(c).alias(f"_{c}") for c in compared))
    unequal: Column = F.col("_was").isNull()
    for name in compared:
        unequal = unequal | ~same(F.col(name), F.col(f"_{name}"))
    put = new.join(marks, key, "left").where(unequal).select(*spec.names).withColumn(CHANGE, F.lit("put"))
    drop = old.join(new.select(key), key, "left_anti").select(*spec.names).withColumn(CHANGE, F.lit("drop"))
    return put.unionByName(drop)
