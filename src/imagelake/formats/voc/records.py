"""A VOC document as records: its image, and a box for each object (VOC2012 development kit, section 6)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from imagelake.formats.names import FileName, category_name
from imagelake.formats.records import AnnotationRecord, ImageRecord, Issue, Record
from imagelake.formats.refused import Refused, shown
from imagelake.formats.small_documents import Unreadable, number, stem, unreadable_issue
from imagelake.formats.voc import xml
from imagelake.formats.voc.images import ends_alike, placed, written_name
from imagelake.geometry.boxes import Box, voc_to_bbox

KIND = "box"

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_IMAGE_FIELDS = ("filename", "folder", "path", "size", "object")
_OBJECT_FIELDS = ("name", "bndbox")
_FLAGS = ("truncated", "difficult", "occluded")


@dataclass(frozen=True)
class Place:
    """What the plan knows of a document: the image of its stem, whether filenames hold, its split."""

    document: str
    mate: str | None
    filenames_hold: bool
    split: str | None


def records(place: Place, data: bytes) -> Iterator[Record]:
    """The image and the annotations of a document; one issue when it cannot be read."""
    try:
        root = xml.parse_xml(data)
        if root.tag != "annotation":
            raise Unreadable("document.wrong_shape", f"the root is {shown(root.tag)}; annotation is needed")
    except Unreadable as problem:
        yield unreadable_issue(place.document, data, problem)
        return
    yield _image(place, root)
    for index, element in enumerate(root.findall("object")):
        yield _annotation(place.document, f"object[{index}]", element)


def _image(place: Place, root: Element) -> ImageRecord | Issue:
    filename = root.find("filename")
    warnings: list[str] = []
    try:
        name = written_name(xml.text_of(filename))
    except ValueError as problem:
        return Issue(
            document=place.document,
            entity="image",
            locator="filename",
            rule="image.path_hostile",
            message=str(problem),
            raw=xml.fragment(filename) if filename is not None else "",
            image_ref=place.document,
        )
    if name is not None and name.backslash:
        warnings.append("image.backslash")
    mate = place.mate if _is_of_mate(place, name) else None
    size = root.find("size")
    return ImageRecord(
        document=place.document,
        ref=place.document,
        file=mate or _file(place, name),
        locator="filename",
        by_stem=mate is None and name is None,
        absolute=mate is None and name is not None and name.absolute,
        width=_side(size, "width", warnings),
        height=_side(size, "height", warnings),
        split=place.split,
        kinds=(KIND,),
        attributes=_image_attributes(root, size),
        warnings=tuple(warnings),
    )


def _is_of_mate(place: Place, name: FileName | None) -> bool:
    """Whether the document is of the image of its stem: unless its filename element names another one."""
    if name is None or place.mate is None:
        return True
    if stem(name.file) != stem(place.document) and place.filenames_hold:
        return False
    is_bare = name.absolute or "/" not in name.file
    beside = _without_name(place.mate) == _without_name(place.document)
    return is_bare or beside or ends_alike(name.file, place.mate)


def _without_name(path: str) -> str:
    """The folders of a path but for those that tell documents from images."""
    return placed(path).key.rpartition("/")[0]


def _file(place: Place, name: FileName | None) -> str:
    """The image's name as written, or the document's stem; in the document's folder when it names none."""
    if name is not None and name.absolute:
        return name.file
    file = stem(place.document) if name is None else name.file
    folder = _without_name(place.document)
    return f"{folder}/{file}" if folder and "/" not in file else file


def _image_attributes(root: Element, size: Element | None) -> dict[str, Any]:
    attributes = xml.members_of(root, _IMAGE_FIELDS)
    if "segmented" in attributes:
        attributes["segmented"] = xml.flag(attributes["segmented"])
    depth = xml.text_of(size.find("depth")) if size is not None else ""
    if depth:
        channels = _whole(number(depth))
        attributes["depth"] = depth if channels is None else channels
    return attributes


def _side(size: Element | None, name: str, warnings: list[str]) -> int | None:
    """A declared width or height. Labelling tools that could not open the image write 0: not given."""
    text = xml.text_of(size.find(name)) if size is not None else ""
    side = _whole(number(text)) if text else 0
    if side is None and "image.size_invalid" not in warnings:
        warnings.append("image.size_invalid")
    return side or None


def _whole(value: float | None) -> int | None:
    """A number as a whole one from 0 to 2**31 - 1; None when it is none."""
    return int(value) if value is not None and value.is_integer() and 0 <= value < 1 << 31 else None


def _annotation(document: str, locator: str, element: Element) -> AnnotationRecord | Issue:
    raw = xml.fragment(element)
    try:
        box = _box(element)
        category = category_name(xml.text_of(element.find("name")))
        if not category:
            raise Refused("annotation.category_unknown", "the object has no name; a class name is needed")
    except Refused as problem:
        return Issue(
            document=document,
            entity="annotation",
            locator=locator,
            rule=problem.rule,
            message=problem.message,
            raw=raw,
            image_ref=document,
            kind=KIND,
        )
    attributes = xml.members_of(element, _OBJECT_FIELDS)
    attributes.update({key: xml.flag(attributes[key]) for key in _FLAGS if key in attributes})
    return AnnotationRecord(
        document=document,
        image_ref=document,
        locator=locator,
        kind=KIND,
        raw=raw,
        category=category,
        bbox=box,
        attributes=attributes,
    )


def _box(element: Element) -> Box:
    """The box of an object; Refused when its corners are no finite numbers, or in the wrong order."""
    found = element.find("bndbox")
    if found is None:
        raise Refused("annotation.bbox_invalid", f"the object has no bndbox; give {', '.join(_CORNERS)}")
    corners = [_corner(found, name) for name in _CORNERS]
    xmin, ymin, xmax, ymax = corners
    if xmax <= xmin or ymax <= ymin:
        said = " ".join(f"{name}={value:.10g}" for name, value in zip(_CORNERS, corners, strict=True))
        raise Refused("annotation.box_degenerate", f"{said}: xmax and ymax must be larger than xmin and ymin")
    box = voc_to_bbox(xmin, ymin, xmax, ymax)
    if not all(map(math.isfinite, box)):
        raise Refused("annotation.bbox_not_finite", f"corners {corners}; width and height must be finite")
    return box


def _corner(bndbox: Element, name: str) -> float:
    text = xml.text_of(bndbox.find(name))
    value = number(text)
    if value is None:
        raise Refused("annotation.bbox_invalid", f"{name} is {shown(text)}; a number of pixels is needed")
    if not math.isfinite(value):
        raise Refused("annotation.bbox_not_finite", f"{name} is {shown(text)}; all four corners must be finite")
    return value
