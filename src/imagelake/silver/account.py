"""What a delivery did, counted: nothing may be read without being accounted for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.context import Counts
from imagelake.silver.delivery import Delivery
from imagelake.silver.fold import Applied, Draft
from imagelake.silver.frames import text_array
from imagelake.tables.frames import tally

_FLAG, _CHANGED, _CAME = "flag ", "changed of ", "came of "
"""Labels of the one query that counts everything: they end in a rule or an upload id."""


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
    n = tally(
        _taken("image", applied.images.accepted, F.col("_from_upload")),
        _taken("annotation", applied.annotations.accepted, F.lit(True)),
        *_refused(applied),
        *_fates(applied),
    )
    images, annotations = _counts("image", n), _counts("annotation", n)
    files = _files(delivery, images, n.get("image file", 0) + n.get("document", 0))
    files.check("files")
    warnings = {label.removeprefix(_FLAG): count for label, count in n.items() if label.startswith(_FLAG)}
    return Account(
        files, images, annotations, n.get("rejection", 0), warnings, _uploads(_CHANGED, n), _uploads(_CAME, n)
    )


def removed(before: Draft, after: Draft) -> Account:
    """The account of a removal: nothing is read, images and annotations go."""
    pairs = (
        ("image", "image_key", before.images, after.images),
        ("annotation", "annotation_key", before.annotations, after.annotations),
    )
    gone = [(entity, old.join(new.select(key), key, "left_anti")) for entity, key, old, new in pairs]
    n = tally(
        *(_marked(rows, F.lit(f"{entity} removed"), F.concat(F.lit(_CHANGED), "upload_id")) for entity, rows in gone)
    )
    counts = Counts(read=1, accepted=1), _counts("image", n), _counts("annotation", n)
    return Account(*counts, 0, {}, _uploads(_CHANGED, n), ())


def _marked(frame: DataFrame, *labels: Column) -> DataFrame:
    """A row for each label that is not null."""
    return frame.select(F.explode(F.array_compact(F.array(*labels))))


def _counts(entity: str, n: Mapping[str, int]) -> Counts:
    found = {fate: n.get(f"{entity} {fate}", 0) for fate in ("accepted", "unchanged", "rejected", "removed")}
    return Counts(read=sum(found.values()) - found["removed"], **found)


def _uploads(fate: str, n: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(label.removeprefix(fate) for label in n if label.startswith(fate)))


def _taken(entity: str, accepted: DataFrame, counted: Column) -> DataFrame:
    """Accepted or unchanged, for rows that count; and the warnings on rows this delivery changed."""
    fate = F.when(counted, F.when(F.col("_same"), f"{entity} unchanged").otherwise(f"{entity} accepted"))
    flags = F.when(~F.col("_same"), F.transform("flags", lambda flag: F.concat(F.lit(_FLAG), flag)))
    return accepted.select(F.explode(F.array_compact(F.concat(F.array(fate), F.coalesce(flags, text_array())))))


def _refused(a: Applied) -> list[DataFrame]:
    now = F.col("_scope") == "now"
    issues = a.records.where(now & (F.col("type") == "issue"))
    missing = a.resolved.where(now & (F.col("status") != "found") & (F.size("kinds") > 0))
    return [
        _marked(a.images.rejected, F.lit("image rejected"), F.lit("image file")),
        _marked(missing.select("document", "ref").distinct(), F.lit("image rejected")),
        _marked(a.annotations.rejected.where(now), F.lit("annotation rejected")),
        _marked(issues.where(F.col("entity") != "file"), F.concat("entity", F.lit(" rejected"))),
        _marked(issues.where("entity = 'file'").select("document").distinct(), F.lit("document")),
        _marked(a.rejections, F.lit("rejection")),
    ]


def _fates(a: Applied) -> list[DataFrame]:
    """What became of the rows that were there: removed, changed, or come once more; and whose they were.

    An image that is only labelled for more kinds does not count as changed.
    """
    came = a.images.accepted.select("image_key", "_same", "_same_bytes", F.col("attributes").alias("_is"))
    relabelled = F.col("_same_bytes") & F.col("attributes").eqNullSafe(F.col("_is"))
    labels = a.annotations.accepted.select("annotation_key", "_same")
    return [
        _fate("image", a.before.images.join(came, "image_key", "left"), a.after.images, ~relabelled),
        _fate(
            "annotation",
            a.before.annotations.join(labels, "annotation_key", "left"),
            a.after.annotations,
            ~F.col("_same"),
        ),
    ]


def _fate(entity: str, before: DataFrame, after: DataFrame, changed: Column) -> DataFrame:
    key = f"{entity}_key"
    rows = before.join(after.select(key, F.lit(True).alias("_kept")), key, "left")
    gone = F.col("_kept").isNull()
    return _marked(
        rows,
        F.when(gone, f"{entity} removed"),
        F.when(gone | (F.col("_same").isNotNull() & changed), F.concat(F.lit(_CHANGED), "upload_id")),
        F.when(F.col("_same"), F.concat(F.lit(_CAME), "upload_id")),
    )


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
