"""What a dataset's versions say to a build: training indexes that are taken, and splits that images have for good."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context
from imagelake.tables import gold

_RECIPE = 1


def published_index(ctx: Context, dataset: str) -> dict[str, int]:
    """Name to training index over all versions ever logged."""
    rows = ctx.tables.collect(gold.CATEGORY_LOG, dataset)
    return {row["name"]: row["train_index"] for row in rows if row["train_index"] is not None}


def published_splits(ctx: Context, dataset: str) -> DataFrame:
    """image_key, published_split: the newest split in recipe 1 of every image that was ever in a version."""
    publish_ids = sorted({row["publish_id"] for row in ctx.tables.collect(gold.VERSIONS, dataset)})
    if not publish_ids:
        return ctx.spark.createDataFrame([], "image_key string, published_split string")
    log = ctx.tables.read(gold.SPLIT_LOG, dataset)
    counting = log.where(F.col("publish_id").isin(publish_ids) & (F.col("recipe") == _RECIPE))
    return counting.groupBy("image_key").agg(F.max_by("split", "added_in").alias("published_split"))
