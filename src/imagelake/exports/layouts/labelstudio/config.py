"""The labelling interface of a `labelstudio` export."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from imagelake.exports.base import ExportContent
from imagelake.exports.entries import entries
from imagelake.exports.folder import ExportFolder
from imagelake.exports.keypoints import keypoints_of
from imagelake.exports.xml_text import xml_text

_TRIPLE = 3


def config(content: ExportContent, folder: ExportFolder) -> bytes:
    """Tools for boxes, polygons and classes with every class in its order, and for as many keypoints as objects have.

    A label is what it is called, so its name is its value; XML's writer escapes it.
    """
    classes = [category.name for category in content.categories if category.train_index is not None]
    view = Element("View")
    SubElement(view, "Image", name="image", value="$image", zoom="true")
    for tag, name in (("RectangleLabels", "rectangle"), ("PolygonLabels", "polygon")):
        _labels(SubElement(view, tag, name=name, toName="image"), "Label", classes, folder)
    most = _most_points(content)
    if most:
        keypoints = SubElement(view, "KeyPointLabels", name="keypoint", toName="image")
        for number in range(most):  # the order of keypoints, for Label Studio's own exports
            SubElement(keypoints, "Label", value=str(number + 1), model_index=str(number))
    choices = SubElement(view, "Choices", name="class", toName="image", choice="multiple")
    _labels(choices, "Choice", classes, folder)
    indent(view)
    return f"{tostring(view, encoding='unicode')}\n".encode()


def _labels(parent: Element, tag: str, labels: Sequence[str], folder: ExportFolder) -> None:
    for label in labels:
        SubElement(parent, tag, value=xml_text(label, folder))


def _most_points(content: ExportContent) -> int:
    return max(
        (
            len(points) // _TRIPLE
            for entry in entries(content.samples)
            for annotation in entry.annotations
            if (points := keypoints_of(annotation, entry)) is not None
        ),
        default=0,
    )
