"""Images that must lie in one split: byte-identical ones always, and those that share an attribute on request."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def with_groups(images: DataFrame, group_by: str | None) -> DataFrame:
    """Adds `group_key` (the attribute's value, else the content hash) and `_root`, equal within a group.

    Groups that share bytes are one: only such pairs come to the driver, and they are few.
    """
    if group_by is None:
        return images.withColumn("group_key", F.col("content_hash")).withColumn("_root", F.col("content_hash"))
    value = F.get_json_object("attributes", "$['" + group_by.replace("'", "\\'") + "']")
    named = images.withColumn("group_key", F.coalesce(value, "content_hash"))
    shared = named.groupBy("content_hash").agg(F.collect_set("group_key").alias("groups")).where(F.size("groups") > 1)
    roots = join_groups(row["groups"] for row in shared.select("groups").collect())
    if not roots:
        return named.withColumn("_root", F.col("group_key"))
    schema = "group_key string, _joined string"
    mapping = images.sparkSession.createDataFrame(sorted(roots.items()), schema)
    return named.join(F.broadcast(mapping), "group_key", "left").withColumn("_root", F.coalesce("_joined", "group_key"))


def join_groups(sets: Iterable[Iterable[str]]) -> dict[str, str]:
    """The smallest member reachable from each name, when members of one set belong together (union-find)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for names in sets:
        ordered = sorted(names)
        for other in ordered[1:]:
            a, b = sorted((root(ordered[0]), root(other)))
            parent[b] = a
    return {name: root(name) for name in parent}
