"""A picture with what is drawn over it: shapes in pixels of the shown image, sharp at any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imagelake.client.sql_text import Row
from imagelake.geometry.boxes import Box
from imagelake.geometry.orientation import Orientation
from imagelake.report.sketch import MOST_DRAWN

_MARGIN = 0.5
"""A refused box outside its image widens the view by at most this share of the image."""

_MOST_NUMBERS = 1_000
"""Coordinates of all outlines of a picture; annotations beyond are drawn as their boxes."""

_SMALL = 0.03
"""A box thinner than this share of its image gets a ring around it, or nobody would see it."""


@dataclass(frozen=True)
class Shape:
    """An SVG path, or a ring (cx, cy, r); `look` is its CSS class, `title` what it is."""

    look: str
    title: str
    path: str | None = None
    ring: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Scene:
    """A picture by name in the album, with shapes.

    `view` is the visible x, y, w, h; `label` the text that stands for it; `note` what the drawing leaves out.
    """

    picture: str
    label: str
    width: int
    height: int
    view: Box
    shapes: tuple[Shape, ...]
    note: str | None = None


def turn_of(row: Row) -> Orientation:
    """How a row of scope.image_rows is to be shown."""
    return Orientation(row["orientation"], row["width"], row["height"])


def shapes(rows: Iterable[Row], turn: Orientation, look: str) -> list[Shape]:
    """Annotations as shapes of one look; those without a place have none, and outlines only while they are few."""
    drawn: list[Shape] = []
    room = _MOST_NUMBERS
    for row in rows:
        room -= sum(map(len, row["polygons"] or ()))
        drawn += _of_annotation(row if room >= 0 else row | {"polygons": None}, turn, look)
    return drawn


def refused_shapes(box: Box, size: tuple[int, int], title: str) -> list[Shape]:
    """A refused box, and a ring around it when it is too thin to be seen."""
    ring = _ring(box, size)
    rings = [Shape("rejected", title, ring=ring)] if ring is not None else []
    return [_box_shape(box, "rejected", title), *rings]


def _box_shape(box: Box, look: str, title: str) -> Shape:
    x, y, w, h = box
    return Shape(look, title, f"M{x:.1f} {y:.1f}h{w:.1f}v{h:.1f}h{-w:.1f}z")


def _ring(box: Box, size: tuple[int, int]) -> tuple[float, float, float] | None:
    """Centre and radius of the ring around a thin box; None for one that can be seen."""
    x, y, w, h = box
    if min(abs(w), abs(h)) >= _SMALL * min(size):
        return None
    return (x + w / 2, y + h / 2, max(abs(w), abs(h)) / 2 + _SMALL * max(size))


def scene(picture: str, label: str, size: tuple[int, int], drawn: Sequence[Shape], total: int = 0) -> Scene:
    """A picture of a shown size; `total` is the number of its annotations, of which MOST_DRAWN were read at most."""
    width, height = size
    note = f"{MOST_DRAWN} of {total:,} annotations are drawn" if total > MOST_DRAWN else None
    return Scene(picture, label, width, height, (0, 0, width, height), tuple(drawn), note)


def view_with(box: Box, size: tuple[int, int]) -> Box:
    """The visible part that has the image and, as far as it is near, a box outside and the ring around a thin one."""
    width, height = size
    x, y, w, h = box
    ring = _ring(box, size)
    if ring is not None:
        centre_x, centre_y, radius = ring
        x, y, w, h = centre_x - radius, centre_y - radius, 2 * radius, 2 * radius
    edge = 0.01 * max(size)
    left = max(min(0.0, x - edge), -_MARGIN * width)
    top = max(min(0.0, y - edge), -_MARGIN * height)
    right = min(max(float(width), x + w + edge), (1 + _MARGIN) * width)
    bottom = min(max(float(height), y + h + edge), (1 + _MARGIN) * height)
    return (left, top, right - left, bottom - top)


def is_near(box: Box, size: tuple[int, int]) -> bool:
    """Whether some of the box is in the widest view."""
    x, y, w, h = box
    width, height = size
    wide, high = _MARGIN * width, _MARGIN * height
    return x < width + wide and y < height + high and x + w > -wide and y + h > -high


def _of_annotation(row: Row, turn: Orientation, look: str) -> list[Shape]:
    title = f"{row['category'] or 'without a class'} ({row['kind']})"
    found = []
    if row["polygons"]:
        found.append(Shape(look, title, "".join(_outline(turn.polygon(p)) for p in row["polygons"])))
    elif row["bbox"] is not None:
        box = row["bbox"]
        found.append(_box_shape(turn.box((box["x"], box["y"], box["w"], box["h"])), look, title))
    points = turn.keypoints(row["keypoints"] or [])
    radius = 0.008 * max(turn.size)
    found += [
        Shape(look, title, ring=(x, y, radius))
        for x, y, v in zip(points[::3], points[1::3], points[2::3], strict=True)
        if v
    ]
    return found


def _outline(numbers: Sequence[float]) -> str:
    points = [f"{x:.1f} {y:.1f}" for x, y in zip(numbers[::2], numbers[1::2], strict=False)]
    return f"M{'L'.join(points)}z" if points else ""
