"""Images that must lie in one split: byte-identical ones always, and those that share an attribute on request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.errors import UsageError

_NAMED_ATTRIBUTES = 10


@dataclass(frozen=True)
class Groups:
    """Images with `group_key` (the attribute's value, else the content hash) and `_root`, equal within a group.

    `joined`: the group keys that byte-identical images join to another, sorted; `missing`: the number of images that
    lack the attribute.
    """

    images: DataFrame
    joined: tuple[str, ...] = ()
    missing: int = 0


def grouped(images: DataFrame, group_by: str | None) -> Groups:
    """The groups of images; `images` has image_key, content_hash and attributes (a JSON object).

    Numbers and booleans group by their JSON text. UsageError when images exist and none has the attribute.
    """
    if group_by is None:
        return Groups(images.withColumns({"group_key": F.col("content_hash"), "_root": F.col("content_hash")}))
    named = images.withColumn("group_key", F.coalesce(_attributes()[group_by], "content_hash"))
    missing, roots = _missing(images, group_by), join_groups(_shared(named))
    if not roots:
        return Groups(named.withColumn("_root", F.col("group_key")), (), missing)
    mapping = images.sparkSession.createDataFrame(sorted(roots.items()), "group_key string, _joined string")
    root = F.coalesce("_joined", "group_key")
    joined = named.join(F.broadcast(mapping), "group_key", "left").withColumn("_root", root)
    return Groups(joined.drop("_joined"), tuple(sorted(roots)), missing)


def _attributes() -> Column:
    """A map, so that a name may hold quotes and dots, which a JSON path cannot name."""
    return F.from_json("attributes", "map<string,string>")


def _missing(images: DataFrame, group_by: str) -> int:
    counts = images.agg(F.count("*").alias("images"), F.count(_attributes()[group_by]).alias("named")).collect()[0]
    if counts["images"] and not counts["named"]:
        raise UsageError(f"--group-by {group_by}: no image to publish has this attribute", hint=_existing(images))
    return int(counts["images"] - counts["named"])


def _existing(images: DataFrame) -> str:
    """A sentence that names the attributes of images, up to ten."""
    pairs = images.select(F.explode(_attributes()).alias("name", "value"))
    rows = pairs.where("value IS NOT NULL").select("name").distinct().orderBy("name").limit(_NAMED_ATTRIBUTES + 1)
    names = [row["name"] for row in rows.collect()]
    if not names:
        return "no image has any attribute; deliver attributes with the images, or leave --group-by out"
    return f"attributes of the images: {', '.join(names[:_NAMED_ATTRIBUTES])}{', …' * (len(names) > _NAMED_ATTRIBUTES)}"


def _shared(named: DataFrame) -> list[list[str]]:
    """Group keys that share bytes; only such sets come to the driver, and they are few."""
    keys = named.groupBy("content_hash").agg(F.collect_set("group_key").alias("keys")).where(F.size("keys") > 1)
    return [row["keys"] for row in keys.select("keys").distinct().collect()]


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
