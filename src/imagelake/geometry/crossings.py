"""Polygons whose edges cross, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_MAX_CROSSED = 300
"""Each edge of a polygon is compared with each other one."""

_MAX_SIDES = 1 << 15
"""Pairs of edges that are compared at once: their arrays stay in the processor's cache."""

Array = Any


def crosses_itself(points: Sequence[float]) -> bool:
    """Whether two edges of the polygon x1, y1, x2, y2, … cross, not merely touch; False above 300 points, unasked."""
    corners = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return bool(crossing(corners, np.array([len(corners)]))[0])


def crossing(corners: Array, counts: Array) -> Array:
    """`crosses_itself` of many polygons: shape (polygons,).

    corners: (points, 2), those of one polygon after those of the other; counts: points of each polygon, (polygons,).
    Edges cross when the ends of each lie on both sides of the other. Polygons of as many points are asked together.
    """
    crossed = np.zeros(len(counts), bool)
    starts = np.cumsum(counts) - counts
    for count in np.unique(counts[(counts > 3) & (counts <= _MAX_CROSSED)]).tolist():
        polygons = np.flatnonzero(counts == count)
        size = max(1, _MAX_SIDES // (count * count))
        for begin in range(0, len(polygons), size):
            several = polygons[begin : begin + size]
            crossed[several] = _crossed(corners[starts[several][:, None] + np.arange(count)])
    return crossed


def _crossed(start: Array) -> Array:
    """Whether edges cross, of polygons (polygons, points, 2)."""
    with np.errstate(over="ignore", invalid="ignore"):  # points beyond any image
        way = np.roll(start, -1, axis=1) - start
        x, y = (start[:, None, :, axis] - start[:, :, None, axis] for axis in (0, 1))
        # [polygon, i, j]: on which side of edge i the start of edge j lies
        side = way[:, :, None, 0] * y - way[:, :, None, 1] * x
        separates = side * np.roll(side, -1, axis=2) < 0
    return (separates & separates.transpose(0, 2, 1)).any(axis=(1, 2))
