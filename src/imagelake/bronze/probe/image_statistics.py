"""Statistics of a decoded picture, measured on small grey copies: brightness, contrast, entropy, sharpness, phash.

Exact in the same way on every machine: everything after Pillow's own whole-number scaling is counted in whole numbers
until the last division, so equal pixels have equal statistics. numpy comes with Spark's pandas; loaded here, before a
probing process is forked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from imagelake.geometry.orientation import upright

COPY_SIDE = 320
"""Brightness, contrast and entropy are of a copy whose longer side is at most so many pixels."""

EDGE_SIDE = 64
"""Sharpness is of a copy whose longer side is at most so many pixels: a blur that this size hides harms no trainer."""

HASH_SIDE, HASH_BITS = 32, 64
_FREQUENCIES = 8

_HIGH_BYTES = {"I;16": 1, "I;16L": 1, "I;16B": 0}
"""Where the high byte of each sample lies in modes of 16 bits, which Pillow would cut off at 255."""

_UNDEFINED = ("I", "F")
"""Modes whose samples have no white."""

_LAPLACIAN = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)
_BASIS = np.array(
    [
        [round(1024 * math.cos(math.pi * k * (2 * n + 1) / (2 * HASH_SIDE))) for n in range(HASH_SIDE)]
        for k in range(_FREQUENCIES)
    ],
    np.int64,
)


class ImageStatistics(NamedTuple):
    """Perceptual hash (16 hex digits), brightness and contrast from 0 to 1, entropy in bits, sharpness in grey levels.

    Null is what the picture does not have: everything for samples without a white (32 bits), sharpness below 3 pixels.
    """

    phash: str | None = None
    brightness_p5: float | None = None
    brightness_p99: float | None = None
    contrast: float | None = None
    entropy: float | None = None
    sharpness: float | None = None


def image_statistics(image: Any, orientation: int) -> ImageStatistics:
    """The statistics of a loaded Pillow image with that EXIF orientation; all null where there are none.

    Takes at most one byte a pixel of memory beside the image, and none is no error.
    """
    if image.mode in _UNDEFINED:
        return ImageStatistics()
    try:
        copy, box = _grey_copy(image)
    except (MemoryError, OSError, ValueError):  # no room beside a picture near the limits, or no brightness in its mode
        return ImageStatistics()
    levels = copy.histogram()
    small = copy.resize((HASH_SIDE, HASH_SIDE), Image.Resampling.HAMMING, box)
    small = upright(small, orientation)
    return ImageStatistics(
        phash=perceptual_hash(small.tobytes()),
        brightness_p5=_percentile(levels, 5),
        brightness_p99=_percentile(levels, 99),
        contrast=_spread(levels) / 255,
        entropy=_entropy(levels),
        sharpness=_sharpness(copy, box),
    )


def perceptual_hash(pixels: bytes) -> str:
    """The DCT hash of 32 x 32 grey pixels, row by row: which of the 8 x 8 lowest frequencies lie above their median.

    16 hex digits; the first bit is the mean brightness, rows are vertical frequencies.
    """
    levels = np.frombuffer(pixels, np.uint8).reshape(HASH_SIDE, HASH_SIDE).astype(np.int64)
    coefficients = (_BASIS @ levels @ _BASIS.T).flatten().tolist()
    middle = median(coefficients)
    bits = "".join("1" if value > middle else "0" for value in coefficients)
    return f"{int(bits, 2):0{HASH_BITS // 4}x}"


def _grey_copy(image: Any) -> tuple[Any, tuple[float, float, float, float]]:
    """A grey copy of at most COPY_SIDE, and the part of it that is the picture: its last pixels may be of less."""
    width, height = image.size
    if image.mode in _HIGH_BYTES:
        scale = max(1.0, max(width, height) / COPY_SIDE)
        size = (max(1, round(width / scale)), max(1, round(height / scale)))
        samples = image.resize(size, Image.Resampling.BOX).tobytes()
        return Image.frombytes("L", size, samples[_HIGH_BYTES[image.mode] :: 2]), (0.0, 0.0, *size)
    grey = image if image.mode == "L" else image.convert("L")
    factor = -(-max(width, height) // COPY_SIDE)
    across, down = min(factor, width), min(factor, height)
    return grey.reduce((across, down)), (0.0, 0.0, width / across, height / down)


def _percentile(levels: Sequence[int], percent: int) -> float:
    """The lowest brightness, 0 to 1, that so many percent of the pixels do not exceed."""
    counts = list(accumulate(levels))
    return next(level for level, count in enumerate(counts) if count * 100 >= counts[-1] * percent) / 255


def _spread(levels: Sequence[int]) -> float:
    """The standard deviation of the levels."""
    count = sum(levels)
    total = sum(map(mul, levels, range(256)))
    squares = sum(map(mul, levels, _SQUARES))
    return math.sqrt(count * squares - total * total) / count


_SQUARES = tuple(level * level for level in range(256))


def _entropy(levels: Sequence[int]) -> float:
    count = sum(levels)
    # not below 0, which rounding could make of a single level
    return max(0.0, math.log2(count) - sum(n * math.log2(n) for n in levels if n) / count)


def _sharpness(copy: Any, box: tuple[float, float, float, float]) -> float | None:
    scale = max(1.0, max(box[2:]) / EDGE_SIDE)
    width, height = (max(1, round(side / scale)) for side in box[2:])
    if width < 3 or height < 3:
        return None
    small = copy.resize((width, height), Image.Resampling.HAMMING, box)
    # Pillow leaves the pixels at the border as they are
    return _spread(small.filter(_LAPLACIAN).crop((1, 1, width - 1, height - 1)).histogram())
