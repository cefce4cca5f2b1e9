"""Masks as CVAT writes them: the pixels of their bounding box row by row, in runs that start with background."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagelake.errors import IntegrityError
from imagelake.geometry.run_lengths import read_runs

_RUNS = re.compile(b"\0+|\1+")


@dataclass(frozen=True)
class RowMask:
    """Run lengths of the box at `left`, `top` of `width` x `height` pixels."""

    runs: tuple[int, ...]
    left: int
    top: int
    width: int
    height: int


def row_mask(rle: tuple[int, int, str]) -> RowMask | None:
    """A mask (height, width, COCO's compressed run lengths) row by row; None when it has no pixels.

    IntegrityError when the runs do not cover the size.
    """
    from PIL import Image

    height, width, counts = rle
    pixels = b"".join((b"\1" if place % 2 else b"\0") * run for place, run in enumerate(read_runs(counts)))
    if len(pixels) != width * height:
        raise IntegrityError(f"a mask covers {len(pixels)} pixels of an image of {width} x {height}")
    # COCO goes column by column: as rows they are the image mirrored at its diagonal
    image = Image.frombytes("L", (height, width), pixels).transpose(Image.Transpose.TRANSPOSE)
    box = image.getbbox()
    if box is None:
        return None
    inside = image.crop(box).tobytes()
    runs = [match.end() - match.start() for match in _RUNS.finditer(inside)]
    left, top, right, bottom = box
    return RowMask((0, *runs) if inside.startswith(b"\1") else tuple(runs), left, top, right - left, bottom - top)
