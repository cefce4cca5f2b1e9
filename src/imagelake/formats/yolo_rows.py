"""Rows of YOLO label files: class and box, or class and polygon, as shares of the image (Ultralytics data sets)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from io import BytesIO
from itertools import islice

from imagelake.formats.geometry import bounds
from imagelake.formats.records import EVERY_KIND, AnnotationRecord, Box, ImageRecord, Issue, Record
from imagelake.formats.refused import Refused, shown
from imagelake.formats.small_documents import MAX_RAW, number
from imagelake.formats.yolo_names import Classes
from imagelake.keys import take_apart

BOX, POLYGON = "box", "polygon"

_BOX_WIDTH = 5
_MIN_POLYGON_WIDTH = 7
_NEAR = (-0.01, 1.01)
_INDEX = re.compile(r"(\d{1,6})(?:\.0*)?", re.ASCII)
_LABEL_FOLDERS = ("labels", "label")
_LOOKED_AT = 100


def is_row(line: str) -> bool:
    """Whether at least half of a line's words are numbers, as even in a defective row."""
    tokens = line.split()
    return 2 * sum(number(token) is not None for token in tokens) >= len(tokens)


def sound_kind(line: str) -> str | None:
    """The kind of a line that is a class number and shares of the image; None for any other line."""
    tokens = line.split()
    kind = _kind(len(tokens), None)
    shares = [number(token) for token in tokens[1:]]
    fits = kind is not None and _INDEX.fullmatch(tokens[0]) is not None
    return kind if fits and all(s is not None and _NEAR[0] <= s <= _NEAR[1] for s in shares) else None


def lines(data: bytes) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1."""
    for place, line in enumerate(BytesIO(data.removeprefix(b"\xef\xbb\xbf")), start=1):
        text = line.decode("utf-8", "replace").strip()
        if text:
            yield place, text


def image_file(document: str) -> str:
    """The path of a label file's image without its suffix: `train/labels/a.txt` is of `train/images/a`."""
    *folders, name = document.split("/")
    for place in range(len(folders) - 1, -1, -1):
        if folders[place].lower() in _LABEL_FOLDERS:
            folders[place] = "images"
            break
    return "/".join([*folders, name.rpartition(".")[0]])


def in_label_folder(path: str) -> bool:
    """Whether a file lies somewhere in a folder for label files."""
    return any(folder.lower() in _LABEL_FOLDERS for folder in path.split("/")[:-1])


def records(document: str, data: bytes, classes: Classes | None) -> Iterator[Record]:
    """The annotations of a label file and its image; one issue when it is some other text.

    The image is labelled for the kinds that any label file of the upload holds: files of boxes and polygons are not
    told apart, and an empty one says that there are none of either.
    """
    first = list(islice(lines(data), _LOOKED_AT))
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
    for place, line in lines(data):
        yield _annotation(document, place, line, classes)
    file = image_file(document)
    split = take_apart(file).split
    yield ImageRecord(
        document=document,
        ref=document,
        file=file,
        locator="",
        by_stem=True,
        split=split,
        kinds=(EVERY_KIND,),
    )


def _annotation(document: str, place: int, line: str, classes: Classes | None) -> AnnotationRecord | Issue:
    """The annotation of a row, or why it is refused; a row of neither kind counts as a box."""
    tokens = line.split()
    kind = _kind(len(tokens), classes)
    locator = f"line {place}"
    try:
        numbers = _numbers(tokens, kind, classes)
        category = _category(tokens[0], classes)
        box = _box(numbers) if kind == BOX else bounds(numbers)
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
        polygons=(numbers,) if kind == POLYGON else None,
    )


def _kind(width: int, classes: Classes | None) -> str | None:
    """What a row of so many columns is: 9 are a polygon of four points, as in oriented boxes."""
    if width == _BOX_WIDTH:
        return BOX
    keypoints = classes is not None and classes.keypoints
    return POLYGON if width >= _MIN_POLYGON_WIDTH and width % 2 and not keypoints else None


def _numbers(tokens: list[str], kind: str | None, classes: Classes | None) -> tuple[float, ...]:
    """The row's coordinates; Refused unless they are finite and as many as a box or a polygon has."""
    if kind is None:
        keypoints = classes is not None and classes.keypoints
        taken = f"a box has {_BOX_WIDTH}, a polygon an odd number from {_MIN_POLYGON_WIDTH}"
        why = "keypoints are not supported yet" if keypoints else taken
        raise Refused("annotation.row_malformed", f"{len(tokens)} columns; {why}")
    found: list[float] = []
    for token in tokens[1:]:
        value = number(token)
        if value is None:
            raise Refused("annotation.row_malformed", f"{shown(token)} is no number")
        if not math.isfinite(value):
            raise Refused("annotation.bbox_not_finite", f"{shown(token)}; all coordinates must be finite")
        found.append(value)
    return tuple(found)


def _category(token: str, classes: Classes | None) -> str:
    index = _INDEX.fullmatch(token)
    if index is None:
        raise Refused("annotation.category_unknown", f"class {shown(token)}; a number from 0 is needed")
    if classes is None:
        return f"class_{int(index.group(1))}"
    name = classes.names.get(int(index.group(1)))
    if name is None:
        raise Refused(
            "annotation.category_unknown", f"class {index.group(1)} is not among the {len(classes.names)} declared"
        )
    return name


def _box(numbers: tuple[float, ...]) -> Box:
    """The box around a centre."""
    cx, cy, w, h = numbers
    return (cx - w / 2, cy - h / 2, w, h)
