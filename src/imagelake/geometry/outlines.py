"""Areas, bounds, corner conventions and run-length masks, in plain arithmetic on checked numbers.

Masks are COCO's run lengths: the pixels of the mask column by column, counted in runs that alternate between
background and object and start with background. Compressed, each run is written in groups of five bits, the lowest
first, as characters from `0` on; bit 0x20 says that more follow, bit 0x10 of the last one is the sign; from the fourth
run on the difference to the run two before is written (COCO API, mask format).

No native mask library is used: those crash the process on numbers that are not finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imagelake.geometry.boxes import Box

MAX_MASK_PIXELS = 1 << 28
"""Larger masks are refused: turning one into pixels takes a byte for each."""

_MAX_CROSSED = 300
"""Each edge of a polygon is compared with each other one."""

_MAX_SIDES = 1 << 15
"""Pairs of edges that are compared at once: their arrays stay in the processor's cache."""

_FIRST = ord("0")
_LAST = _FIRST + 0x3F
_MAX_GROUPS = 7
"""Seven groups of five bits hold every run of a mask that may exist."""

Array = Any


def polygon_area(points: Sequence[float]) -> float:
    """Area enclosed by a polygon x1, y1, x2, y2, … in square units (shoelace formula, without sign)."""
    xs, ys = points[::2], points[1::2]
    following = zip((*xs[1:], *xs[:1]), (*ys[1:], *ys[:1]), strict=True)
    return abs(sum(x * y2 - x2 * y for x, y, (x2, y2) in zip(xs, ys, following, strict=True))) / 2


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


def bounds(points: Sequence[float]) -> Box:
    """The smallest box x, y, w, h around points x1, y1, x2, y2, …"""
    xs, ys = points[::2], points[1::2]
    left, top = min(xs), min(ys)
    return (left, top, max(xs) - left, max(ys) - top)


def rle_encode(counts: Sequence[int]) -> str:
    """Run lengths as compressed text."""
    text = bytearray()
    for place, count in enumerate(counts):
        _put(text, count - counts[place - 2] if place > 2 else count)
    return text.decode("ascii")


def rle_decode(text: str) -> list[int]:
    """The run lengths of a compressed text; ValueError when it is not one."""
    runs: list[int] = _runs(text).tolist()
    return runs


def rle_area(counts: str) -> int:
    """Number of object pixels of a compressed mask; ValueError when the text is not one."""
    return int(_runs(counts)[1::2].sum())


def rle_check(counts: str, height: int, width: int) -> None:
    """ValueError unless the text is a mask of exactly that size."""
    _checked(counts, height, width)


def rle_bounds(counts: str, height: int, width: int) -> Box:
    """The box x, y, w, h around the object pixels of a mask; all zero when there are none.

    ValueError when the text is no mask of that size.
    """
    runs = _checked(counts, height, width)
    ends = np.cumsum(runs)
    begin, end = ends[:-1:2], ends[1::2]
    filled = end > begin
    begin, end = begin[filled], end[filled] - 1
    if not len(begin):
        return (0.0, 0.0, 0.0, 0.0)
    first, last = begin // height, end // height
    spans = first != last
    top = 0 if spans.any() else int((begin % height).min())
    bottom = height - 1 if spans.any() else int((end % height).max())
    left, right = int(first.min()), int(last.max())
    return (float(left), float(top), float(right - left + 1), float(bottom - top + 1))


def rle_to_raw(size: Sequence[int], counts: str, orientation: int) -> tuple[list[int], str]:
    """A mask (height, width) of the shown image as size and mask of the raw one; ValueError when it is no mask.

    `orientation` is the EXIF tag 0x0112 (1 to 8) of the image: how raw pixels are turned to be shown.
    """
    height, width = size
    runs = _checked(counts, height, width)
    values = (np.arange(len(runs)) & 1).astype(np.uint8)
    shown = np.repeat(values, runs).reshape(width, height).T
    raw = _turned_back(shown, orientation)
    return [int(raw.shape[0]), int(raw.shape[1])], rle_encode(_run_lengths(raw.T.reshape(-1)))


def _turned_back(shown: Array, orientation: int) -> Array:
    """The raw pixels of shown ones: 2 to 4 mirror, 5 to 8 exchange rows and columns as well (EXIF 2.3, 0x0112)."""
    turned = shown.T if orientation >= 5 else shown
    if orientation in (2, 3, 7, 8):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 6, 7):
        turned = turned[::-1]
    return turned


def _run_lengths(pixels: Array) -> list[int]:
    """Run lengths of a flat 0/1 array, the first of them background (possibly of length 0)."""
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    edges = np.concatenate(([0], changes, [len(pixels)]))
    runs: list[int] = np.diff(edges).tolist()
    return [0, *runs] if pixels[0] else runs


def _checked(counts: str, height: int, width: int) -> Array:
    """The runs of a mask of exactly that size."""
    if height < 1 or width < 1 or height * width > MAX_MASK_PIXELS:
        raise ValueError(f"a mask of {height} x {width} pixels; sides from 1 and up to {MAX_MASK_PIXELS} are taken")
    runs = _runs(counts)
    total = int(runs.sum())
    if total != height * width:
        raise ValueError(f"the runs cover {total} pixels, a mask of {height} x {width} has {height * width}")
    return runs


def _put(text: bytearray, value: int) -> None:
    more = True
    while more:
        group = value & 0x1F
        value >>= 5
        more = value != (-1 if group & 0x10 else 0)
        text.append(_FIRST + (group | 0x20 if more else group))


def _runs(text: str) -> Array:
    """Run lengths as int64; ValueError for characters, lengths or signs that cannot be."""
    try:
        codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - _FIRST
    except UnicodeEncodeError:
        raise ValueError("run lengths hold characters that are not ASCII") from None
    if len(codes) and (codes.min() < 0 or codes.max() > _LAST - _FIRST):
        raise ValueError(f"run lengths hold a character outside {chr(_FIRST)!r} to {chr(_LAST)!r}")
    ends = np.flatnonzero(codes & 0x20 == 0)
    if len(codes) and (not len(ends) or ends[-1] != len(codes) - 1):
        raise ValueError("run lengths end in the middle of a number")
    runs = _undo_differences(_numbers(codes, ends))
    if len(runs) and runs.min() < 0:
        raise ValueError("a run length is negative")
    return runs


def _numbers(codes: Array, ends: Array) -> Array:
    """The signed numbers whose groups end at `ends`."""
    if not len(ends):
        return np.zeros(0, np.int64)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > _MAX_GROUPS:
        raise ValueError("a run length has too many digits")
    place = np.arange(len(codes)) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    negative = codes[ends] & 0x10 != 0
    return values - np.where(negative, np.int64(1) << (5 * lengths), 0)


def _undo_differences(values: Array) -> Array:
    runs = values.copy()
    runs[1::2] = np.cumsum(values[1::2])
    runs[2::2] = np.cumsum(values[2::2])
    return runs
