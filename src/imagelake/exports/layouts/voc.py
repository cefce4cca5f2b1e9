"""`voc`: an XML document for each image, splits in lists (VOC2012 development kit).

Corners count pixels from 1 and both belong to the object, as this lake reads them: what came from VOC goes back as it
came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any, ClassVar
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from imagelake.client.data.sample import Annotation
from imagelake.exports import unique_names
from imagelake.exports.base import ExportContent
from imagelake.exports.entries import ExportEntry, entries, note_renamed, note_space
from imagelake.exports.folder import ExportFolder
from imagelake.exports.xml_text import xml_text
from imagelake.geometry.boxes import bbox_to_voc

_IMAGES = "JPEGImages"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_IMAGE_FIELDS = frozenset(("filename", "folder", "path", "size", "object"))
_OBJECT_FIELDS = frozenset(("name", "bndbox"))
_DECIMALS = 9
"""More digits than any corner has, and fewer than rounding errors reach."""

_NAME = re.compile(r"(?!xml)[A-Za-z_][A-Za-z0-9_.-]*", re.IGNORECASE)


class Voc:
    """`Annotations/….xml`, `JPEGImages/…` and `ImageSets/Main/<split>.txt`."""

    name: ClassVar[str] = "voc"
    has_unlabelled: ClassVar[bool] = False
    oriented: ClassVar[bool] = False

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write documents, lists and images. Images without a split are in no list."""
        samples = content.samples
        keys, splits = samples.rows["image_key"].to_pylist(), samples.rows["split"].to_pylist()
        paths = unique_names.stems(keys, keys)
        note_renamed(folder, keys, paths)
        note_space(samples, folder)
        for entry in entries(samples):
            document = _document(entry, paths[entry.index], folder)
            indent(document, "\t")
            data = tostring(document, encoding="utf-8")
            folder.write(f"Annotations/{unique_names.stem(paths[entry.index])}.xml", data + b"\n")
        _write_lists(folder, splits, paths)
        folder.write_images(samples, [f"{_IMAGES}/{path}" for path in paths])


def _write_lists(folder: ExportFolder, splits: Sequence[str | None], paths: Sequence[str]) -> None:
    lists = unique_names.split_folders(set(splits), "")
    for split in sorted({split for split in splits if split is not None}):
        members = [unique_names.stem(path) for path, own in zip(paths, splits, strict=True) if own == split]
        text = "".join(f"{member}\n" for member in members)
        folder.write(f"ImageSets/Main/{lists[split]}.txt", text.encode())


def _document(entry: ExportEntry, path: str, folder: ExportFolder) -> Element:
    root = Element("annotation")
    _add(root, "folder", _IMAGES, folder)
    _add(root, "filename", path.rpartition("/")[2], folder)
    attributes = dict(entry.attributes)
    depth = {"depth": attributes.pop("depth")} if "depth" in attributes else {}
    _add(root, "size", {"width": entry.width, "height": entry.height, **depth}, folder)
    _add_attributes(root, attributes, _IMAGE_FIELDS, folder)
    for annotation in entry.annotations:
        _add_object(root, annotation, folder)
    return root


def _add_object(root: Element, annotation: Annotation, folder: ExportFolder) -> None:
    if annotation.bbox is None or annotation.category is None:
        folder.lose(f"{annotation.kind} annotations: the format holds boxes")
        return
    xmin, ymin, xmax, ymax = corners = bbox_to_voc(annotation.bbox)
    if xmax <= xmin or ymax <= ymin:
        folder.lose("annotations of one pixel across or less: readers take their corners for an empty box")
        return
    element = SubElement(root, "object")
    _add(element, "name", annotation.category, folder)
    _add_attributes(element, annotation.attributes, _OBJECT_FIELDS, folder)
    box = {name: _number(value) for name, value in zip(_CORNERS, corners, strict=True)}
    _add(element, "bndbox", box, folder)
    folder.lose("outlines: only their box is written", annotation.polygons is not None)
    folder.lose("masks: only their box is written", annotation.rle is not None)
    folder.lose("keypoints", annotation.keypoints is not None)
    folder.lose("crowd marks", annotation.is_crowd)


def _add_attributes(parent: Element, attributes: Mapping[str, Any], fields: Set[str], folder: ExportFolder) -> None:
    """Elements for attributes, in the order of their names, those named like fields of VOC left out."""
    folder.lose("attributes named like elements of VOC", len(fields & attributes.keys()))
    for name in sorted(attributes.keys() - fields):
        _add(parent, name, attributes[name], folder)


def _add(parent: Element, name: str, value: Any, folder: ExportFolder) -> None:
    """An element of this value; of a list one for each item, of an object one that holds its members."""
    if not _NAME.fullmatch(name):
        folder.lose("attributes whose names XML cannot hold")
    elif isinstance(value, list):
        folder.lose("attributes that are empty lists", not value)
        for item in value:
            _add(parent, name, item, folder)
    elif isinstance(value, dict):
        element = SubElement(parent, name)
        for key, inner in value.items():
            _add(element, key, inner, folder)
    else:
        SubElement(parent, name).text = xml_text(value, folder)


def _number(value: float) -> str:
    """A corner; whole ones without a point, as the kit's own readers need them."""
    return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")
