"""Images of a draft that look like another one, and those of them whose like lies in another split."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context
from imagelake.quality.near_duplicates import near_duplicates
from imagelake.tables import silver

_COLUMNS = ("image_key", "content_hash", "phash", "contrast", "entropy")


@dataclass(frozen=True)
class LookAlikes:
    """Images that look like another one of other bytes, and those of them in a group that several splits have."""

    images: int
    across: int


def look_alikes(ctx: Context, dataset: str, splits: DataFrame) -> LookAlikes:
    """The look-alikes of the draft. splits: image_key and split of all its images."""
    groups = near_duplicates(ctx.tables.arrow(silver.IMAGES, dataset, _COLUMNS)).groups
    if not len(groups):
        return LookAlikes(0, 0)
    # in one chunk: Spark loses the rows that follow an empty chunk
    frame = ctx.spark.createDataFrame(groups.select(["image_key", "group"]).combine_chunks())
    by_group = frame.join(splits.select("image_key", "split"), "image_key").groupBy("group")
    counts = by_group.agg(F.count("*").alias("images"), F.count_distinct("split").alias("splits"))
    across = counts.where("splits > 1").agg(F.coalesce(F.sum("images"), F.lit(0)).alias("n")).collect()[0]["n"]
    return LookAlikes(len(groups), int(across))
