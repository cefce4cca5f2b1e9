"""One annotation: in pixels of the raw image, cut to it, and judged by the row rules."""

from __future__ import annotations

from collections.abc import Callable

from tests.model.draft import Annotation, Row, Settings
from tests.model.matching import FOUND, MISSING, Match
from tests.model.uploads import Label, Points, Size

FAR = 10
"""A coordinate more than so many image sides away is nonsense."""
ORPHAN = "orphan"
"""The status of labels of an image that their document does not list."""
UNFOUND = {MISSING: "annotation.image_unknown", ORPHAN: "annotation.image_orphan"}
WARNS = {"annotation.box_clipped", "annotation.box_tiny"}
"""Rules that reject only where the dataset says so."""


def to_raw(row: Row, declared: Size | None) -> Callable[[Points], Points] | None:
    """From the space that the declared size names to raw pixels; None when the size is not that of the image."""
    width, height, orientation = row.width, row.height, row.orientation
    if declared not in (None, (width, height), (height, width)):
        return None
    if declared in (None, (width, height)) or orientation < 5:  # else the sides were exchanged by mistake
        return lambda points: points

    def turn(x: float, y: float) -> Points:
        return width - y if orientation in (7, 8) else y, height - x if orientation in (6, 7) else x

    return lambda points: sum(map(turn, points[::2], points[1::2]), ())


def judge(m: Match, label: Label, row: Row | None, settings: Settings) -> str | Annotation:
    """The row that the label becomes, or the rule that refuses it; `row` is its image, if that is accepted."""
    if label.shape is None:
        return "annotation.bbox_not_finite"
    if m.status != FOUND:
        return UNFOUND.get(m.status, "annotation.image_ambiguous")
    turn = to_raw(row, m.record.size) if row else None
    if row is None or turn is None:
        return "annotation.size_mismatch" if row else "annotation.image_rejected"
    if label.category is None:
        return "annotation.category_unknown"
    if label.kind == "class":
        return Annotation(label.category)
    polygon = turn(label.shape) if label.kind == "polygon" else None
    points = polygon or turn(_corners(*label.shape))
    flat = polygon is None and min(label.shape[2:]) <= 0
    left, top, right, bottom = min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])
    far = FAR * max(row.width, row.height)
    rules = {
        "annotation.polygon_out_of_bounds": max(map(abs, polygon or (0,))) > far,
        "annotation.box_degenerate": flat or left == right or top == bottom,
        "annotation.box_out_of_bounds": max(map(abs, points)) > far,
        "annotation.box_outside": left >= row.width or top >= row.height or right <= 0 or bottom <= 0,
        "annotation.box_clipped": left < 0 or top < 0 or right > row.width or bottom > row.height,
        "annotation.box_tiny": min(right - left, bottom - top) < 1,
    }
    broken = (rule for rule, breaks in rules.items() if breaks and (rule not in WARNS or settings.rejects(rule)))
    x, y = max(left, 0.0), max(top, 0.0)
    box = (x, y, min(right, row.width) - x, min(bottom, row.height) - y)
    return next(broken, Annotation(label.category, box, polygon))


def _corners(x: float, y: float, w: float, h: float) -> Points:
    return x, y, x + w, y + h
