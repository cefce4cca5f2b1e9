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
from imagelake.geometry.upright import upright

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]

_MIRROR_X = frozenset((2, 3, 6, 7))
"""Orientations whose shown x runs against the raw axis it comes from; 5 to 8 exchange the axes as well."""
_MIRROR_Y = frozenset((3, 4, 7, 8))
_EXCHANGE = 5
_RUNS = re.compile(b"\0+|\1+")


@dataclass(frozen=True)
class Turn:
    """Turns what belongs to a raw image of a size in pixels into the space of the shown one."""

    orientation: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the shown image."""
        return (self.height, self.width) if self.orientation >= _EXCHANGE else (self.width, self.height)

    @property
    def back(self) -> Turn:
        """The turn from the shown image to the raw one."""
        return Turn({6: 8, 8: 6}.get(self.orientation, self.orientation), *self.size)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point."""
        left, top, _, _ = self.box((x, y, 0.0, 0.0))
        return left, top

    def box(self, box: Box) -> Box:
        """A box x, y, w, h; its sides stay exactly as long as they are."""
        x, y, w, h = (box[1], box[0], box[3], box[2]) if self.orientation >= _EXCHANGE else box
        width, height = self.size
        if self.orientation in _MIRROR_X:
            x = width - (x + w)
        if self.orientation in _MIRROR_Y:
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
        return upright(image, self.orientation)

    def mask(self, counts: str) -> str:
        """A mask of the raw size as COCO compressed run lengths; IntegrityError when it does not cover that size."""
        from PIL import Image

        pixels = b"".join((b"\1" if i % 2 else b"\0") * n for i, n in enumerate(read_runs(counts)))
        if len(pixels) != self.width * self.height:
            raise IntegrityError(f"a mask covers {len(pixels)} pixels of an image of {self.width} x {self.height}")
        # run lengths go column by column: as rows they are the image mirrored at its diagonal
        flipped = Image.frombytes("L", (self.height, self.width), pixels)
        turned = self.image(flipped.transpose(Image.Transpose.TRANSPOSE)).transpose(Image.Transpose.TRANSPOSE)
        found = turned.tobytes()
        runs = [m.end() - m.start() for m in _RUNS.finditer(found)]
        return write_runs([0, *runs] if found.startswith(b"\1") else runs)


def read_runs(counts: str) -> list[int]:
    """Run lengths of COCO's compressed text: groups of five bits, lowest first; from the fourth run on differences to
    the run two before (COCO API, mask format)."""
    runs: list[int] = []
    value = shift = 0
    for char in counts.encode():
        group = char - 48
        value |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def write_runs(runs: Sequence[int]) -> str:
    """Run lengths as COCO's compressed text."""
    text = bytearray()
    for place, run in enumerate(runs):
        value, more = run - (runs[place - 2] if place > 2 else 0), True
        while more:
            group = value & 0x1F
            value >>= 5
            more = value != (-1 if group & 0x10 else 0)
            text.append(48 + (group | (0x20 if more else 0)))
    return text.decode()
