"""The elements of an annotation in CVAT's XML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from imagelake.client.data.sample import Annotation
from imagelake.exports.entries import ExportEntry
from imagelake.exports.folder import ExportFolder
from imagelake.exports.keypoints import has_keypoints, keypoints_of
from imagelake.exports.layouts.cvat.masks import row_mask
from imagelake.exports.xml_text import xml_text

_CLASS = "class"
_OCCLUDED = "occluded"
_KEYPOINTS = ("keypoints", "num_keypoints")
_NESTED = "attributes"
"""Where COCO documents that CVAT wrote keep its attributes."""

_DECIMALS = 6


def shapes(annotation: Annotation, entry: ExportEntry, folder: ExportFolder) -> list[Element]:
    """A box, tag or mask, a polygon for each part, and points; empty, and counted, for what CVAT cannot hold."""
    if annotation.category is None:
        folder.lose(f"{annotation.kind} annotations: the format holds boxes, polygons, masks, points and tags")
        return []
    elements = [*_outlines(annotation), *_points(annotation, entry, folder)]
    if not elements:
        folder.lose(f"{annotation.kind} annotations without a place in their image")
    attributes = attributes_of(annotation)
    is_occluded = _says_yes(attributes.get(_OCCLUDED))
    for element in elements:
        element.set("label", xml_text(annotation.category, folder))
        if element.tag != "tag":
            element.set("occluded", str(int(is_occluded)))
        for name in sorted(attributes.keys() - {_OCCLUDED}):
            SubElement(element, "attribute", name=xml_text(name, folder)).text = _attribute(attributes[name], folder)
    return elements


def attributes_of(annotation: Annotation) -> dict[str, Any]:
    """The attributes of an annotation as CVAT has them, `occluded` among them."""
    attributes = {name: value for name, value in annotation.attributes.items() if name not in _KEYPOINTS}
    nested = attributes.get(_NESTED)
    if isinstance(nested, Mapping) and nested.keys().isdisjoint(attributes):
        del attributes[_NESTED]
        attributes |= nested
    return attributes | ({"is_crowd": True} if annotation.is_crowd else {})


def declared(annotation: Annotation) -> set[str]:
    """The names of attributes that the task must declare for its label."""
    return attributes_of(annotation).keys() - {_OCCLUDED}


def _outlines(annotation: Annotation) -> Iterator[Element]:
    if annotation.kind == _CLASS:
        yield Element("tag")
    elif annotation.polygons is not None:
        for part in annotation.polygons:
            yield Element("polygon", points=_pairs(part))
    elif annotation.rle is not None:
        mask = row_mask(annotation.rle)
        if mask is not None:
            box = {name: str(getattr(mask, name)) for name in ("left", "top", "width", "height")}
            yield Element("mask", {"rle": ", ".join(map(str, mask.runs)), **box})
    elif annotation.bbox is not None:
        x, y, w, h = annotation.bbox
        corners = zip(("xtl", "ytl", "xbr", "ybr"), (x, y, x + w, y + h), strict=True)
        yield Element("box", {name: _number(value) for name, value in corners})


def _points(annotation: Annotation, entry: ExportEntry, folder: ExportFolder) -> Iterator[Element]:
    """The keypoints that are labelled; CVAT's points have no names, so the others' numbers are lost."""
    keypoints = keypoints_of(annotation, entry)
    if keypoints is None:
        unknown = has_keypoints(annotation)
        folder.lose("keypoints of objects in images that EXIF turns: their space is not known", unknown)
        return
    triples = list(zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=True))
    labelled = [(x, y) for x, y, v in triples if v > 0]
    folder.lose("marks of keypoints that are hidden", sum(v == 1 for _, _, v in triples))
    folder.lose("places of keypoints that are not labelled", len(triples) - len(labelled))
    if labelled:
        yield Element("points", points=_pairs([value for point in labelled for value in point]))


def _pairs(values: Sequence[float]) -> str:
    return ";".join(f"{_number(x)},{_number(y)}" for x, y in zip(values[::2], values[1::2], strict=True))


def _number(value: float) -> str:
    return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")


def _attribute(value: Any, folder: ExportFolder) -> str:
    """A value as CVAT writes it: true and false, texts as they are, all else as JSON."""
    return xml_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), folder)


def _says_yes(value: Any) -> bool:
    return value in (True, 1, "1", "true", "True")
