"""Row rules: each a column that is null when the row is fine and a message when it is not.

Rules see pixels of the raw image: `width` and `height` are the image's, `bbox` is the box as delivered (turned
into raw pixels), NaN and infinity have been refused by the readers. The order is the order of evaluation: a row is
rejected with the first rejecting rule it breaks, and flagged with every warning one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

RULES_VERSION = 1

FAR = 10
"""Coordinates may lie outside the image by this many times its larger side before they are nonsense."""

MIN_SIDE = 10
"""Images with a shorter side are flagged: trainers of the YOLO family refuse them."""


@dataclass(frozen=True)
class RowRule:
    """A rule on a row: id, default severity (reject or warn), what it means, and its column."""

    id: str
    severity: str
    doc: str
    message: Callable[[], Column]


def _when(condition: Column, *parts: Column | str) -> Column:
    texts = [F.lit(p) if isinstance(p, str) else p.cast("string") for p in parts]
    return F.when(condition, F.concat(*texts))


def _far(coordinates: Column) -> Column:
    limit = FAR * F.greatest("width", "height")
    return F.exists(coordinates, lambda v: F.abs(v) > limit)


def _box_text() -> Column:
    return F.format_string("box x=%s y=%s w=%s h=%s", "bbox.x", "bbox.y", "bbox.w", "bbox.h")


def _size_text() -> Column:
    return F.format_string("%s x %s", "width", "height")


def _box_corners() -> Column:
    return F.array("bbox.x", "bbox.y", F.col("bbox.x") + F.col("bbox.w"), F.col("bbox.y") + F.col("bbox.h"))


def _overhang() -> Column:
    """By how many pixels the box leaves the image, on its worst side."""
    right = F.col("bbox.x") + F.col("bbox.w") - F.col("width")
    bottom = F.col("bbox.y") + F.col("bbox.h") - F.col("height")
    return F.greatest(-F.col("bbox.x"), -F.col("bbox.y"), right, bottom)


def _outside() -> Column:
    x, y, w, h = (F.col(f"bbox.{c}") for c in "xywh")
    return (x >= F.col("width")) | (y >= F.col("height")) | (x + w <= 0) | (y + h <= 0)


def _needs_box() -> Column:
    return F.col("kind").isin("box", "polygon", "rle") & F.col("bbox").isNull()


def _normalised() -> Column:
    inside = F.forall(_box_corners(), lambda v: (v >= 0) & (v <= 1))
    return ~F.col("unit") & inside & (F.least("width", "height") > MIN_SIDE)


def _mask_size_differs() -> Column:
    return F.col("rle_size").isNotNull() & (
        (F.col("rle_size")[0] != F.col("height")) | (F.col("rle_size")[1] != F.col("width"))
    )


ANNOTATION_RULES: tuple[RowRule, ...] = (
    RowRule(
        "annotation.bbox_missing",
        "reject",
        "a box, polygon or mask has no box and none could be derived",
        lambda: _when(_needs_box(), "no bbox; give [x, y, width, height] in pixels"),
    ),
    RowRule(
        "annotation.polygon_out_of_bounds",
        "reject",
        f"a polygon coordinate lies further than {FAR} image sides away",
        lambda: _when(
            F.exists("polygons", _far),
            F.lit(f"a polygon coordinate lies more than {FAR} image sides outside the image of "),
            _size_text(),
        ),
    ),
    RowRule(
        "annotation.box_degenerate",
        "reject",
        "a box side is zero or negative",
        lambda: _when(
            (F.col("bbox.w") <= 0) | (F.col("bbox.h") <= 0), _box_text(), ": width and height must be positive"
        ),
    ),
    RowRule(
        "annotation.box_out_of_bounds",
        "reject",
        f"a box corner lies further than {FAR} image sides away",
        lambda: _when(
            _far(_box_corners()), _box_text(), f" lies more than {FAR} image sides outside the image of ", _size_text()
        ),
    ),
    RowRule(
        "annotation.box_outside",
        "reject",
        "a box shares no pixel with its image",
        lambda: _when(_outside(), _box_text(), " lies outside the image of ", _size_text()),
    ),
    RowRule(
        "annotation.rle_size",
        "reject",
        "a mask has another size than its image",
        lambda: _when(
            _mask_size_differs(),
            F.format_string("mask of %s x %s pixels", F.col("rle_size")[1], F.col("rle_size")[0]),
            " on an image of ",
            _size_text(),
        ),
    ),
    RowRule(
        "annotation.box_clipped",
        "warn",
        "a box reached outside its image and was cut to it; the upload's own numbers stay in bronze",
        lambda: _when(_overhang() > 0, _box_text(), " reaches outside the image of ", _size_text()),
    ),
    RowRule(
        "annotation.box_tiny",
        "warn",
        "a box side is shorter than a pixel",
        lambda: _when((F.col("bbox.w") < 1) | (F.col("bbox.h") < 1), _box_text(), " is thinner than a pixel"),
    ),
    RowRule(
        "annotation.box_normalised",
        "warn",
        "all coordinates lie in 0..1 although they should be pixels",
        lambda: _when(_normalised(), _box_text(), " looks normalised; pixels are expected"),
    ),
    RowRule(
        "annotation.area_above_box",
        "warn",
        "the given area is larger than the box",
        lambda: _when(F.col("area") > F.col("bbox.w") * F.col("bbox.h") * 1.001 + 1, "area exceeds the box"),
    ),
    RowRule(
        "annotation.area_recomputed",
        "warn",
        "the given area was not positive and has been computed from the box",
        lambda: _when((F.col("area") <= 0) & (F.col("bbox.w") > 0) & (F.col("bbox.h") > 0), "area is not positive"),
    ),
)


def _suffix_fits() -> Column:
    suffix = F.lower(F.regexp_extract("path", r"\.([A-Za-z0-9]+)$", 1))
    kind = F.element_at(F.split("media_type", "/"), -1)
    known = F.when(suffix.isin("jpg", "jpeg", "jpe", "jfif"), "jpeg").when(suffix == "tif", "tiff").otherwise(suffix)
    return known == kind


IMAGE_RULES: tuple[RowRule, ...] = (
    RowRule(
        "image.small",
        "warn",
        f"a side is shorter than {MIN_SIDE} pixels",
        lambda: _when(F.least("width", "height") < MIN_SIDE, _size_text(), " pixels"),
    ),
    RowRule(
        "image.suffix",
        "warn",
        "the file's suffix disagrees with its content",
        lambda: _when(~_suffix_fits(), F.lit("content is "), F.col("media_type")),
    ),
    RowRule(
        "image.mode",
        "warn",
        "the pixel mode is neither RGB nor L",
        lambda: _when(~F.col("mode").isin("RGB", "L"), "mode ", F.col("mode")),
    ),
    RowRule(
        "image.rotated",
        "warn",
        "EXIF orientation is not 1: shown and raw pixels differ",
        lambda: _when(F.col("orientation") != 1, "EXIF orientation ", F.col("orientation")),
    ),
    RowRule(
        "image.multi_frame",
        "warn",
        "the file holds several frames; the first counts",
        lambda: _when(F.col("frames") > 1, F.col("frames"), " frames"),
    ),
)
