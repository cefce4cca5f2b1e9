"""Two uploads of one made-up dataset: COCO documents and pictures of shapes, some rows broken on purpose."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imagelake.demo.picture import CLASSES, HEIGHT, WIDTH, Picture, Shape, draw

DATASET = "shapes"
REMOVED = "0055.jpg"
"""The image that the demo takes out before v2; it lies in test."""

_SPLITS = {"train": range(1, 43), "val": range(43, 52), "test": range(52, 61)}
_NEW = {"train": range(61, 64), "val": range(64, 65), "test": range(65, 66)}
_EARLIEST = (1980, 1, 1, 0, 0, 0)

_CUT = 13
"""A JPEG that ends in the middle."""
_TWIN, _ORIGINAL = 60, 5
"""A test image with the bytes of a train image."""
_FLAT = 7
"""Its picture has a box of no height."""
_OUTSIDE = 21
"""Its picture has a box beyond the edge."""


@dataclass(frozen=True)
class _Mistake:
    """A shape that the first upload calls by a wrong name, and the second by its own: picture, place in it, name."""

    number: int
    place: int
    wrong: str


_MISTAKE = _Mistake(12, 1, "square")


def first_upload(folder: Path) -> Path:
    """Sixty pictures in train, val and test: a zip in the folder, the same bytes every time."""
    files: dict[str, bytes] = {}
    for split, numbers in _SPLITS.items():
        pictures = [_delivered(draw(_ORIGINAL if n == _TWIN else n), n) for n in numbers]
        files |= {f"images/{split}/{p.name}": p.jpeg for p in pictures}
        document = _document(pictures, _wrong_names)
        if split == "train":
            _break(document["annotations"])
        files[f"annotations/instances_{split}.json"] = _json(document)
    return _zip(folder / "shapes.zip", files)


def second_upload(folder: Path) -> Path:
    """Five new pictures, and one box under its right name: a zip in the folder, the same bytes every time."""
    files: dict[str, bytes] = {}
    for split, numbers in _NEW.items():
        pictures = [draw(n) for n in numbers]
        files |= {f"images/{split}/{p.name}": p.jpeg for p in pictures}
        mended = [draw(_MISTAKE.number)] if split == "train" else []
        files[f"annotations/instances_{split}.json"] = _json(_document([*mended, *pictures], _right_names))
    return _zip(folder / "shapes-more.zip", files)


def _delivered(picture: Picture, number: int) -> Picture:
    """The picture as the upload holds it, under that number."""
    jpeg = picture.jpeg[: len(picture.jpeg) // 2] if number == _CUT else picture.jpeg
    return replace(picture, number=number, jpeg=jpeg)


def _right_names(picture: Picture) -> tuple[str, ...]:
    return tuple(shape.name for shape in picture.shapes)


def _wrong_names(picture: Picture) -> tuple[str, ...]:
    names = list(_right_names(picture))
    if picture.number == _MISTAKE.number:
        names[_MISTAKE.place] = _MISTAKE.wrong
    return tuple(names)


def _document(pictures: Iterable[Picture], names: Any) -> dict[str, Any]:
    """A COCO instances document: circles have a box, squares and triangles a polygon as well."""
    listed = list(pictures)
    return {
        "info": {"description": "shapes, a made-up dataset", "version": "1.0"},
        "licenses": [{"id": 1, "name": "CC0 1.0"}],
        "categories": [{"id": i, "name": name, "supercategory": "shape"} for i, name in enumerate(CLASSES, start=1)],
        "images": [
            {"id": p.number, "file_name": p.name, "width": WIDTH, "height": HEIGHT, "license": 1} for p in listed
        ],
        "annotations": [
            _annotation(p.number, place, shape, name)
            for p in listed
            for place, (shape, name) in enumerate(zip(p.shapes, names(p), strict=True))
        ],
    }


def _annotation(number: int, place: int, shape: Shape, name: str) -> dict[str, Any]:
    x, y, w, h = shape.box
    outline = [] if shape.name == "circle" else [[c for point in shape.outline for c in point]]
    return {
        "id": number * 10 + place,
        "image_id": number,
        "category_id": CLASSES.index(name) + 1,
        "bbox": [x, y, w, h],
        "area": round(w * h if not outline else _area(shape), 2),
        "segmentation": outline,
        "iscrowd": 0,
    }


def _area(shape: Shape) -> float:
    """By the shoelace formula."""
    points = shape.outline
    turned = zip(points, points[1:] + points[:1], strict=True)
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in turned)) / 2


def _break(annotations: list[dict[str, Any]]) -> None:
    """What real uploads hold: a box of no height, one beyond the edge, one of an image nobody listed."""
    box = {"category_id": 1, "area": 0, "segmentation": [], "iscrowd": 0}
    annotations += [
        {"id": 9001, "image_id": _FLAT, "bbox": [40.0, 60.0, 35.0, 0.0], **box},
        {"id": 9002, "image_id": _OUTSIDE, "bbox": [WIDTH + 40.0, 20.0, 30.0, 30.0], **box},
        {"id": 9003, "image_id": 777, "bbox": [10.0, 10.0, 30.0, 30.0], **box},
    ]


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode()


def _zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """Members stored, in path order, with one fixed time: equal content, equal bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(f"shapes/{name}", _EARLIEST), files[name])
    return path
