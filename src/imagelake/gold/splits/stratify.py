"""Stratified placing: each new group goes to the split that has too few groups of its class.

The class of a group is the rarest one (by annotations in the content, then by name) among its annotations, '' without
any. Within a class new groups come in order of their hash; each goes to the split with the largest
share * (n + 1) - have, ties by order of shares: n groups of the class are placed so far, `have` of them in that split.
Kept and uploaded groups count as placed, so that images which come one by one fill every split.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.tables.frames import checkpointed

Placed = Mapping[str, Mapping[str, int]]
"""Class to split to number of groups."""


def stratified(groups: DataFrame, members: DataFrame, annotations: DataFrame, shares: Mapping[str, float]) -> DataFrame:
    """(_root, _placed) of the groups that have no split yet.

    groups: _root, _u (its hash), _decided (its split, null for a new group), one row a group; members: _root,
    image_key; annotations: image_key, category.
    """
    classed = checkpointed(groups.join(_classes(members, annotations), "_root", "left").fillna("", ["_class"]))
    placed: dict[str, dict[str, int]] = defaultdict(dict)
    for row in classed.where("_decided IS NOT NULL").groupBy("_class", "_decided").count().collect():
        placed[row["_class"]][row["_decided"]] = row["count"]
    new = classed.where("_decided IS NULL").repartition("_class").sortWithinPartitions("_class", "_u", "_root")
    return new.select("_class", "_root").mapInArrow(
        _placing(dict(shares), dict(placed)), "_root string, _placed string"
    )


def placer(shares: Mapping[str, float], placed: Placed) -> Callable[[str], str]:
    """A function that gives each new group its split by its class; to be called class after class, in order.

    `placed` counts the groups that have a split, also those in splits without a share.
    """
    current: str | None = None
    have: Counter[str] = Counter()

    def place(name: str) -> str:
        nonlocal current, have
        if name != current:
            current, have = name, Counter(placed.get(name, {}))
        following = have.total() + 1
        split = max(shares, key=lambda s: shares[s] * following - have[s])  # the first of equal ones
        have[split] += 1
        return split

    return place


def _classes(members: DataFrame, annotations: DataFrame) -> DataFrame:
    """(_root, _class) of the groups that have annotations."""
    counts = annotations.groupBy("category").agg(F.count("*").alias("_n"))
    return (
        annotations.select("image_key", "category")
        .join(counts, "category")
        .join(members, "image_key")
        .groupBy("_root")
        .agg(F.min(F.struct("_n", "category")).alias("_rarest"))
        .select("_root", F.col("_rarest.category").alias("_class"))
    )


def _placing(
    shares: Mapping[str, float], placed: Placed
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """One pass over a partition that holds its classes whole; in memory are a batch of rows and the counts."""
    schema = pa.schema([("_root", pa.string()), ("_placed", pa.string())])

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        place = placer(shares, placed)
        for batch in batches:
            splits = [place(name) for name in batch.column("_class").to_pylist()]
            yield pa.RecordBatch.from_arrays([batch.column("_root"), pa.array(splits, pa.string())], schema=schema)

    return run
