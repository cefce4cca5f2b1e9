"""Rows of YOLO label files: class and box, or class and polygon, as shares of the image (Ultralytics data sets)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from imagelake.formats.records import EVERY_KIND, AnnotationRecord, ImageRecord, Issue, Record
from imagelake.formats.refused import Refused, shown
from imagelake.formats.small_documents import MAX_RAW, Unreadable, number, unreadable_issue
from imagelake.formats.text_documents import columns, decoded, lines
from imagelake.formats.yolo.columns import (
    BOX,
    BOX_WIDTH,
    CLASS_WORDS,
    MALFORMED,
    POLYGON,
    POSE,
    REASONS,
    WRONG_COLUMNS,
    are_near,
    class_number,
    decimals,
    is_row,
    kind_of_width,
    shares,
    unread_kind,
)
from imagelake.formats.yolo.names import Classes
from imagelake.geometry.boxes import Box
from imagelake.geometry.polygons import polygon_bounds

_LOOKED_AT = 100
_BY_WIDTH = (WRONG_COLUMNS, MALFORMED, CLASS_WORDS)
"""Rows that are refused for their width, or else for the first value that is wrong."""


@dataclass(frozen=True)
class Place:
    """A label file: its path, the path of its image without the suffix, and the split of that."""

    document: str
    file: str
    split: str | None


def records(place: Place, data: bytes, classes: Classes | None, contradicting: Sequence[str] = ()) -> Iterator[Record]:
    """The annotations of a label file and its image; one issue when it is some other text.

    The image is labelled for the kinds that any label file of the upload holds: files of boxes and polygons are not
    told apart, and an empty one says that there are none of either. contradicting: documents that declare other names
    for the same classes, so that no class has a name.
    """
    document = place.document
    try:
        text = decoded(document, data)
    except Unreadable as problem:
        yield unreadable_issue(document, data, problem)
        return
    first = list(islice(lines(text), _LOOKED_AT))
    if first and not any(is_row(line) for _, line in first):
        yield Issue(
            document=document,
            entity="file",
            locator=f"line {first[0][0]}",
            rule="document.wrong_shape",
            message=f"{shown(first[0][1])} is no row of a class number and shares of the image",
            raw=first[0][1][:MAX_RAW],
        )
        return
    for index, line in lines(text):
        yield _annotation(document, index, line, _Names(classes, contradicting))
    yield ImageRecord(
        document=document,
        ref=document,
        file=place.file,
        locator="",
        by_stem=True,
        split=place.split,
        kinds=(EVERY_KIND,),
    )


@dataclass(frozen=True)
class _Names:
    """The classes of a label file, or the documents that contradict each other about them."""

    classes: Classes | None
    contradicting: Sequence[str]

    @property
    def keypoints(self) -> bool:
        return self.classes is not None and self.classes.keypoints

    def category(self, token: str) -> str:
        """The name of a class; Refused when it has none."""
        index = class_number(token)
        if index is None:
            raise Refused("annotation.category_unknown", f"class {shown(token)}; a number from 0 is needed")
        if self.contradicting:
            documents = " and ".join(self.contradicting)
            raise Refused("annotation.category_unknown", f"class {index}: {documents} give other names; leave one")
        if self.classes is None:
            return f"class_{index}"
        name = self.classes.names.get(index)
        if name is None:
            declared = len(self.classes.names)
            raise Refused("annotation.category_unknown", f"class {index} is not among the {declared} declared")
        return name


def _annotation(document: str, place: int, line: str, names: _Names) -> AnnotationRecord | Issue:
    """The annotation of a row, or why it is refused; a row of neither kind counts as a box."""
    tokens = columns(line)
    kind = kind_of_width(len(tokens))
    kind = None if kind == POLYGON and names.keypoints else kind
    locator = f"line {place}"
    try:
        numbers = _numbers(line, tokens, kind, names)
        category = names.category(tokens[0])
        box = _box(numbers) if kind == BOX else polygon_bounds(numbers)
        if not all(map(math.isfinite, box)):
            raise Refused("annotation.bbox_not_finite", f"{shown(line)}; the box must be finite")
    except Refused as problem:
        return Issue(
            document=document,
            entity="annotation",
            locator=locator,
            rule=problem.rule,
            message=problem.message,
            raw=line[:MAX_RAW],
            image_ref=document,
            kind=kind or BOX,
        )
    return AnnotationRecord(
        document=document,
        image_ref=document,
        locator=locator,
        kind=kind or BOX,
        raw=line[:MAX_RAW],
        category=category,
        bbox=box,
        unit=True,
        decimals=decimals(tokens[1:]),
        polygons=(numbers,) if kind == POLYGON else None,
    )


def _numbers(line: str, tokens: list[str], kind: str | None, names: _Names) -> tuple[float, ...]:
    """The row's coordinates; Refused unless they are finite shares, as many as a box or a polygon has."""
    values = shares(tokens)
    if kind is not None and values is not None and are_near(values):
        return tuple(values)
    looks_like = unread_kind(line)
    if names.keypoints and len(tokens) != BOX_WIDTH:
        looks_like = POSE
    if kind is None or looks_like not in _BY_WIDTH:
        reason = REASONS[WRONG_COLUMNS if looks_like in _BY_WIDTH else looks_like]
        subject = f"{len(tokens)} columns" if looks_like in _BY_WIDTH else shown(line)
        raise Refused("annotation.row_malformed", f"{subject}; {reason}")
    return tuple(map(_coordinate, tokens[1:]))


def _coordinate(token: str) -> float:
    value = number(token)
    if value is None:
        raise Refused("annotation.row_malformed", f"{shown(token)} is no number")
    if not math.isfinite(value):
        raise Refused("annotation.bbox_not_finite", f"{shown(token)}; all coordinates must be finite")
    return value


def _box(numbers: tuple[float, ...]) -> Box:
    """The box around a centre."""
    cx, cy, w, h = numbers
    return (cx - w / 2, cy - h / 2, w, h)
