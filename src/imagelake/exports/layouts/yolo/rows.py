"""Rows of YOLO label files: the class, and shares of the image's width and height (docs.ultralytics.com, datasets)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from imagelake.client.data.sample import Annotation
from imagelake.exports.entries import Entry
from imagelake.exports.folder import Folder
from imagelake.exports.keypoints import has_keypoints, keypoints_of
from imagelake.geometry.boxes import Box

Row = Callable[[Annotation, Entry, Folder], str | None]
"""The row of an annotation; None when the format cannot hold it, which is counted."""


_DECIMALS = 10
"""Reading a row gives the pixels back within a thousandth, whatever the image's size."""

_TRIPLE = 3


def box_row(annotation: Annotation, entry: Entry, folder: Folder) -> str | None:
    """`class cx cy w h`."""
    box = _box(annotation, folder)
    if box is None:
        return None
    folder.lose("outlines: only their box is written", annotation.polygons is not None)
    folder.lose("masks: only their box is written", annotation.rle is not None)
    _lose_rest(annotation, folder)
    return _text(annotation, _centred(box, entry))


def outline_row(annotation: Annotation, entry: Entry, folder: Folder) -> str | None:
    """`class x1 y1 x2 y2 …`; a box is a polygon of four corners."""
    if annotation.rle is not None:
        folder.lose("annotations that are masks (RLE): the format holds outlines")
        return None
    box = _box(annotation, folder)
    if box is None:
        return None
    polygon = _corners(box)
    if annotation.polygons is not None:
        polygon = joined(annotation.polygons)
        folder.lose("outlines of several parts: written as one, joined by lines", len(annotation.polygons) > 1)
    shares = [value / side for value, side in zip(polygon, _sides(entry, len(polygon)), strict=True)]
    inside = [min(max(share, 0.0), 1.0) for share in shares]
    folder.lose("outlines that leave the image: their points are moved to its edge", inside != shares)
    _lose_rest(annotation, folder)
    return _text(annotation, inside)


def pose_row(points: int) -> Row:
    """Rows `class cx cy w h x1 y1 v1 …` of so many points; those that are not labelled are 0 0 0."""

    def row(annotation: Annotation, entry: Entry, folder: Folder) -> str | None:
        box = _box(annotation, folder)
        if box is None:
            return None
        keypoints = _keypoints(annotation, entry, folder)
        folder.lose("outlines: only their box is written", annotation.polygons is not None)
        folder.lose("masks: only their box is written", annotation.rle is not None)
        _lose_attributes(annotation, folder)
        return _text(annotation, (*_centred(box, entry), *_points(keypoints, entry, points)))

    return row


def joined(parts: Sequence[Sequence[float]]) -> list[float]:
    """One polygon x1, y1, x2, y2, … of several: each is reached from the nearest corner, and left the same way.

    The way has no width, so the area stays what it is.
    """
    outline = _pairs(parts[0])
    for part in parts[1:]:
        others = _pairs(part)
        at, start = min(
            ((i, j) for i in range(len(outline)) for j in range(len(others))),
            key=lambda ij: _distance(outline[ij[0]], others[ij[1]]),
        )
        outline[at + 1 : at + 1] = [*others[start:], *others[: start + 1], outline[at]]
    return [value for pair in outline for value in pair]


def _box(annotation: Annotation, folder: Folder) -> Box | None:
    """The box of an annotation that a row can be written of."""
    if annotation.bbox is None or annotation.class_index is None:
        folder.lose(f"{annotation.kind} annotations: the format holds objects with a box and a class")
        return None
    if annotation.is_crowd:
        folder.lose("crowd annotations: a row stands for one object")
        return None
    return annotation.bbox


def _lose_rest(annotation: Annotation, folder: Folder) -> None:
    """Count what no row of a box or an outline holds."""
    folder.lose("keypoints", has_keypoints(annotation))
    _lose_attributes(annotation, folder)


def _lose_attributes(annotation: Annotation, folder: Folder) -> None:
    folder.lose("attributes of objects", len(annotation.attributes.keys() - {"keypoints", "num_keypoints"}))


def _centred(box: Box, entry: Entry) -> Box:
    x, y, w, h = box
    return ((x + w / 2) / entry.width, (y + h / 2) / entry.height, w / entry.width, h / entry.height)


def _corners(box: Box) -> list[float]:
    x, y, w, h = box
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def _sides(entry: Entry, numbers: int) -> list[int]:
    return [entry.width, entry.height] * (numbers // 2)


def _keypoints(annotation: Annotation, entry: Entry, folder: Folder) -> list[tuple[float, float, float]]:
    """The keypoints x, y, v; what is not labelled, or outside the image, is 0 0 0."""
    values = keypoints_of(annotation, entry)
    if values is None:
        unknown = has_keypoints(annotation)
        folder.lose("keypoints of objects in images that EXIF turns: their space is not known", unknown)
        return []
    points = [(x, y, v) if v > 0 else (0.0, 0.0, 0.0) for x, y, v in _groups(values, _TRIPLE)]
    inside = [(x, y, v) if 0 <= x <= entry.width and 0 <= y <= entry.height else (0.0, 0.0, 0.0) for x, y, v in points]
    folder.lose("keypoints outside the image", sum(a != b for a, b in zip(points, inside, strict=True)))
    return inside


def _points(keypoints: Sequence[tuple[float, float, float]], entry: Entry, count: int) -> Iterable[float]:
    """Shares, filled up to so many points."""
    for x, y, v in keypoints:
        yield from (x / entry.width, y / entry.height, v)
    yield from (0.0,) * (_TRIPLE * (count - len(keypoints)))


def _groups(values: Sequence[float], size: int) -> Iterable[Sequence[float]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _pairs(points: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(points[::2], points[1::2], strict=True))


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2


def _text(annotation: Annotation, values: Iterable[float]) -> str:
    return " ".join((str(annotation.class_index), *map(_number, values)))


def _number(value: float) -> str:
    """Without exponent, which not every reader takes, and without zeros at the end."""
    return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")
