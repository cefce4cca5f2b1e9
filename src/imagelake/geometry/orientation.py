"""EXIF orientation: from raw pixels to the shown image, for pixels, boxes, outlines, keypoints and masks alike.

Coordinates are continuous, x to the right and y down from the top left corner, pixel (0, 0) covering 0 to 1; so in an
image of width W a point x mirrors to W - x and a box to W - (x + w). Orientations are those of EXIF 2.3, tag 0x0112:
how the raw rows and columns are to be shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagelake.errors import IntegrityError
from imagelake.geometry.boxes import Box
from imagelake.geometry.run_lengths import read_runs, write_runs

if TYPE_CHECKING:
    from PIL import Image

_MIRROR_X = frozenset((2, 3, 6, 7))
"""Orientations whose shown x runs against the raw axis it comes from; 5 to 8 exchange the axes as well."""
_MIRROR_Y = frozenset((3, 4, 7, 8))
EXCHANGING = 5
"""From this orientation on rows and columns are exchanged."""
_RUNS = re.compile(b"\0+|\1+")


@dataclass(frozen=True)
class Orientation:
    """The EXIF tag of an image, and its raw width and height in pixels: turns raw coordinates into shown ones."""

    tag: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the shown image."""
        return (self.height, self.width) if self.tag >= EXCHANGING else (self.width, self.height)

    @property
    def back(self) -> Orientation:
        """The turn from the shown image to the raw one."""
        return Orientation({6: 8, 8: 6}.get(self.tag, self.tag), *self.size)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point."""
        left, top, _, _ = self.box((x, y, 0.0, 0.0))
        return left, top

    def box(self, box: Box) -> Box:
        """A box x, y, w, h; its sides stay exactly as long as they are."""
        x, y, w, h = (box[1], box[0], box[3], box[2]) if self.tag >= EXCHANGING else box
        width, height = self.size
        if self.tag in _MIRROR_X:
            x = width - (x + w)
        if self.tag in _MIRROR_Y:
            y = height - (y + h)
        return (x, y, w, h)

    def polygon(self, points: Sequence[float]) -> tuple[float, ...]:
        """An outline x1, y1, x2, y2, …"""
        pairs = zip(points[::2], points[1::2], strict=True)
        return tuple(c for x, y in pairs for c in self.point(x, y))

    def keypoints(self, points: Sequence[float]) -> tuple[float, ...]:
        """Keypoints x, y, v, …; v stays. Points not labelled (v = 0) stay where they are, by custom at 0, 0."""
        triples = zip(points[::3], points[1::3], points[2::3], strict=True)
        return tuple(c for x, y, v in triples for c in ((*self.point(x, y), v) if v else (x, y, v)))

    def image(self, image: Image.Image) -> Image.Image:
        """Pixels."""
        return upright(image, self.tag)

    def mask(self, counts: str) -> str:
        """A mask of the raw size as COCO compressed run lengths; IntegrityError when it does not cover that size."""
        from PIL import Image

        pixels = b"".join((b"\1" if i % 2 else b"\0") * n for i, n in enumerate(read_runs(counts)))
        if len(pixels) != self.width * self.height:
            raise IntegrityError(f"a mask covers {len(pixels)} pixels of an image of {self.width} x {self.height}")
        # run lengths go column by column: as rows they are the image mirrored at its diagonal
        flipped = Image.frombytes("L", (self.height, self.width), pixels)
        turned = self.image(flipped.transpose(Image.Transpose.TRANSPOSE)).transpose(Image.Transpose.TRANSPOSE)
        shown = turned.tobytes()
        runs = [m.end() - m.start() for m in _RUNS.finditer(shown)]
        return write_runs([0, *runs] if shown.startswith(b"\1") else runs)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as it is shown, from its raw pixels; itself for orientation 1."""
    from PIL import Image  # the command line starts without it

    methods = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    method = methods.get(orientation)
    return image if method is None else image.transpose(method)


def raw_points(points: Sequence[float], orientation: int, width: int, height: int) -> list[float]:
    """Points x1, y1, x2, y2, … of the shown image as points of the raw image of that width and height."""
    out: list[float] = []
    for x, y in zip(points[::2], points[1::2], strict=True):
        out.extend(_raw_point(x, y, orientation, width, height))
    return out


def raw_box(box: Box, orientation: int, width: int, height: int) -> Box:
    """A box of the shown image as a box of the raw image of that width and height."""
    x, y, w, h = box
    x1, y1, x2, y2 = raw_points((x, y, x + w, y + h), orientation, width, height)
    turned = (h, w) if orientation >= EXCHANGING else (w, h)
    return (min(x1, x2), min(y1, y2), *turned)


def _raw_point(x: float, y: float, orientation: int, width: int, height: int) -> tuple[float, float]:
    return {
        1: (x, y),
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (y, height - x),
        7: (width - y, height - x),
        8: (width - y, x),
    }[orientation]
