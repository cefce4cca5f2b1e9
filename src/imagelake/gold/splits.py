"""Which split each image lies in: sticky, by group, never the same bytes in two splits.

An image or group that has had a split in any version keeps it. Else recipe 1 takes the uploaded split, and what has
none is placed by a hash of its group key: u = first 52 bits of sha256("<seed>:<group key>") / 2^52, against cumulated
shares. A group's images lie together; its split is the kept one, else the uploaded one, else the hashed one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from imagelake.errors import UsageError
from imagelake.gold.groups import with_groups

_BITS = 52
_KEPT, _UPLOADED, _HASHED = 0, 1, 2
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Recipe:
    """A way to split: shares by name in order, what images belong together, and whether uploaded splits count."""

    fractions: Mapping[str, float]
    group_by: str | None = None
    stratify: bool = False
    seed: int = 0
    uploaded: bool = True

    def __post_init__(self) -> None:
        total = sum(self.fractions.values())
        if not self.fractions or abs(total - 1) > _TOLERANCE or min(self.fractions.values()) < 0:
            shown = ",".join(f"{k}={v:g}" for k, v in self.fractions.items())
            raise UsageError(f"split {shown or '(empty)'}: shares must be 0 to 1 and sum to 1, not {total:g}")

    def as_json(self) -> str:
        """The recipe as a version row stores it; equal recipes have equal text."""
        return json.dumps(asdict(self) | {"fractions": list(self.fractions.items())}, sort_keys=True)


def assign(images: DataFrame, history: DataFrame, annotations: DataFrame, recipe: Recipe) -> DataFrame:
    """(image_key, split, group_key, origin, contradicts) for every image.

    images: image_key, content_hash, split (uploaded), attributes; history: split rows ever published for this recipe;
    `contradicts`: the upload asked for another split than the image gets.
    """
    grouped = with_groups(images, recipe.group_by)
    by_key = _newest(history, "image_key", "_key_split")
    by_group = _newest(history, "group_key", "_group_split")
    known = grouped.join(by_key, "image_key", "left").join(by_group, "group_key", "left")
    asked = F.col("split") if recipe.uploaded else F.lit(None).cast("string")
    candidates = known.withColumn("_asked", asked).withColumn("_wish", _wish())
    return _together(_placed(candidates, annotations, recipe))


def _newest(history: DataFrame, key: str, name: str) -> DataFrame:
    return history.groupBy(key).agg(F.max_by("split", F.struct("added_in", "image_key")).alias(name))


def _wish() -> Column:
    """What an image brings itself: (rank, split), or null when only the hash can decide."""
    kept = F.coalesce("_key_split", "_group_split")
    return F.when(kept.isNotNull(), F.struct(F.lit(_KEPT).alias("rank"), kept.alias("split"))).when(
        F.col("_asked").isNotNull(), F.struct(F.lit(_UPLOADED).alias("rank"), F.col("_asked").alias("split"))
    )


def _placed(candidates: DataFrame, annotations: DataFrame, recipe: Recipe) -> DataFrame:
    """`_hashed`: the split the group's hash gives; with `stratify`, its rank among new groups of its class."""
    frame = candidates.withColumn("_u", _uniform(recipe.seed, F.col("_root")))
    if recipe.stratify:
        frame = _stratified(frame, annotations)
    names = list(recipe.fractions)
    placed = F.lit(names[-1])
    for place in range(len(names) - 2, -1, -1):
        edge = math.fsum(list(recipe.fractions.values())[: place + 1])
        placed = F.when(F.col("_u") < edge, F.lit(names[place])).otherwise(placed)
    return frame.withColumn("_hashed", placed)


def _uniform(seed: int, key: Column) -> Column:
    digits = F.substring(F.sha2(F.concat(F.lit(f"{seed}:"), key), 256), 1, _BITS // 4)
    return F.conv(digits, 16, 10).cast("double") / F.lit(float(1 << _BITS))


def _stratified(frame: DataFrame, annotations: DataFrame) -> DataFrame:
    """`_u` becomes the middle of a new group's rank within its class (the rarest one among its objects)."""
    counts = annotations.groupBy("category").agg(F.count("*").alias("_n"))
    rarest = (
        annotations.select("image_key", "category")
        .join(counts, "category")
        .join(frame.select("image_key", "_root"), "image_key")
        .groupBy("_root")
        .agg(F.min(F.struct("_n", "category")).alias("_class"))
    )
    new = (
        frame.groupBy("_root", "_u").agg(F.max(F.col("_wish").isNotNull()).alias("_decided")).where(~F.col("_decided"))
    )
    inside = Window.partitionBy("_class")
    rank = (F.row_number().over(inside.orderBy("_u", "_root")) - 0.5) / F.count("*").over(inside)
    ranked = new.join(rarest, "_root", "left").withColumn("_rank_u", rank).select("_root", "_rank_u")
    return frame.join(ranked, "_root", "left").withColumn("_u", F.coalesce("_rank_u", "_u")).drop("_rank_u")


def _together(frame: DataFrame) -> DataFrame:
    group = Window.partitionBy("_root")
    best = F.min(F.when(F.col("_wish").isNotNull(), F.struct("_wish.rank", "image_key", "_wish.split"))).over(group)
    chosen = frame.withColumn("_best", best).withColumn("_split", F.coalesce("_best.split", "_hashed"))
    rank = F.coalesce("_best.rank", F.lit(_HASHED))
    moved = F.col("_wish").isNotNull() & (F.col("_wish.split") != F.col("_split"))
    origin = F.when(moved, "moved").when(rank == _KEPT, "kept").when(rank == _UPLOADED, "uploaded").otherwise("hashed")
    contradicts = F.col("_asked").isNotNull() & (F.col("_asked") != F.col("_split"))
    return chosen.select(
        "image_key",
        F.col("_split").alias("split"),
        "group_key",
        origin.alias("origin"),
        contradicts.alias("contradicts"),
    )
