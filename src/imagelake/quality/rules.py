"""Row rules: catalogue rules with a column that is null when the row is fine and a message when it is not.

Rules see pixels of the raw image: `width` and `height` are the image's, `bbox` is the box as delivered (turned
into raw pixels), NaN and infinity have been refused by the readers. The order is the order of evaluation: a row is
rejected with the first rejecting rule it breaks, and flagged with every warning one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pyspark.sql import Column
from pyspark.sql import functions as F

from imagelake.core.upload_paths import SUFFIX_TYPES
from imagelake.quality.catalogue import (
    BLURRY,
    BRIGHT,
    BY_ID,
    DARK,
    FAR,
    LOW_INFORMATION,
    MIN_SIDE,
    ODD_ASPECT,
    Rule,
)

RULES_VERSION = 4

_WHITE = 255

_ARITHMETIC = 1e-6
"""Pixels that multiplying shares by a size may be off by."""


_EDGE = 1.0
"""Pixels that a box may reach over the edge of its image, as rounding makes them do."""


def with_message(rule_id: str, message: Callable[[], Column]) -> Rule:
    """The catalogue's rule with the column that judges a row: null for a good one. KeyError for an unknown id."""
    return replace(BY_ID[rule_id], message=message)


def _when(condition: Column, *parts: Column | str) -> Column:
    texts = [F.lit(p) if isinstance(p, str) else p.cast("string") for p in parts]
    return F.when(condition, F.concat(*texts))


def _far(most: Column) -> Column:
    """Whether a coordinate, the one furthest from zero, lies too far outside. No lambda: Spark would interpret it."""
    return most > FAR * F.greatest("width", "height")


def _furthest_of_box() -> Column:
    return F.greatest(*(F.abs(edge) for edge in _box_edges()))


def _furthest_of_polygons() -> Column:
    numbers = F.flatten("polygons")
    return F.greatest(F.array_max(numbers), -F.array_min(numbers))


def _box_text() -> Column:
    return F.format_string("box x=%s y=%s w=%s h=%s", "bbox.x", "bbox.y", "bbox.w", "bbox.h")


def _size_text() -> Column:
    return F.format_string("%s x %s", "width", "height")


def _box_edges() -> tuple[Column, ...]:
    x, y, w, h = (F.col(f"bbox.{side}") for side in "xywh")
    return (x, y, x + w, y + h)


def _overhang() -> Column:
    """By how many pixels the box leaves the image, on its worst side."""
    right = F.col("bbox.x") + F.col("bbox.w") - F.col("width")
    bottom = F.col("bbox.y") + F.col("bbox.h") - F.col("height")
    return F.greatest(-F.col("bbox.x"), -F.col("bbox.y"), right, bottom)


def _rounding() -> Column:
    """By how many pixels an edge may be off that was written with so few decimals: centre and side are rounded."""
    off = F.lit(0.75) * F.pow(F.lit(10.0), -F.col("decimals")) * F.greatest("width", "height")
    shares = F.least(F.greatest(off, F.lit(_ARITHMETIC)), F.lit(1.0))
    return F.when(F.col("unit") & F.col("decimals").isNotNull(), shares).when(F.col("unit"), _ARITHMETIC).otherwise(0.0)


def _turned() -> Column:
    return (F.col("orientation") != 1) & (F.col("unit") | (F.col("space") == "assumed"))


def _outside() -> Column:
    x, y, w, h = (F.col(f"bbox.{c}") for c in "xywh")
    return (x >= F.col("width")) | (y >= F.col("height")) | (x + w <= 0) | (y + h <= 0)


def _needs_box() -> Column:
    return F.col("kind").isin("box", "polygon", "rle") & F.col("bbox").isNull()


def _normalised() -> Column:
    inside = (F.least(*_box_edges()) >= 0) & (F.greatest(*_box_edges()) <= 1)
    return ~F.col("unit") & inside & (F.least("width", "height") > MIN_SIDE)


def _mask_size_differs() -> Column:
    return F.col("rle_size").isNotNull() & (
        (F.col("rle_size")[0] != F.col("height")) | (F.col("rle_size")[1] != F.col("width"))
    )


