"""What a dataset's versions say to a build: training indexes that are taken, and splits that images have for good."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.runs.context import Context
from imagelake.tables import gold
from imagelake.tables.delta.pinned import Mask, PinnedTable
from imagelake.tables.frames import checkpointed

_RECIPE = 1


def published_index(ctx: Context, dataset: str) -> dict[str, int]:
    """Name to training index over all versions ever logged."""
    rows = ctx.tables.collect(gold.CATEGORY_LOG, dataset)
    return {row["name"]: row["train_index"] for row in rows if row["train_index"] is not None}


def published_splits(ctx: Context, dataset: str) -> DataFrame:
    """image_key, published_split: the newest split in recipe 1 of every image ever in a version (checkpointed)."""
    publish_ids = _publish_ids(ctx, dataset)
    if not publish_ids:
        return _none(ctx)
    return checkpointed(_newest(ctx.tables.read(gold.SPLIT_LOG, dataset), publish_ids))


def published_splits_of(ctx: Context, dataset: str, is_key: Mask) -> DataFrame:
    """Like `published_splits`, for the images whose keys match the mask."""
    publish_ids = _publish_ids(ctx, dataset)
    if not publish_ids:
        return _none(ctx)
    log = PinnedTable.at(ctx.storage, gold.SPLIT_LOG, dataset, ctx.tables.version(gold.SPLIT_LOG))
    rows = log.where({"image_key": is_key})
    return checkpointed(_newest(ctx.tables.frame_of(gold.SPLIT_LOG, rows), publish_ids))


def _publish_ids(ctx: Context, dataset: str) -> list[str]:
    return sorted({row["publish_id"] for row in ctx.tables.collect(gold.VERSIONS, dataset)})


def _none(ctx: Context) -> DataFrame:
    return ctx.spark.createDataFrame([], "image_key string, published_split string")


def _newest(log: DataFrame, publish_ids: Sequence[str]) -> DataFrame:
    counting = log.where(F.col("publish_id").isin(publish_ids) & (F.col("recipe") == _RECIPE))
    return counting.groupBy("image_key").agg(F.max_by("split", "added_in").alias("published_split"))
