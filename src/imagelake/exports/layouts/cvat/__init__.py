"""`cvat`: CVAT for images 1.1, an XML document beside the images.

Sizes and coordinates are those of the image as EXIF shows it, which is what CVAT shows. A tag on each image holds its
key, content hash and split as attributes, which CVAT gives back as they are: an attribute `subset` would hide the image
from readers that take the document's own name for the only one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from typing import ClassVar
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from imagelake.exports import unique_names
from imagelake.exports.base import Category, ExportContent
from imagelake.exports.entries import ExportEntry, entries, note_renamed, note_space
from imagelake.exports.folder import ExportFolder
from imagelake.exports.layouts.cvat.shapes import declared, shapes
from imagelake.exports.xml_text import xml_text

_TAG = "imagelake"
_TAG_ATTRIBUTES = ("image_key", "content_hash", "split", "labelled", "attributes")


_TEXT: Mapping[str, str] = {"mutable": "False", "input_type": "text", "default_value": "", "values": ""}
"""An attribute of free text, as CVAT declares it."""


class Cvat:
    """`annotations.xml`, and the images in `images/`."""

    name: ClassVar[str] = "cvat"
    has_unlabelled: ClassVar[bool] = True
    oriented: ClassVar[bool] = True

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write the document image by image. The tag says for which kinds an image is labelled: `-` for none."""
        samples = content.samples
        keys = samples.rows["image_key"].to_pylist()
        paths = unique_names.paths(keys, keys)
        note_renamed(folder, keys, paths)
        note_space(samples, folder)
        tag = _free_name(content.categories)
        groups = 0
        with folder.open("annotations.xml") as out:
            out.write(b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
            out.write(_bytes(_meta(content, tag, folder)))
            for entry in entries(samples):
                image = _image(entry, paths[entry.index], tag, folder)
                for annotation in entry.annotations:
                    elements = shapes(annotation, entry, folder)
                    if len(elements) > 1:
                        groups += 1
                        for element in elements:
                            element.set("group_id", str(groups))
                    image.extend(elements)
                out.write(_bytes(image))
            out.write(b"</annotations>\n")
        folder.write_images(samples, [f"images/{path}" for path in paths])


def _bytes(element: Element) -> bytes:
    indent(element)
    return f"{tostring(element, encoding='unicode')}\n".encode()


def _free_name(categories: Sequence[Category]) -> str:
    """The label of the tag: none of the data set's own."""
    name = _TAG
    while name in {category.name for category in categories}:
        name += "_"
    return name


def _image(entry: ExportEntry, path: str, tag: str, folder: ExportFolder) -> Element:
    sizes = {"width": str(entry.width), "height": str(entry.height)}
    image = Element("image", {"id": str(entry.index), "name": path, **sizes})
    element = SubElement(image, "tag", label=tag)
    labelled, attributes = ",".join(entry.labelled) or "-", json.dumps(dict(entry.attributes))
    values = (entry.key, entry.content_hash, entry.split, labelled, attributes)
    for name, value in zip(_TAG_ATTRIBUTES, values, strict=True):
        SubElement(element, "attribute", name=name).text = xml_text(value, folder)
    return image


def _meta(content: ExportContent, tag: str, folder: ExportFolder) -> Element:
    """What CVAT needs to make the task: labels in the order of the classes, with the attributes that they have."""
    attributes: dict[str, set[str]] = {}
    for entry in entries(content.samples):
        for annotation in entry.annotations:
            if annotation.category is not None:
                attributes.setdefault(annotation.category, set()).update(declared(annotation))
    meta = Element("meta")
    task = SubElement(meta, "task")
    for name, value in (("name", content.about.title or content.about.dataset), ("size", len(content.samples))):
        SubElement(task, name).text = xml_text(value, folder)
    SubElement(task, "mode").text = "annotation"
    labels = SubElement(task, "labels")
    for category in content.categories:
        if category.train_index is not None:
            _label(labels, category.name, attributes.get(category.name, set()), folder)
    _label(labels, tag, set(_TAG_ATTRIBUTES), folder)
    return meta


def _label(labels: Element, name: str, attributes: Set[str], folder: ExportFolder) -> None:
    label = SubElement(labels, "label")
    for member, value in (("name", name), ("type", "any")):
        SubElement(label, member).text = xml_text(value, folder)
    declarations = SubElement(label, "attributes")
    for attribute in sorted(attributes):
        _members(SubElement(declarations, "attribute"), {"name": xml_text(attribute, folder), **_TEXT})


def _members(parent: Element, members: Mapping[str, str]) -> None:
    for name, text in members.items():
        SubElement(parent, name).text = text
