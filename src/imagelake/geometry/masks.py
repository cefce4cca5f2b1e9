"""Masks as COCO's compressed run lengths (see run_lengths): checked, measured, turned. Needs numpy.

No native mask library is used: those crash the process on numbers that are not finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imagelake.geometry.boxes import Box
from imagelake.geometry.orientation import EXCHANGING
from imagelake.geometry.run_lengths import write_runs

MAX_MASK_PIXELS = 1 << 28
"""Larger masks are refused: turning one into pixels takes a byte for each."""

_FIRST = ord("0")
_LAST = _FIRST + 0x3F
_MAX_GROUPS = 7
"""Seven groups of five bits hold every run of a mask that may exist."""

Array = Any


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
    return [int(raw.shape[0]), int(raw.shape[1])], write_runs(_run_lengths(raw.T.reshape(-1)))


def _turned_back(shown: Array, orientation: int) -> Array:
    """The raw pixels of shown ones: 2 to 4 mirror, 5 to 8 exchange rows and columns as well (EXIF 2.3, 0x0112)."""
    turned = shown.T if orientation >= EXCHANGING else shown
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
