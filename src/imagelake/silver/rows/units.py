"""Units of replacement: one image and one kind. An upload that brings a unit replaces exactly its annotations."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.silver.rows.match_images import FOUND
from imagelake.silver.upload.space import MISMATCH

UNIT = ("image_key", "kind")


def listed_units(matched: DataFrame, accepted: DataFrame) -> DataFrame:
    """What documents label: by the records that found their image in the right size. accepted: image_key."""
    fitting = matched.where((F.col("status") == FOUND) & (F.col("space") != MISMATCH))
    units = fitting.select("image_key", F.explode("kinds").alias("kind")).distinct()
    return units.join(accepted.select("image_key"), "image_key", "left_semi")


def refused_units(rejected: DataFrame, issues: DataFrame, matched: DataFrame) -> DataFrame:
    """Units some of whose labels were refused. rejected: judged annotations; issues: rows the readers refused."""
    images = matched.where(F.col("status") == FOUND).select("doc", "ref", F.col("image_key").alias("_key"))
    of_issues = issues.where("entity = 'annotation' AND kind IS NOT NULL").join(
        images.dropDuplicates(["doc", "ref"]), ["doc", "ref"]
    )
    units = rejected.where("image_key IS NOT NULL").select(*UNIT)
    return units.unionByName(of_issues.select(F.col("_key").alias("image_key"), "kind")).distinct()


def uploaded_units(listed: DataFrame, accepted: DataFrame, refused: DataFrame) -> DataFrame:
    """The units an upload contains, without units whose labels were all refused."""
    some = accepted.select(*UNIT).distinct()
    return listed.unionByName(some).distinct().join(refused.join(some, [*UNIT], "left_anti"), [*UNIT], "left_anti")


def changed_units(uploaded: DataFrame, before: DataFrame, accepted: DataFrame, images: DataFrame) -> DataFrame:
    """The brought units in which something differs from the draft. before: the draft's annotations; accepted: the
    upload's; images: the upload's accepted images with `_old_labelled`."""
    new = accepted.where(~F.col("_same")).select(*UNIT)
    dropped = before.select("annotation_key", *UNIT).join(
        accepted.select("annotation_key"), "annotation_key", "left_anti"
    )
    kinds = images.select("image_key", F.coalesce("_old_labelled", F.array().cast("array<string>")).alias("_kinds"))
    first = uploaded.join(kinds, "image_key").where(~F.array_contains("_kinds", F.col("kind"))).select(*UNIT)
    candidates = new.unionByName(dropped.select(*UNIT)).unionByName(first).distinct()
    return candidates.join(uploaded, [*UNIT], "left_semi")
