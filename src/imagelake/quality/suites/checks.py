"""What is wrong with one stored row of silver: columns that are null for a good row and a message for a bad one.

Row rules come as they are, with the very column that judged the row when it was built: `BY_RULE` names those that can
be judged on what silver stores. (Rules on the box as delivered cannot: silver has it cut to the image.) The others say
what the tables promise each other, and need the columns that `frames` joins: `width` and `height` of an annotation's
image, `_image` and `_category`, which are null when there is no such row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from imagelake.quality.catalogue import Rule
from imagelake.quality.rules import ANNOTATION_RULES, IMAGE_RULES
from imagelake.tables import silver

BY_RULE = {
    silver.IMAGES.name: ("image.small", "image.suffix", "image.mode", "image.rotated"),
    silver.ANNOTATIONS.name: (
        "annotation.bbox_missing",
        "annotation.polygon_out_of_bounds",
        "annotation.box_degenerate",
        "annotation.box_out_of_bounds",
        "annotation.box_outside",
        "annotation.rle_size",
    ),
}
"""Ids of the row rules that a stored row can be judged by, by table."""

KINDS = ("box", "polygon", "rle", "class", "keypoints", "caption", "mask", "panoptic")
BOX_SPACES = ("raw", "oriented", "same", "assumed")
ENTITIES = ("file", "image", "annotation", "category")
CUT_OFF = 1e-6
"""Share of a pixel that cutting a box to its image may be off by."""


@dataclass(frozen=True)
class RowCheck:
    """A column of messages: its name, what a message means, where it comes from, and how it is computed."""

    column: str
    meaning: str
    origin: str
    message: Callable[[], Column]


def rule_checks(table: str) -> tuple[RowCheck, ...]:
    """A check for each row rule that rows of the table can be judged by."""
    by_id = {rule.id: rule for rule in (*IMAGE_RULES, *ANNOTATION_RULES)}
    return tuple(_of_rule(by_id[rule_id]) for rule_id in BY_RULE.get(table, ()))


def _of_rule(rule: Rule) -> RowCheck:
    assert rule.message is not None, f"{rule.id} judges no row"
    return RowCheck(f"breaks_{rule.id.replace('.', '_')}", rule.doc, rule.id, rule.message)


def _numbers() -> Column:
    """The first of an annotation's numbers that is NaN or infinite."""
    sides = [(f"bbox.{side}", F.col(f"bbox.{side}")) for side in "xywh"]
    whole = [F.when(_odd(value), F.concat(F.lit(f"{name} is "), value.cast("string"))) for name, value in sides]
    area = F.when(_odd(F.col("area")), F.concat(F.lit("area is "), F.col("area").cast("string")))
    outline = F.when(F.exists("polygons", lambda part: F.exists(part, _odd)), "a polygon coordinate is not finite")
    points = F.when(F.exists("keypoints", _odd), "a keypoint is not finite")
    return F.coalesce(*whole, area, outline, points)


def _odd(value: Column) -> Column:
    return F.isnan(value) | value.isin(float("inf"), float("-inf"))


def _outside() -> Column:
    x, y, w, h = (F.col(f"bbox.{side}") for side in "xywh")
    over = (x + w - F.col("width") > CUT_OFF) | (y + h - F.col("height") > CUT_OFF)
    text = F.format_string(
        "box x=%s y=%s w=%s h=%s reaches outside %s x %s", "bbox.x", "bbox.y", "bbox.w", "bbox.h", "width", "height"
    )
    return F.when((x < 0) | (y < 0) | over, text)


def _unlabelled() -> Column:
    text = F.concat(F.lit("its image is not labelled for "), F.col("kind"))
    return F.when(~F.array_contains("_labelled", F.col("kind")), text)


def _unknown_kinds() -> Column:
    other = reduce(lambda kinds, kind: F.array_remove(kinds, kind), KINDS, F.col("labelled"))
    return F.when(F.size(other) > 0, F.concat(F.lit("labelled for "), F.array_join(other, ", ")))


RELATIONS: dict[str, tuple[RowCheck, ...]] = {
    silver.IMAGES.name: (
        RowCheck("breaks_labelled", "an image is labelled for a kind that does not exist", "silver", _unknown_kinds),
    ),
    silver.ANNOTATIONS.name: (
        RowCheck(
            "breaks_image",
            "an annotation is on an image that the draft does not have",
            "silver.images",
            lambda: F.when(F.col("_image").isNull(), F.concat(F.lit("no image "), F.col("image_key"))),
        ),
        RowCheck(
            "breaks_category",
            "an annotation has a category that the draft does not have",
            "silver.categories",
            lambda: F.when(
                F.col("category").isNotNull() & F.col("_category").isNull(),
                F.concat(F.lit("no category "), F.col("category")),
            ),
        ),
        RowCheck(
            "breaks_labelled", "an annotation is on an image not labelled for its kind", "silver.images", _unlabelled
        ),
        RowCheck("breaks_numbers", "a number of an annotation is NaN or infinite", "silver.annotations", _numbers),
        RowCheck("breaks_box", "a box reaches outside its image", "silver.images", _outside),
    ),
    silver.REJECTIONS.name: (
        RowCheck(
            "breaks_times",
            "a rejection was closed before it was opened",
            "silver.rejections",
            lambda: F.when(F.col("closed_at") < F.col("opened_at"), F.col("closed_at").cast("string")),
        ),
    ),
}
"""What tables promise each other, by table."""


def checks(table: str) -> tuple[RowCheck, ...]:
    """Every check of a table's rows: rules first."""
    return (*rule_checks(table), *RELATIONS.get(table, ()))
