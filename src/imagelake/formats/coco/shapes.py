"""Boxes, polygons and masks of COCO annotations (cocodataset.org, data format)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagelake.formats.coco.values import number, number_in_text
from imagelake.formats.refused import Refused, shown
from imagelake.geometry import masks, run_lengths
from imagelake.geometry.boxes import Box
from imagelake.geometry.polygons import polygon_bounds

Polygon = tuple[float, ...]

MIN_NUMBERS = 6
"""A polygon has at least three points."""
_NUMBERS = frozenset((int, float))


@dataclass(frozen=True)
class Shape:
    """What an annotation outlines: kind box, polygon or rle, and the polygons or the mask of that kind."""

    kind: str
    polygons: tuple[Polygon, ...] | None = None
    rle_size: tuple[int, int] | None = None
    rle_counts: str | None = None


BOX = Shape("box")


def kind_of(segmentation: Any) -> str:
    """The kind a segmentation means to be, sound or not."""
    if isinstance(segmentation, dict):
        return "rle"
    is_empty = segmentation is None or (isinstance(segmentation, list) and all(part == [] for part in segmentation))
    return "box" if is_empty else "polygon"


@dataclass(frozen=True)
class Outlined:
    """Shape and box of an annotation, and why its outline was refused, if it was: then only the box is left."""

    shape: Shape
    box: Box | None
    refused: Refused | None = None


def outlined(segmentation: Any, box: Any, warnings: list[str]) -> Outlined:
    """A good box survives its bad outline, and a good outline its bad box (a warning). Refused when neither is good."""
    try:
        made = shape(segmentation, warnings)
    except Refused as problem:
        if _is_absent(box):
            raise
        return Outlined(BOX, bbox(box, BOX, warnings), problem)
    try:
        return Outlined(made, bbox(box, made, warnings))
    except Refused:
        derived = _derived(made)
        if derived is None:
            raise
        warnings.append("annotation.bbox_dropped")
        return Outlined(made, derived)


def shape(segmentation: Any, warnings: list[str]) -> Shape:
    """The shape of a segmentation; none at all, and an empty list, is a box. Refused when nothing good is left."""
    if segmentation is None or segmentation == []:
        return BOX
    if isinstance(segmentation, dict):
        return _mask(segmentation)
    if not isinstance(segmentation, list):
        raise Refused("annotation.polygon_invalid", f"segmentation {shown(segmentation)}; give polygons or a mask")
    if not any(isinstance(part, list) for part in segmentation):
        segmentation = [segmentation]
        warnings.append("annotation.polygon_flat")
    parts = [part for part in segmentation if part != []]
    good = tuple(p for p in map(_polygon, parts) if p is not None)
    if not parts:
        return BOX
    if not good:
        raise Refused(
            "annotation.polygon_invalid",
            f"no part of polygon {shown(parts)} is a list of at least {MIN_NUMBERS} finite numbers x1, y1, x2, y2, …",
        )
    if len(good) < len(parts):
        warnings.append("annotation.polygon_part_dropped")
    return Shape("polygon", polygons=good)


def bbox(value: Any, outline: Shape, warnings: list[str]) -> Box | None:
    """The box as given, or derived from the outline; None when there is neither. Refused when it is no box."""
    if _is_absent(value):
        derived = _derived(outline)
        if derived is not None:
            warnings.append("annotation.bbox_derived")
        return derived
    if not isinstance(value, list) or len(value) != 4:
        raise Refused("annotation.bbox_invalid", f"bbox {shown(value)}; give four numbers x, y, width, height")
    x, y, w, h = _finite(value) or tuple(_side(v, value, warnings) for v in value)
    if (w <= 0 or h <= 0) and outline.kind != BOX.kind:
        raise Refused("annotation.box_degenerate", f"bbox {shown(value)}; width and height must be positive")
    return (x, y, w, h)


def _is_absent(box: Any) -> bool:
    return box is None or box == []


def _side(value: Any, box: Any, warnings: list[str]) -> float:
    given = number(value)
    if given is None and value is not None:
        given = number_in_text(value)
        if given is None and not _is_infinite_text(value):
            raise Refused("annotation.bbox_invalid", f"bbox {shown(box)}; {shown(value)} is no number")
        if "annotation.bbox_coerced" not in warnings:
            warnings.append("annotation.bbox_coerced")
    if given is None or not math.isfinite(given):
        raise Refused("annotation.bbox_not_finite", f"bbox {shown(box)}; all four numbers must be finite")
    return given


def _is_infinite_text(value: Any) -> bool:
    words = ("nan", "inf", "infinity")
    return isinstance(value, str) and value.strip().lower().lstrip("+-") in words


def _derived(outline: Shape) -> Box | None:
    if outline.polygons is not None:
        return polygon_bounds([v for part in outline.polygons for v in part])
    if outline.rle_size is not None and outline.rle_counts is not None:
        return masks.rle_bounds(outline.rle_counts, *outline.rle_size)
    return None


def _polygon(part: Any) -> Polygon | None:
    if not isinstance(part, list) or len(part) < MIN_NUMBERS or len(part) % 2:
        return None
    return _finite(part)


def _finite(values: list[Any]) -> tuple[float, ...] | None:
    """The values as floats; None unless all are JSON numbers, and finite."""
    if not _NUMBERS.issuperset(map(type, values)):
        return None
    try:
        numbers = tuple(map(float, values))
    except OverflowError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _mask(value: Mapping[str, Any]) -> Shape:
    size, counts = value.get("size"), value.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int for side in size):
        raise Refused("annotation.rle_invalid", f"mask size {shown(size)}; give [height, width]")
    height, width = size
    try:
        if isinstance(counts, list):
            text = _compressed(counts, height, width)
        elif isinstance(counts, str):
            text = counts
        else:
            raise ValueError(f"mask counts {shown(counts)}; give a list of run lengths or a text")
        masks.rle_check(text, height, width)
    except ValueError as problem:
        raise Refused("annotation.rle_invalid", str(problem)) from None
    return Shape("rle", rle_size=(height, width), rle_counts=text)


def _compressed(counts: list[Any], height: int, width: int) -> str:
    pixels = height * width
    if not all(type(run) is int and 0 <= run <= pixels for run in counts):
        raise ValueError(f"run lengths {shown(counts)}; each must be a whole number from 0 to {pixels}")
    return run_lengths.write_runs(counts)
