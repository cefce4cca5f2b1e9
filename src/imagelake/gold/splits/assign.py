"""Which split each image lies in: kept once published, by group, never the same bytes in two splits.

The split of a group is, first of what there is: the published split of its smallest image key that has one; in recipe 1
the uploaded split of its smallest image key that has one; with `stratify` the split that is short of its class
(`stratify`); else u = first 52 bits of sha256("<seed>:<root>") / 2^52 against cumulated shares, where the root is the
smallest group key of the groups that byte-identical images join.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from imagelake.errors import UsageError
from imagelake.gold.splits.groups import grouped
from imagelake.gold.splits.stratify import stratified
from imagelake.tables.frames import checkpointed

_BITS = 52
_KEPT, _UPLOADED, _PLACED = 0, 1, 2
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

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe a version row stores."""
        values = json.loads(text)
        fields_read = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        return cls(**{**fields_read, "fractions": dict(values["fractions"])})


@dataclass(frozen=True)
class Assigned:
    """Splits of a content, and what is odd about its groups.

    images: (image_key, split, group_key, origin, contradicts), one row an image; `contradicts`: never published, and
    uploaded for another split than it gets. joined_groups: the group keys that byte-identical images join to another,
    sorted. ungrouped: the number of images that lack the attribute to group by.
    """

    images: DataFrame
    joined_groups: tuple[str, ...]
    ungrouped: int


def assign(images: DataFrame, history: DataFrame, annotations: Callable[[], DataFrame], recipe: Recipe) -> Assigned:
    """The split of every image.

    images: image_key, content_hash, split (uploaded), attributes; history: image_key, split, added_in, all split rows
    ever published for this recipe; annotations: image_key, category, asked for only to stratify. UsageError when no
    image has the attribute to group by.
    """
    groups = grouped(images.select("image_key", "content_hash", "split", "attributes"), recipe.group_by)
    published = history.groupBy("image_key").agg(F.max_by("split", "added_in").alias("_kept"))
    uploaded = F.col("split") if recipe.uploaded else F.lit(None).cast("string")
    frame = groups.images.join(published, "image_key", "left").withColumn("_asked", uploaded)
    decided = _decided(frame.withColumn("_wish", _wish()))
    placed = _stratified(decided, annotations(), recipe) if recipe.stratify else _hashed(decided, recipe)
    return Assigned(_chosen_splits(placed), groups.joined, groups.missing)


def _wish() -> Column:
    """What an image brings itself: (rank, split), or null when its group is placed."""
    return F.when(F.col("_kept").isNotNull(), F.struct(F.lit(_KEPT).alias("rank"), F.col("_kept").alias("split"))).when(
        F.col("_asked").isNotNull(), F.struct(F.lit(_UPLOADED).alias("rank"), F.col("_asked").alias("split"))
    )


def _decided(frame: DataFrame) -> DataFrame:
    """`_best`: rank, image key and split of the wish that decides for the whole group; null for a new group."""
    wish = F.when(F.col("_wish").isNotNull(), F.struct("_wish.rank", "image_key", "_wish.split"))
    return frame.withColumn("_best", F.min(wish).over(Window.partitionBy("_root")))


def _hashed(frame: DataFrame, recipe: Recipe) -> DataFrame:
    """`_placed`: the first split whose cumulated share is above the group's hash, else the last."""
    names, shares = list(recipe.fractions), list(recipe.fractions.values())
    u = F.conv(_digits(recipe.seed), 16, 10).cast("double") / F.lit(float(1 << _BITS))
    placed = F.lit(names[-1])
    for place in range(len(names) - 2, -1, -1):
        placed = F.when(u < math.fsum(shares[: place + 1]), F.lit(names[place])).otherwise(placed)
    return frame.withColumn("_placed", placed)


def _digits(seed: int) -> Column:
    """The hash of a group as hexadecimal digits, of which text and number have one order."""
    return F.substring(F.sha2(F.concat(F.lit(f"{seed}:"), F.col("_root")), 256), 1, _BITS // 4)


def _stratified(frame: DataFrame, annotations: DataFrame, recipe: Recipe) -> DataFrame:
    """`_placed`: the split that is short of the group's class; null where the group has a split."""
    rows = checkpointed(frame)
    groups = rows.groupBy("_root").agg(F.max("_best.split").alias("_decided")).withColumn("_u", _digits(recipe.seed))
    placed = stratified(groups, rows.select("_root", "image_key"), annotations, recipe.fractions)
    return rows.join(placed, "_root", "left")


def _chosen_splits(frame: DataFrame) -> DataFrame:
    chosen = frame.withColumn("_split", F.coalesce("_best.split", "_placed"))
    rank = F.coalesce("_best.rank", F.lit(_PLACED))
    moved = F.col("_wish").isNotNull() & (F.col("_wish.split") != F.col("_split"))
    origin = F.when(moved, "moved").when(rank == _KEPT, "kept").when(rank == _UPLOADED, "uploaded").otherwise("hashed")
    contradicts = F.col("_kept").isNull() & F.col("_asked").isNotNull() & (F.col("_asked") != F.col("_split"))
    return chosen.select(
        "image_key",
        F.col("_split").alias("split"),
        "group_key",
        origin.alias("origin"),
        contradicts.alias("contradicts"),
    )
