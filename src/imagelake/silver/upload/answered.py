"""What an upload answers of what was refused before: rejections its receipt names, boxes that stood for outlines."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.core import receipt
from imagelake.runs.context import Context
from imagelake.silver.image_frames import same
from imagelake.silver.rows.units import UNIT
from imagelake.silver.upload.silver_upload import locations_of
from imagelake.storage.blobs.location import read_location
from imagelake.tables.frames import checkpointed

_OUTLINES = ("polygon", "rle")
_BOX = "box"


@dataclass(frozen=True)
class StandIns:
    """Boxes of the draft that stood for an outline which has come in since: annotation_key; `images` are those that
    have no other box left (image_key)."""

    boxes: DataFrame
    images: DataFrame


def read_receipt(ctx: Context, dataset: str, files: DataFrame) -> receipt.Receipt | None:
    """The receipt among the files of an upload; None when there is none. files: `files_of` the upload."""
    rows = files.where((F.col("path") == receipt.NAME) & F.col("problem_rule").isNull()).collect()
    if not rows or not rows[0]["content_hash"] or rows[0]["length"] > receipt.MAX_BYTES:
        return None
    (place,) = locations_of(ctx, dataset, [rows[0]["content_hash"]]).values()
    return receipt.from_bytes(read_location(ctx.storage, place))


def answered(ctx: Context, slip: receipt.Receipt | None) -> DataFrame | None:
    """rejection_id of what the receipt names; None without one."""
    if slip is None or not slip.rejections:
        return None
    ids = [(rejection,) for rejection in dict.fromkeys(slip.rejections)]
    return checkpointed(ctx.spark.createDataFrame(ids, "rejection_id string"))


def stand_ins(
    before: DataFrame, accepted: DataFrame, uploaded_units: DataFrame, lineage: tuple[int, ...]
) -> StandIns | None:
    """The boxes of uploads of the lineage whose annotation comes with its outline now; None when there are none.

    An annotation with a bad outline and a good box is a box in the draft. When the same upload is read anew, and the
    outline is good, it would stay beside it. Boxes of units that are brought are replaced anyway; where another upload
    has put boxes on the image, it has looked at all of them, and they stay.
    before: the draft's annotations; accepted: the upload's; uploaded_units: its units.
    """
    columns = ("image_key", "source_document", "category", "source_id", "bbox")
    outlines = accepted.where(F.col("kind").isin(*_OUTLINES)).select(*(F.col(c).alias(f"_{c}") for c in columns))
    boxes = before.where(F.col("kind") == _BOX).join(uploaded_units, [*UNIT], "left_anti")
    is_own = F.col("delivery").isin(*lineage)
    own = boxes.where(is_own).join(boxes.where(~is_own).select("image_key"), "image_key", "left_anti")
    equal = [F.col(c) == F.col(f"_{c}") for c in ("image_key", "source_document", "category")]
    by_id = F.col("source_id") == F.col("_source_id")
    by_box = F.col("source_id").isNull() & F.col("_source_id").isNull() & same(F.col("bbox"), F.col("_bbox"))
    replaced_boxes = checkpointed(
        own.join(outlines, [*equal, by_id | by_box], "left_semi").select("annotation_key", "image_key")
    )
    if replaced_boxes.isEmpty():
        return None
    left = boxes.join(replaced_boxes.select("annotation_key"), "annotation_key", "left_anti").select("image_key")
    images = replaced_boxes.select("image_key").distinct().join(left, "image_key", "left_anti")
    return StandIns(replaced_boxes.select("annotation_key"), checkpointed(images))
