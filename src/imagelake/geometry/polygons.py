"""Polygons x1, y1, x2, y2, … in pixels: area and bounds, in plain arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from imagelake.geometry.boxes import Box


def polygon_area(points: Sequence[float]) -> float:
    """Area enclosed by a polygon x1, y1, x2, y2, … in square units (shoelace formula, without sign)."""
    xs, ys = points[::2], points[1::2]
    following = zip((*xs[1:], *xs[:1]), (*ys[1:], *ys[:1]), strict=True)
    return abs(sum(x * y2 - x2 * y for x, y, (x2, y2) in zip(xs, ys, following, strict=True))) / 2


def polygon_bounds(points: Sequence[float]) -> Box:
    """The smallest box x, y, w, h around points x1, y1, x2, y2, …"""
    xs, ys = points[::2], points[1::2]
    left, top = min(xs), min(ys)
    return (left, top, max(xs) - left, max(ys) - top)
