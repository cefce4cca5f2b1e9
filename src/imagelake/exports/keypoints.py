"""Keypoints of annotations, wherever an upload put them."""

from __future__ import annotations

from imagelake.client.data.sample import Annotation
from imagelake.exports.entries import ExportEntry

_TRIPLE = 3


def keypoints_of(annotation: Annotation, entry: ExportEntry) -> tuple[float, ...] | None:
    """x, y, v, … in the space of the entry; None when there are none, or nobody knows in which space they are.

    COCO uploads leave them among the attributes, as they were written: of an image that EXIF turns that may be either
    space.
    """
    if annotation.keypoints is not None:
        return annotation.keypoints
    return _listed(annotation) if entry.orientation == 1 else None


def has_keypoints(annotation: Annotation) -> bool:
    """Whether there are keypoints, in a known space or not."""
    return annotation.keypoints is not None or _listed(annotation) is not None


def _listed(annotation: Annotation) -> tuple[float, ...] | None:
    values = annotation.attributes.get("keypoints")
    if not isinstance(values, list) or not values or len(values) % _TRIPLE:
        return None
    return tuple(map(float, values)) if all(type(value) in (int, float) for value in values) else None
