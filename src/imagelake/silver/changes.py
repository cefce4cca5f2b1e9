"""The difference between two drafts, as merge sources."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.silver.fold import Draft
from imagelake.silver.frames import same
from imagelake.tables import silver
from imagelake.tables.spec import TableSpec
from imagelake.tables.store import CHANGE

SILVER: tuple[TableSpec, ...] = (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS)


def changes(before: Draft, after: Draft) -> list[tuple[TableSpec, DataFrame, int]]:
    """Per table: the rows to put and to drop (persisted), and how many. Nothing to do is zero rows."""
    pairs = (
        (silver.IMAGES, before.images, after.images, ("row_hash", "split")),
        (silver.ANNOTATIONS, before.annotations, after.annotations, ("row_hash",)),
        (silver.CATEGORIES, before.categories, after.categories, ("row_hash",)),
        (silver.REJECTIONS, before.rejections, after.rejections, ("closed_at",)),
    )
    out = []
    for spec, old, new, compared in pairs:
        frame = _difference(spec, old, new, compared).persist()
        out.append((spec, frame, frame.count()))
    return out


def _difference(spec: TableSpec, old: DataFrame, new: DataFrame, compared: tuple[str, ...]) -> DataFrame:
    key = spec.key[-1]
    marks = old.select(key, F.lit(True).alias("_was"), *(F.col(c).alias(f"_{c}") for c in compared))
    unequal: Column = F.col("_was").isNull()
    for name in compared:
        unequal = unequal | ~same(F.col(name), F.col(f"_{name}"))
    put = new.join(marks, key, "left").where(unequal).select(*spec.names).withColumn(CHANGE, F.lit("put"))
    drop = old.join(new.select(key), key, "left_anti").select(*spec.names).withColumn(CHANGE, F.lit("drop"))
    return put.unionByName(drop)
