"""Boxes x, y, w, h in pixels, as every part computes with them: a bit of difference changes a row's hash."""

from __future__ import annotations

Box = tuple[float, float, float, float]


def clip(box: Box, width: int, height: int) -> Box:
    """The part of the box inside the image; a box inside stays exactly as it is."""
    x, y, w, h = box
    left, top = max(x, 0.0), max(y, 0.0)
    over_right, over_bottom = x + w > width, y + h > height
    new_w = width - left if over_right else (w if left == x else x + w - left)
    new_h = height - top if over_bottom else (h if top == y else y + h - top)
    return (left, top, new_w, new_h)


def voc_to_bbox(xmin: float, ymin: float, xmax: float, ymax: float) -> Box:
    """Pascal VOC corners as x, y, w, h.

    The corners count pixels from 1 and both belong to the object (VOC2012 development kit, annotation
    guidelines), so the box covers xmax - xmin + 1 columns and starts at column xmin - 1.
    """
    return (xmin - 1, ymin - 1, xmax - xmin + 1, ymax - ymin + 1)


def bbox_to_voc(box: Box) -> Box:
    """The corners xmin, ymin, xmax, ymax of a box: exactly the inverse of `voc_to_bbox`."""
    x, y, w, h = box
    return (x + 1, y + 1, x + w, y + h)
