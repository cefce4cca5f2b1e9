"""An upload that came before: whether it still says something new, and whether newer uploads changed what it brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.quality.catalogue import WAITING
from imagelake.runs.context import Context
from imagelake.silver.apply_upload import AppliedUpload
from imagelake.silver.rows.units import UNIT
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.tables import silver
from imagelake.tables.upload_rows import DONE, covers

_LISTED = 5
_IN_THE_WAY = ("image.key_taken", "image.unlisted")
"""Rules that refuse an image which is good in itself."""

_REFUSAL = ("upload_id", "path", "rule")

Row = Mapping[str, Any]


def earlier(rows: Sequence[Row], upload: LandedUpload) -> Row | None:
    """The newest upload before this one with the same content, whose mode covers its own, that the draft has taken."""
    for row in reversed(rows):
        same = row["upload_id"] == upload.upload_id and row["requested_format"] == upload.row["requested_format"]
        before = same and row["state"] in DONE and row["sequence"] < upload.sequence
        # --again makes an update of what came as append
        covered = covers(row["mode"], upload.mode) or (upload.again and covers(upload.mode, row["mode"]))
        if before and covered:
            return row
    return None


def superseding(
    ctx: Context, rows: Sequence[Row], before: Row, applied: AppliedUpload, changed: tuple[DataFrame, DataFrame]
) -> list[Row]:
    """The uploads after `before` that changed units or bytes it brings, oldest first.

    Those say so themselves that changed a row it brought; those whose rows would have to go if it were applied once
    more, or stand in its way; and those that took images away it would bring back. changed: the rows of silver.images
    and silver.annotations that would differ.
    """
    later = [row for row in rows if row["sequence"] > before["sequence"] and row["state"] == "built"]
    if not later:
        return []
    own = {before["upload_id"], *(before["confirms"] or ())}
    marked = _deliveries(applied, changed)
    sweeping = {row["sequence"] for row in later if row["mode"] in ("remove", "replace") and row["images"]["removed"]}
    if sweeping and _brings_back(ctx, before, applied):
        marked |= sweeping
    return [row for row in later if own & set(row["supersedes"] or ()) or row["sequence"] in marked]


def message(newer: Sequence[Row]) -> str:
    """The sentence that names them."""
    names = ", ".join(f"{row['upload_id'][:12]} ({row['source']})" for row in newer[-_LISTED:])
    return f"newer uploads have changed what it brought: {names}; --again applies it once more"


def _deliveries(applied: AppliedUpload, changed: tuple[DataFrame, DataFrame]) -> set[int]:
    """The sequences of the draft's rows in its way."""
    images, annotations = changed
    refused = _refused_anew(applied)
    # a defect that newer labels have mended does not come back with an old upload
    labels = refused.where(F.col("kind").isNotNull() & ~F.col("rule").isin(*WAITING))
    units = annotations.select(*UNIT).unionByName(labels.select(*UNIT)).distinct()
    rows = _in_units(applied, units).unionByName(_of_other_bytes(applied, images, refused))
    return {int(row["delivery"]) for row in rows.distinct().collect()}


def _refused_anew(applied: AppliedUpload) -> DataFrame:
    """The upload's own rejections of images and labels that are not open already."""
    open_before = applied.before.rejections.where("closed_at IS NULL")
    own = F.col("image_key").isNotNull() & (F.col("delivery") == applied.sequence)
    return applied.rejections.join(open_before, "rejection_id", "left_anti").where(own)


def _in_units(applied: AppliedUpload, units: DataFrame) -> DataFrame:
    """`delivery` of the draft's labels in these units, and of images that say that one of them is empty."""
    before = applied.before
    labels = before.annotations.join(units, [*UNIT], "left_semi")
    empty = units.join(before.annotations, [*UNIT], "left_anti")
    images = before.images.join(empty, "image_key").where(F.array_contains("labelled", F.col("kind")))
    return labels.select("delivery").unionByName(images.select("delivery"))


def _of_other_bytes(applied: AppliedUpload, images: DataFrame, refused: DataFrame) -> DataFrame:
    """`delivery` of the draft's images that have other bytes than these, or than files refused for what is there."""
    in_the_way = refused.where(F.col("rule").isin(*_IN_THE_WAY)).select("image_key")
    refused_images = applied.rejected_images.join(in_the_way, "image_key", "left_semi")
    new_hash = F.col("content_hash").alias("_new_hash")
    new = images.select("image_key", new_hash).unionByName(refused_images.select("image_key", new_hash))
    there = applied.before.images.join(new, "image_key").where(F.col("content_hash") != F.col("_new_hash"))
    return there.select("delivery")


def _brings_back(ctx: Context, before: Row, applied: AppliedUpload) -> bool:
    """Whether images would enter the draft that this upload had in it: those that it was not refused then."""
    new = applied.images.where("_from_upload").join(applied.before.images, "image_key", "left_anti").select("path")
    stored = ctx.tables.read(silver.REJECTIONS, before["dataset"]).select(*_REFUSAL)
    refusals = stored.unionByName(applied.before.rejections.select(*_REFUSAL))
    then = refusals.where(F.col("rule").isin(*_IN_THE_WAY) & (F.col("upload_id") == before["upload_id"]))
    return not new.join(then, "path", "left_anti").isEmpty()
