"""One annotation: in pixels of the raw image, cut to it, and judged by the row rules."""

from __future__ import annotations

from collections.abc import Callable

from tests.model.draft import Annotation, Row, Settings
from tests.model.matching import FOUND, MISSING, Match
from tests.model.uploads import Label, Points, Size

ORPHAN = "orphan"
"""The status of labels of an image that their document does not list."""
UNFOUND = {MISSING: "annotation.image_unknown", ORPHAN: "annotation.image_orphan"}


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
    left, top, right, bottom = min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])
    box = (max(left, 0.0), max(top, 0.0), min(right, row.width), min(bottom, row.height))
    if left == right or top == bottom or (label.kind == "box" and min(label.shape[2:]) < 0):
        return "annotation.box_degenerate"
    if box[0] >= box[2] or box[1] >= box[3]:
        return "annotation.box_outside"
    if box != (left, top, right, bottom) and settings.refuses("annotation.box_clipped"):
        return "annotation.box_clipped"
    return Annotation(label.category, (*box[:2], box[2] - box[0], box[3] - box[1]), polygon)


def _corners(x: float, y: float, w: float, h: float) -> Points:
    return x, y, x + w, y + h
