"""`labelstudio`: tasks to import and the labelling interface for them (labelstud.io, JSON format, tags).

Coordinates are percents of the image as a browser shows it. `data` holds the key and the content hash, which Label
Studio gives back as they are. Where the lake is a bucket, images are presigned URLs; those that are no objects of their
own, and all of a lake in a folder, are written beside and named as files of a local storage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from imagelake.client.data.sample import Annotation
from imagelake.exports import unique_names
from imagelake.exports.base import ExportContent
from imagelake.exports.entries import ExportEntry, entries, note_renamed, note_space
from imagelake.exports.folder import ExportFolder
from imagelake.exports.image_urls import image_urls
from imagelake.exports.keypoints import has_keypoints, keypoints_of
from imagelake.exports.layouts.labelstudio.config import config
from imagelake.exports.xml_text import xml_text
from imagelake.geometry.boxes import Box

_LOCAL = "/data/local-files/?d="
"""How Label Studio calls files below the folder that LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT names."""

_CLASS = "class"
_KINDS = frozenset(("box", "polygon", "keypoints", _CLASS))
_POINT_WIDTH = 0.5
"""Percent of the image's width; how large Label Studio draws a point."""


class LabelStudio:
    """`tasks.json`, `config.xml`, and `images/` where images have no URL."""

    name: ClassVar[str] = "labelstudio"
    has_unlabelled: ClassVar[bool] = True
    oriented: ClassVar[bool] = True

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write a task for each image. Those that nobody labelled have no annotation, those without objects an empty
        one.
        """
        samples = content.samples
        keys = samples.rows["image_key"].to_pylist()
        urls = image_urls(samples)
        proposals = [f"images/{key}" for key in keys]
        paths = [
            None if key in urls else path for key, path in zip(keys, unique_names.paths(proposals, keys), strict=True)
        ]
        note_renamed(folder, proposals, [path or like for path, like in zip(paths, proposals, strict=True)])
        note_space(samples, folder)
        _note_places(folder, len(urls), len(keys))
        with folder.open("tasks.json") as out:
            out.write(b"[")
            for entry in entries(samples):
                path = paths[entry.index]
                image = str(urls[entry.key]) if path is None else _LOCAL + quote(path)
                text = json.dumps(_task(entry, image, folder), separators=(",", ":"))
                out.write((",\n" if entry.index else "\n").encode() + text.encode())
            out.write(b"\n]\n")
        folder.write("config.xml", config(content, folder))
        folder.write_images(samples, paths)


def _note_places(folder: ExportFolder, urls: int, images: int) -> None:
    if urls:
        folder.note(f"tasks.json holds URLs of {urls} images: whoever has them reads the images, for seven days")
    if urls < images:
        folder.note("set LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT to this folder: tasks name the images in it")


def _task(entry: ExportEntry, image: str, folder: ExportFolder) -> dict[str, Any]:
    data = {"image": image, "image_key": entry.key, "content_hash": entry.content_hash, "split": entry.split}
    folder.lose("attributes of images", len(entry.attributes))
    results = [result for number, a in enumerate(entry.annotations, 1) for result in _results(a, number, entry, folder)]
    return {"data": data, "annotations": [{"result": results}] if entry.labelled else []}


def _results(annotation: Annotation, number: int, entry: ExportEntry, folder: ExportFolder) -> Iterator[dict[str, Any]]:
    """The regions of an annotation; keypoints are regions of their own below that of their object."""
    if annotation.rle is not None:
        folder.lose("annotations that are masks (RLE): Label Studio's brush has run lengths of its own")
        return
    if annotation.kind not in _KINDS or annotation.category is None or not entry.labelled:
        folder.lose(f"{annotation.kind} annotations: the format holds boxes, polygons, keypoints and classes")
        return
    keypoints = _keypoints(annotation, entry, folder)
    if annotation.kind != _CLASS and annotation.bbox is None and not keypoints:
        folder.lose(f"{annotation.kind} annotations without a place in their image")
        return
    folder.lose("crowd marks", annotation.is_crowd)
    folder.lose("attributes of objects", len(annotation.attributes.keys() - {"keypoints", "num_keypoints"}))
    own, label = f"r{number}", [xml_text(annotation.category, folder)]
    if annotation.kind == _CLASS:
        value = {"choices": label}
        yield {"id": own, "from_name": "class", "to_name": "image", "type": "choices", "value": value}
    elif annotation.polygons is not None:
        folder.lose("outlines of several parts: each part is a region", len(annotation.polygons) > 1)
        for part, points in enumerate(annotation.polygons):
            polygon = {**_polygon(points, entry), "polygonlabels": label}
            yield _region(entry, f"{own}_{part}" if part else own, "polygonlabels", polygon)
    elif annotation.bbox is not None:
        rectangle = {**_rectangle(annotation.bbox, entry), "rectanglelabels": label}
        yield _region(entry, own, "rectanglelabels", rectangle)
    yield from _points(keypoints, own, entry)


def _region(entry: ExportEntry, own: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": own,
        "from_name": kind.removesuffix("labels"),
        "to_name": "image",
        "type": kind,
        "original_width": entry.width,
        "original_height": entry.height,
        "image_rotation": 0,
        "value": value,
    }


def _rectangle(box: Box, entry: ExportEntry) -> dict[str, Any]:
    x, y, w, h = box
    x, w = (100 * value / entry.width for value in (x, w))
    y, h = (100 * value / entry.height for value in (y, h))
    return {"x": x, "y": y, "width": w, "height": h, "rotation": 0}


def _polygon(points: Sequence[float], entry: ExportEntry) -> dict[str, Any]:
    pairs = zip(points[::2], points[1::2], strict=True)
    return {"points": [[100 * x / entry.width, 100 * y / entry.height] for x, y in pairs], "closed": True}


def _keypoints(annotation: Annotation, entry: ExportEntry, folder: ExportFolder) -> Sequence[float]:
    keypoints = keypoints_of(annotation, entry)
    if keypoints is None:
        unknown = has_keypoints(annotation)
        folder.lose("keypoints of objects in images that EXIF turns: their space is not known", unknown)
        return ()
    folder.lose("marks of keypoints that are hidden", sum(v == 1 for v in keypoints[2::3]))
    return keypoints


def _points(keypoints: Sequence[float], own: str, entry: ExportEntry) -> Iterator[dict[str, Any]]:
    """A region for each labelled keypoint, named by its number: points of all classes share one set of names."""
    triples = zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=True)
    for number, (x, y, v) in enumerate(triples, 1):
        if v > 0:
            place = {"x": 100 * x / entry.width, "y": 100 * y / entry.height, "width": _POINT_WIDTH}
            region = _region(entry, f"{own}_k{number}", "keypointlabels", {**place, "keypointlabels": [str(number)]})
            yield {**region, "parentID": own}
