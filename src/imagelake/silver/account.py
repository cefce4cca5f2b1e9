"""What a delivery did, counted: nothing may be read without being accounted for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.context import Counts
from imagelake.silver.delivery import Delivery
from imagelake.silver.fold import Applied, Draft


@dataclass(frozen=True)
class Account:
    """Counts by entity, warnings by rule, and which uploads' rows were changed or confirmed."""

    files: Counts
    images: Counts
    annotations: Counts
    rejections: int
    warnings: dict[str, int]
    supersedes: tuple[str, ...]
    confirms: tuple[str, ...]

    def columns(self) -> dict[str, Any]:
        """The account as columns of bronze.uploads."""
        return {
            "files": asdict(self.files),
            "images": asdict(self.images),
            "annotations": asdict(self.annotations),
            "rejections": self.rejections,
            "warnings": json.dumps(self.warnings, sort_keys=True),
            "supersedes": list(self.supersedes),
            "confirms": list(self.confirms),
        }


def account(delivery: Delivery, applied: Applied) -> Account:
    """The account of an applied delivery; AssertionError when it does not add up."""
    a, now = applied, F.col("_scope") == "now"
    fresh, kept = ~F.col("_same"), F.col("_same")
    own = F.col("_from_upload")
    n_images = _tally(a.images.accepted, changed=own & fresh, same=own & kept)
    n_annotations = _tally(a.annotations.accepted, changed=fresh, same=kept)
    missing = a.resolved.where(now & (F.col("status") != "found") & (F.size("kinds") > 0))
    is_issue = now & (F.col("type") == "issue")
    issues = _tally(
        a.records,
        image=is_issue & (F.col("entity") == "image"),
        annotation=is_issue & (F.col("entity") == "annotation"),
    )
    images = Counts(
        accepted=n_images["changed"],
        unchanged=n_images["same"],
        rejected=a.images.rejected.count() + missing.select("document", "ref").distinct().count() + issues["image"],
        removed=_gone(a.before.images, a.after.images, "image_key").count(),
    )
    annotations = Counts(
        accepted=n_annotations["changed"],
        unchanged=n_annotations["same"],
        rejected=a.annotations.rejected.where(now).count() + issues["annotation"],
        removed=_gone(a.before.annotations, a.after.annotations, "annotation_key").count(),
    )
    broken = a.records.where(is_issue & (F.col("entity") == "file")).select("document").distinct().count()
    supersedes, confirms = _overwritten(a)
    files = _files(delivery, images, a.images.rejected.count() + broken)
    files.check("files")
    return Account(
        files, _summed(images), _summed(annotations), a.rejections.count(), _warnings(a), supersedes, confirms
    )


def removed(before: Draft, after: Draft) -> Account:
    """The account of a removal: nothing is read, images and annotations go."""
    images = _gone(before.images, after.images, "image_key")
    annotations = _gone(before.annotations, after.annotations, "annotation_key")
    by = images.select("upload_id").unionByName(annotations.select("upload_id")).distinct().collect()
    return Account(
        Counts(read=1, accepted=1),
        Counts(removed=images.count()),
        Counts(removed=annotations.count()),
        0,
        {},
        tuple(sorted(row["upload_id"] for row in by)),
        (),
    )


def _summed(counts: Counts) -> Counts:
    read = counts.accepted + counts.unchanged + counts.rejected + counts.ignored
    return Counts(**{**asdict(counts), "read": read})


def _files(delivery: Delivery, images: Counts, rejected: int) -> Counts:
    """Files fare as their images do; a document that cannot be read is rejected, any other file accepted."""
    landed = delivery.row["files"]
    return Counts(
        read=landed["read"],
        accepted=landed["read"] - landed["ignored"] - images.unchanged - rejected,
        unchanged=images.unchanged,
        rejected=rejected,
        ignored=landed["ignored"],
    )


def _tally(frame: DataFrame, **conditions: Column) -> dict[str, int]:
    """How many rows meet each condition."""
    row = frame.agg(*(F.count_if(condition).alias(name) for name, condition in conditions.items())).collect()[0]
    return {name: int(row[name]) for name in conditions}


def _gone(before: DataFrame, after: DataFrame, key: str) -> DataFrame:
    return before.join(after.select(key), key, "left_anti")


def _warnings(a: Applied) -> dict[str, int]:
    """Warnings on rows this delivery changed."""
    flags = [
        f.where(~F.col("_same")).select(F.explode("flags").alias("flag"))
        for f in (a.images.accepted, a.annotations.accepted)
    ]
    rows = flags[0].unionByName(flags[1]).groupBy("flag").count().collect()
    return {row["flag"]: row["count"] for row in rows}


def _overwritten(a: Applied) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The uploads whose rows were changed or dropped, and those whose rows came once more.

    An image that is only labelled for more kinds does not count as changed.
    """
    images = a.before.images.select("image_key", F.col("upload_id").alias("by"), F.col("attributes").alias("_was"))
    pairs = images.join(
        a.images.accepted.select("image_key", "_same", "_same_bytes", "attributes"), "image_key", "left"
    )
    kept = a.after.images.select("image_key").withColumn("_kept", F.lit(True))
    pairs = pairs.join(kept, "image_key", "left")
    changed = F.col("_kept").isNull() | ~F.col("_same_bytes") | ~F.col("attributes").eqNullSafe(F.col("_was"))
    labels = a.before.annotations.select("annotation_key", F.col("upload_id").alias("by"))
    labels = labels.join(a.annotations.accepted.select("annotation_key", "_same"), "annotation_key", "left")
    stay = a.after.annotations.select("annotation_key").withColumn("_kept", F.lit(True))
    labels = labels.join(stay, "annotation_key", "left")
    moved = F.col("_kept").isNull() | ~F.col("_same")
    found = (
        pairs.select(
            "by",
            F.coalesce(F.col("_kept").isNull() | (F.col("_same").isNotNull() & changed), F.lit(False)).alias("old"),
            F.coalesce("_same", F.lit(False)).alias("kept"),
        )
        .unionByName(
            labels.select(
                "by",
                F.coalesce(F.col("_kept").isNull() | (F.col("_same").isNotNull() & moved), F.lit(False)).alias("old"),
                F.coalesce("_same", F.lit(False)).alias("kept"),
            )
        )
        .groupBy("by")
        .agg(F.max("old").alias("old"), F.max("kept").alias("kept"))
        .collect()
    )
    return (
        tuple(sorted(row["by"] for row in found if row["old"])),
        tuple(sorted(row["by"] for row in found if row["kept"])),
    )