ANNOTATION_RULES: tuple[Rule, ...] = (
    with_message(
        "annotation.bbox_missing",
        lambda: _when(_needs_box(), "no bbox; give [x, y, width, height] in pixels"),
    ),
    with_message(
        "annotation.polygon_out_of_bounds",
        lambda: _when(
            _far(_furthest_of_polygons()),
            F.lit(f"a polygon coordinate lies more than {FAR} image sides outside the image of "),
            _size_text(),
        ),
    ),
    with_message(
        "annotation.box_degenerate",
        lambda: _when(
            (F.col("bbox.w") <= 0) | (F.col("bbox.h") <= 0), _box_text(), ": width and height must be positive"
        ),
    ),
    with_message(
        "annotation.box_out_of_bounds",
        lambda: _when(
            _far(_furthest_of_box()),
            _box_text(),
            f" lies more than {FAR} image sides outside the image of ",
            _size_text(),
        ),
    ),
    with_message(
        "annotation.box_outside",
        lambda: _when(_outside(), _box_text(), " lies outside the image of ", _size_text()),
    ),
    with_message(
        "annotation.rle_size",
        lambda: _when(
            _mask_size_differs(),
            F.format_string("mask of %s x %s pixels", F.col("rle_size")[1], F.col("rle_size")[0]),
            " on an image of ",
            _size_text(),
        ),
    ),
    with_message(
        "annotation.box_clipped",
        lambda: _when(_overhang() > _rounding(), _box_text(), " reaches outside the image of ", _size_text()),
    ),
    with_message(
        "annotation.box_overhang",
        lambda: _when(
            _overhang() > _EDGE, _box_text(), " reaches more than a pixel outside the image of ", _size_text()
        ),
    ),
    with_message(
        "annotation.box_space_assumed",
        lambda: _when(_turned(), F.format_string("orientation %s turns its image", "orientation")),
    ),
    with_message(
        "annotation.box_tiny",
        lambda: _when((F.col("bbox.w") < 1) | (F.col("bbox.h") < 1), _box_text(), " is thinner than a pixel"),
    ),
    with_message(
        "annotation.box_normalised",
        lambda: _when(_normalised(), _box_text(), " looks normalised; pixels are expected"),
    ),
    with_message(
        "annotation.area_above_box",
        lambda: _when(F.col("area") > F.col("bbox.w") * F.col("bbox.h") * 1.001 + 1, "area exceeds the box"),
    ),
    with_message(
        "annotation.area_recomputed",
        lambda: _when((F.col("area") <= 0) & (F.col("bbox.w") > 0) & (F.col("bbox.h") > 0), "area is not positive"),
    ),
)


_OUTLINES = ("annotation.polygon_out_of_bounds", "annotation.rle_size")
_BOXES = ("annotation.box_degenerate", "annotation.box_out_of_bounds", "annotation.box_outside")


def only_outline_refused(reject: str) -> Column:
    """Whether a row is rejected (struct column `reject`) for its outline, while its box breaks no rule."""
    box = [rule.message() for rule in ANNOTATION_RULES if rule.id in _BOXES and rule.message is not None]
    return F.col(f"{reject}.rule").isin(*_OUTLINES) & F.coalesce(*box).isNull()


def _suffix_fits() -> Column:
    suffix = F.lower(F.regexp_extract("path", r"\.[A-Za-z0-9]+$", 0))
    return F.concat(suffix, F.lit(" "), F.col("media_type")).isin(*_FITTING)


def _blurry() -> Column:
    """Unlike a picture without contrast, which has no edges either."""
    spread = F.col("contrast") * _WHITE
    return (F.col("sharpness") < spread * BLURRY) & (F.col("entropy") >= LOW_INFORMATION)


def _number(name: str) -> Column:
    return F.format_string("%.2f", name)


_FITTING = tuple(f"{suffix} {kind}" for suffix, kinds in SUFFIX_TYPES.items() for kind in kinds)


IMAGE_RULES: tuple[Rule, ...] = (
    with_message(
        "image.small",
        lambda: _when(F.least("width", "height") < MIN_SIDE, _size_text(), " pixels"),
    ),
    with_message(
        "image.suffix",
        lambda: _when(~_suffix_fits(), F.lit("content is "), F.col("media_type")),
    ),
    with_message(
        "image.mode",
        lambda: _when(~F.col("mode").isin("RGB", "L"), "mode ", F.col("mode")),
    ),
    with_message(
        "image.rotated",
        lambda: _when(F.col("orientation") != 1, "EXIF orientation ", F.col("orientation")),
    ),
    with_message(
        "image.name_not_ascii",
        lambda: _when(F.col("path").rlike(r"[^\x00-\x7F]"), "path ", F.col("path")),
    ),
    with_message(
        "image.bit_depth",
        lambda: _when(F.col("bit_depth") > 8, F.col("bit_depth"), " bits a sample; most loaders make 8 of them"),
    ),
    with_message(
        "image.first_frame",
        lambda: _when(F.col("frames") > 1, "the first of ", F.col("frames"), " pictures counts"),
    ),
    with_message(
        "image.dark",
        lambda: _when(F.col("brightness_p99") < DARK, "99 % of its pixels are below ", _number("brightness_p99")),
    ),
    with_message(
        "image.bright",
        lambda: _when(F.col("brightness_p5") > BRIGHT, "95 % of its pixels are above ", _number("brightness_p5")),
    ),
    with_message(
        "image.blurry",
        lambda: _when(_blurry(), "sharpness ", _number("sharpness"), " at a contrast of ", _number("contrast")),
    ),
    with_message(
        "image.low_information",
        lambda: _when(F.col("entropy") < LOW_INFORMATION, _number("entropy"), " bits of grey levels"),
    ),
    with_message(
        "image.odd_aspect",
        lambda: _when(F.least("width", "height") < F.greatest("width", "height") * ODD_ASPECT, _size_text(), " pixels"),
    ),
)


DUPLICATE_RULE = with_message(
    "annotation.duplicate", lambda: _when(F.col("_ordinal") > 1, "equal to another annotation of this upload")
)
"""On rows with `_ordinal`, which counts equal annotations from 1: the first of them breaks nothing."""
