"""What a delivery did, counted: nothing may be read without being accounted for."""

from __future__ import annotations

import json
from collections import Counter
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
    """The account of an applied delivery, from one Spark job; AssertionError when it does not add up."""
    found = _count(_questions(applied))
    n = Counter({(label, value): count for label, value, count in found})
    images = Counts(
        accepted=n["image", "changed"],
        unchanged=n["image", "same"],
        rejected=n["image_rejected", ""] + n["image_missing", ""] + n["issue", "image"],
        removed=n["image_removed", ""],
    )
    annotations = Counts(
        accepted=n["annotation", "changed"],
        unchanged=n["annotation", "same"],
        rejected=n["annotation_rejected", ""] + n["issue", "annotation"],
        removed=n["annotation_removed", ""],
    )
    files = _files(delivery, n, images)
    result = Account(
        files,
        _summed(images),
        _summed(annotations),
        n["rejection", ""],
        {value: count for label, value, count in found if label == "flag"},
        tuple(sorted(value for label, value, _ in found if label == "supersedes")),
        tuple(sorted(value for label, value, _ in found if label == "confirms")),
    )
    result.files.check("files")
    return result


def removed(delivery: Delivery, before: Draft, after: Draft) -> Account:
    """The account of a removal: nothing is read, images and annotations go."""
    found = _count(
        _gone("image", before.images, after.images, "image_key")
        + _gone("annotation", before.annotations, after.annotations, "annotation_key")
    )
    n = Counter({(label, value): count for label, value, count in found})
    return Account(
        Counts(read=1, accepted=1),
        Counts(removed=n["image_removed", ""]),
        Counts(removed=n["annotation_removed", ""]),
        0,
        {},
        tuple(sorted(value for label, value, _ in found if label == "supersedes")),
        (),
    )


def _summed(counts: Counts) -> Counts:
    read = counts.accepted + counts.unchanged + counts.rejected + counts.ignored
    return Counts(**{**asdict(counts), "read": read})


def _files(delivery: Delivery, n: Counter[tuple[str, str]], images: Counts) -> Counts:
    """Files fare as their images do; a document that cannot be read is rejected, any other file accepted."""
    landed = delivery.row["files"]
    rejected = n["image_rejected", ""] + n["document_rejected", ""]
    counted = landed["read"] - landed["ignored"]
    return Counts(
        read=landed["read"],
        accepted=counted - images.unchanged - rejected,
        unchanged=images.unchanged,
        rejected=rejected,
        ignored=landed["ignored"],
    )


def _questions(a: Applied) -> list[DataFrame]:
    now = F.col("_scope") == "now"
    state = F.when(F.col("_same"), "same").otherwise("changed")
    missing = a.resolved.where(now & (F.col("status") != "found") & (F.size("kinds") > 0))
    issues = a.records.where(now & (F.col("type") == "issue"))
    fresh_images, fresh = a.images.accepted.where(~F.col("_same")), a.annotations.accepted.where(~F.col("_same"))
    return [
        _grouped("image", a.images.accepted.where("_from_upload"), state),
        _grouped("image_rejected", a.images.rejected, F.lit("")),
        _grouped("image_missing", missing.select("document", "ref").distinct(), F.lit("")),
        _grouped("issue", issues, F.col("entity")),
        _grouped("document_rejected", issues.where("entity = 'file'").select("document").distinct(), F.lit("")),
        _grouped("annotation", a.annotations.accepted, state),
        _grouped("annotation_rejected", a.annotations.rejected.where(now), F.lit("")),
        _grouped("flag", fresh_images.select(F.explode("flags").alias("flag")), F.col("flag")),
        _grouped("flag", fresh.select(F.explode("flags").alias("flag")), F.col("flag")),
        _grouped("rejection", a.rejections, F.lit("")),
        *_gone("image", a.before.images, a.after.images, "image_key"),
        *_gone("annotation", a.before.annotations, a.after.annotations, "annotation_key"),
        *_overwritten(a),
    ]


def _gone(entity: str, before: DataFrame, after: DataFrame, key: str) -> list[DataFrame]:
    gone = before.join(after.select(key), key, "left_anti")
    return [_grouped(f"{entity}_removed", gone, F.lit("")), _grouped("supersedes", gone, F.col("upload_id"))]


def _overwritten(a: Applied) -> list[DataFrame]:
    """Rows the draft had: changed ones (an image that is only labelled for more is not), and confirmed ones."""
    images = a.before.images.select("image_key", F.col("upload_id").alias("_by"), "attributes")
    now = a.images.accepted.select("image_key", "_same", "_same_bytes", F.col("attributes").alias("_now"))
    pairs = images.join(now, "image_key")
    changed = ~F.col("_same_bytes") | ~F.col("attributes").eqNullSafe(F.col("_now"))
    labels = a.before.annotations.select("annotation_key", F.col("upload_id").alias("_by")).join(
        a.annotations.accepted.select("annotation_key", "_same"), "annotation_key"
    )
    return [
        _grouped("supersedes", pairs.where(changed), F.col("_by")),
        _grouped("supersedes", labels.where(~F.col("_same")), F.col("_by")),
        _grouped("confirms", pairs.where("_same"), F.col("_by")),
        _grouped("confirms", labels.where("_same"), F.col("_by")),
    ]


def _grouped(label: str, frame: DataFrame, value: Column) -> DataFrame:
    return (
        frame.groupBy(value.alias("value"))
        .agg(F.count("*").alias("n"))
        .select(F.lit(label).alias("label"), "value", "n")
    )


def _count(questions: list[DataFrame]) -> list[tuple[str, str, int]]:
    """All answers from one job; equal labels and values are summed."""
    union = questions[0]
    for question in questions[1:]:
        union = union.unionByName(question)
    total: Counter[tuple[str, str]] = Counter()
    for row in union.collect():
        total[row["label"], row["value"] or ""] += row["n"]
    return [(label, value, count) for (label, value), count in total.items()]
