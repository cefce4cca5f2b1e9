"""Annotations as JSON, for formats that leave it to their readers what is in a sample."""

from __future__ import annotations

from typing import Any

from imagelake.client.data.sample import Annotation
from imagelake.exports.base import Category
from imagelake.exports.entries import ExportEntry


def entry_as_json(entry: ExportEntry, oriented: bool) -> dict[str, Any]:
    """Everything about an image: coordinates are pixels, `rle` is COCO's compressed run lengths.

    `oriented` says whether size and coordinates are those of the image as EXIF shows it, or of the stored one.
    """
    return {
        "key": entry.key,
        "split": entry.split,
        "width": entry.width,
        "height": entry.height,
        "orientation": entry.orientation,
        "oriented": oriented,
        "content_hash": entry.content_hash,
        "labelled": list(entry.labelled),
        "attributes": dict(entry.attributes),
        "annotations": [annotation_as_json(annotation) for annotation in entry.annotations],
    }


def annotation_as_json(annotation: Annotation) -> dict[str, Any]:
    """An annotation without the fields that say nothing."""
    size = None if annotation.rle is None else list(annotation.rle[:2])
    members = {
        "kind": annotation.kind,
        "category": annotation.category,
        "class_index": annotation.class_index,
        "bbox": annotation.bbox,
        "polygons": annotation.polygons,
        "rle": None if annotation.rle is None else {"size": size, "counts": annotation.rle[2]},
        "keypoints": annotation.keypoints,
        "area": annotation.area,
        "is_crowd": annotation.is_crowd,
        "attributes": dict(annotation.attributes) or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def categories_as_json(categories: tuple[Category, ...]) -> list[dict[str, Any]]:
    """The categories in the order of their training indexes, root categories last."""
    return [
        {
            "index": category.train_index,
            "name": category.name,
            "supercategory": category.supercategory,
            "attributes": dict(category.attributes),
        }
        for category in categories
    ]
