"""One annotation: in pixels of the raw image, cut to it, and judged by the row rules."""

from __future__ import annotations

from collections.abc import Callable

from tests.model.draft import Annotation, Points, Row, Settings
from tests.model.matching import FOUND, MISSING, Match
from tests.model.uploads import Label, Size

FAR = 10
"""A coordinate more than so many image sides away is nonsense."""

ORPHAN = "orphan"
"""The status of labels of an image that their document does not list."""

WARNS = {"box_clipped", "box_tiny"}
"""Rules that reject only where the dataset says so."""


def to_raw(row: Row, declared: Size | None) -> Callable[[Points], Points] | None:
    """From the space that the declared size names to raw pixels; None when the size is not that of the image."""
    width, height, orientation = row.width, row.height, row.orientation
    if declared not in (None, (width, height), (height, width)):
        return None
    if declared in (None, (width, height)) or orientation < 5:  # else the sides were exchanged by mistake
        return lambda points: points
    turn: dict[int, Callable[[float, float], Points]] = {
        5: lambda x, y: (y, x),
        6: lambda x, y: (y, height - x),
        7: lambda x, y: (width - y, height - x),
        8: lambda x, y: (width - y, x),
    }
    return lambda points: sum(map(turn[orientation], points[::2], points[1::2]), ())


def judge(m: Match, label: Label, row: Row | None, settings: Settings) -> str | Annotation:
    """The row that the label becomes, or the rule that refuses it; `row` is its image, if that is accepted."""
    turn = to_raw(row, m.record.size) if row else None
    unfound = {MISSING: "image_unknown", ORPHAN: "image_orphan"}.get(m.status, "image_ambiguous")
    reasons = {
        "bbox_not_finite": label.shape is None,
        unfound: m.status != FOUND,
        "image_rejected": row is None,
        "size_mismatch": turn is None,
        "category_unknown": label.category is None,
    }
    if any(reasons.values()):
        return "annotation." + next(reason for reason, applies in reasons.items() if applies)
    assert row and turn and label.shape is not None and label.category is not None
    return Annotation(label.category) if label.kind == "class" else _measure(label, turn, row, settings)


def _measure(label: Label, turn: Callable[[Points], Points], row: Row, settings: Settings) -> str | Annotation:
    """A shape as a row, its box cut to the image, or the first rule that it breaks."""
    shape = label.shape or ()
    polygon = turn(shape) if label.kind == "polygon" else None
    points = polygon or turn((*shape[:2], shape[0] + shape[2], shape[1] + shape[3]))
    xs, ys, far = points[::2], points[1::2], FAR * max(row.width, row.height)
    x, y, right, bottom = min(xs), min(ys), max(xs), max(ys)
    w, h = (right - x, bottom - y) if polygon else shape[2:]
    rules = {
        "polygon_out_of_bounds": any(abs(v) > far for v in polygon or ()),
        "box_degenerate": min(w, h, right - x, bottom - y) <= 0,
        "box_out_of_bounds": any(abs(v) > far for v in (x, y, right, bottom)),
        "box_outside": x >= row.width or y >= row.height or right <= 0 or bottom <= 0,
        "box_clipped": x < 0 or y < 0 or right > row.width or bottom > row.height,
        "box_tiny": min(w, h) < 1,
    }
    for rule, breaks in rules.items():
        if breaks and (rule not in WARNS or settings.rejects(f"annotation.{rule}")):
            return f"annotation.{rule}"
    left, top = max(x, 0.0), max(y, 0.0)
    return Annotation(
        label.category or "", (left, top, min(right, row.width) - left, min(bottom, row.height) - top), polygon
    )
