"""The real uploads read in plain Python, without imagelake: pictures, boxes and classes as their files have them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from PIL import Image

from report_statistics import Box, Picture

_PICTURES = (".jpg", ".jpeg", ".png")
_SPLITS = {"train": "train", "train2017": "train", "val2017": "val", "valid": "val", "test": "test"}
"""Folder to split."""


@dataclass(frozen=True)
class Raw:
    """What an upload holds; `roots` are categories that other categories name as their parent and nothing else."""

    pictures: tuple[Picture, ...]
    boxes: tuple[Box, ...]
    names: tuple[str, ...]
    roots: tuple[str, ...] = ()

    def in_splits(self, split_of: Mapping[str, str]) -> Raw:
        """The same with the splits of pictures by file name, for uploads that name none."""
        placed = (replace(p, split=split_of[PurePosixPath(p.key).name]) for p in self.pictures)
        return replace(self, pictures=tuple(placed))


def read(path: Path) -> Raw:
    """The upload at a path: Pascal VOC or COCO by its name."""
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if "__MACOSX" not in n and not PurePosixPath(n).name.startswith(".")]
        return _voc(archive, names) if path.stem.endswith("voc") else _coco(archive, names)


def _voc(archive: zipfile.ZipFile, names: list[str]) -> Raw:
    splits = {
        stem: PurePosixPath(name).stem
        for name in names
        if PurePosixPath(name).parent.name == "Main" and PurePosixPath(name).stem in ("train", "val", "test")
        for stem in archive.read(name).decode().split()
    }
    pictures = tuple(
        _picture(name, archive.read(name), splits.get(PurePosixPath(name).stem))
        for name in names
        if name.lower().endswith(_PICTURES)
    )
    by_name = {PurePosixPath(p.key).name: p for p in pictures}
    boxes = tuple(
        box
        for name in names
        if name.endswith(".xml")
        for document in [ElementTree.fromstring(archive.read(name))]
        for box in _voc_boxes(document, by_name[str(document.findtext("filename"))])
    )
    return Raw(pictures, boxes, tuple({b.category for b in boxes}))


def _voc_boxes(document: ElementTree.Element, picture: Picture) -> Iterator[Box]:
    for entry in document.iter("object"):
        corners = (float(entry.findtext(f"bndbox/{c}") or "nan") for c in ("xmin", "ymin", "xmax", "ymax"))
        left, top, right, bottom = corners
        if right > left and bottom > top:
            yield _cut(picture, str(entry.findtext("name")), (left, top, right, bottom))


def _coco(archive: zipfile.ZipFile, names: list[str]) -> Raw:
    pictures: list[Picture] = []
    boxes: list[Box] = []
    declared: dict[str, str | None] = {}
    for name in (n for n in names if n.endswith(".json")):
        document = json.loads(archive.read(name))
        listed = {entry["file_name"] for entry in document["images"]}
        folder = _folder(name, listed, names)
        by_id = {}
        for entry in document["images"]:
            path = f"{folder}/{entry['file_name']}"
            by_id[entry["id"]] = _picture(path, archive.read(path), _SPLITS[folder])
        pictures += by_id.values()
        categories = {c["id"]: c["name"] for c in document["categories"]}
        declared |= {c["name"]: c.get("supercategory") for c in document["categories"]}
        for entry in document["annotations"]:
            x, y, w, h = entry["bbox"]
            boxes.append(_cut(by_id[entry["image_id"]], categories[entry["category_id"]], (x, y, x + w, y + h)))
    used = {box.category for box in boxes}
    roots = tuple(name for name in declared if name in declared.values() and name not in used)
    return Raw(tuple(pictures), tuple(boxes), tuple(n for n in declared if n not in roots), roots)


def _folder(document: str, listed: set[str], names: list[str]) -> str:
    """The folder that has the images of a document: its own, else the one with the most of them."""
    own = str(PurePosixPath(document).parent)
    counts = {folder: sum(f"{folder}/{name}" in names for name in listed) for folder in (own, *_SPLITS)}
    return max(counts, key=lambda folder: counts[folder])


def _picture(path: str, data: bytes, split: str | None) -> Picture:
    with Image.open(io.BytesIO(data)) as image:
        return Picture(path, *image.size, hashlib.sha256(data).hexdigest(), split)


def _cut(picture: Picture, category: str, corners: tuple[float, float, float, float]) -> Box:
    """A box cut to its picture."""
    left, top = (max(0.0, v) for v in corners[:2])
    right, bottom = min(float(picture.width), corners[2]), min(float(picture.height), corners[3])
    return Box(picture.key, category, right - left, bottom - top)
