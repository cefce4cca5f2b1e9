"""One annotation: in pixels of the raw image, cut to it, and judged by the row rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tests.model.matching import FOUND, MISSING, Match
from tests.model.uploads import Box, Label, Size

if TYPE_CHECKING:
    from tests.model.draft import Row

FAR = 10
"""A coordinate more than so many image sides away is nonsense."""

Points = tuple[float, ...]


class Annotation(NamedTuple):
    """A row of the draft without its image and kind."""

    category: str
    box: Box | None
    polygon: Points | None = None


def to_raw(row: Row, declared: Size | None) -> Callable[[Points], Points] | None:
    """From the space that the declared size names to raw pixels; None when the size is not that of the image."""
    width, height, orientation = row.width, row.height, row.orientation
    if declared is None or declared == (width, height):
        return lambda points: points
    if declared != (height, width):
        return None
    if orientation < 5:  # the sides were exchanged by mistake
        return lambda points: points
    turn: dict[int, Callable[[float, float], Points]] = {
        5: lambda x, y: (y, x),
        6: lambda x, y: (y, height - x),
        7: lambda x, y: (width - y, height - x),
        8: lambda x, y: (width - y, x),
    }
    return lambda points: tuple(
        v for x, y in zip(points[::2], points[1::2], strict=True) for v in turn[orientation](x, y)
    )


def judge(
    m: Match, label: Label, row: Row | None, rejects: Callable[[str], bool]
) -> tuple[str | None, Annotation | None]:
    """The rule that refuses the label, or the row it becomes; `row` is its image, if that is accepted."""
    if label.shape is None:
        return "annotation.bbox_not_finite", None
    if m.status != FOUND:
        return f"annotation.image_{'unknown' if m.status == MISSING else 'ambiguous'}", None
    if row is None:
        return "annotation.image_rejected", None
    turn = to_raw(row, m.record.size)
    if turn is None:
        return "annotation.size_mismatch", None
    if label.category is None:
        return "annotation.category_unknown", None
    if label.kind == "class":
        return None, Annotation(label.category, None)
    polygon = turn(label.shape) if label.kind == "polygon" else None
    box = _box(label.shape if label.kind == "polygon" else _corners(label.shape), turn, label)
    rule = _broken(row, box, polygon, rejects)
    return (rule, None) if rule else (None, Annotation(label.category, _clip(box, row), polygon))


def _corners(box: Points) -> Points:
    x, y, w, h = box
    return (x, y, x + w, y + h)


def _box(points: Points, turn: Callable[[Points], Points], label: Label) -> Box:
    """The box around points, turned; a box with a negative side stays one."""
    if label.kind == "box" and min(label.shape[2:] if label.shape else (0,)) <= 0:
        x, y, w, h = label.shape or (0, 0, 0, 0)
        return (x, y, w, h)
    xs, ys = points[::2], points[1::2]
    turned = turn((min(xs), min(ys), max(xs), max(ys)))
    left, right = sorted(turned[::2])
    top, bottom = sorted(turned[1::2])
    return (left, top, right - left, bottom - top)


def _broken(row: Row, box: Box, polygon: Points | None, rejects: Callable[[str], bool]) -> str | None:
    """The first rejecting rule that the row breaks."""
    x, y, w, h = box
    far = FAR * max(row.width, row.height)
    right, bottom = x + w - row.width, y + h - row.height
    rules = (
        ("polygon_out_of_bounds", any(abs(v) > far for v in polygon or ()), True),
        ("box_degenerate", w <= 0 or h <= 0, True),
        ("box_out_of_bounds", any(abs(v) > far for v in (x, y, x + w, y + h)), True),
        ("box_outside", x >= row.width or y >= row.height or x + w <= 0 or y + h <= 0, True),
        ("box_clipped", max(-x, -y, right, bottom) > 0, False),
        ("box_tiny", w < 1 or h < 1, False),
    )
    broken = (
        f"annotation.{name}" for name, fails, always in rules if fails and (always or rejects(f"annotation.{name}"))
    )
    return next(broken, None)


def _clip(box: Box, row: Row) -> Box:
    """The part of a box inside its image."""
    x, y, w, h = box
    left, top = max(x, 0.0), max(y, 0.0)
    return (left, top, min(x + w, row.width) - left, min(y + h, row.height) - top)
