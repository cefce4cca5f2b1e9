"""Uploads in a lake without Spark: the records that a reader finds become rows, and records can be compared."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagelake.client import lake
from imagelake.client.lake import Lake
from imagelake.core.digest import canonical_json
from imagelake.core.upload_paths import is_image_name, take_apart
from imagelake.formats import reader
from imagelake.formats.base import Tree
from imagelake.formats.records import AnnotationRecord, CategoryRecord, ImageRecord, Record
from imagelake.formats.trees import DictTree
from lakes import LakeMaker


def records_of(format_name: str, tree: Tree) -> list[Record]:
    """Everything a reader makes of a tree."""
    one = reader(format_name)
    return [record for unit in one.plan(tree, one.detect(tree)) for record in one.parse(unit, tree.read)]


@dataclass(frozen=True)
class Labels:
    """What records say, without ids: images by key with their annotations, and categories by name."""

    images: dict[str, Any]
    categories: dict[str, Any]


def labels_of(records: Iterable[Record], sizes: dict[str, tuple[int, int]] | None = None) -> Labels:
    """The labels of images that exactly one record stands for; `sizes` of images by key where shares must be pixels."""
    records = list(records)
    images = [r for r in records if isinstance(r, ImageRecord)]
    categories = [r for r in records if isinstance(r, CategoryRecord)]
    names = {(c.document, c.ref): c.name for c in categories}
    keys = {(i.document, i.ref): key_of(i) for i in images}
    by_key: dict[str, Any] = {}
    for image in images:
        by_key[key_of(image)] = {
            "split": image.split,
            "size": (image.width, image.height),
            "attributes": dict(image.attributes),
            "kinds": image.kinds,
            "annotations": [],
        }
    for record in records:
        key = keys.get((record.document, record.image_ref)) if isinstance(record, AnnotationRecord) else None
        if isinstance(record, AnnotationRecord) and key is not None:
            category = record.category or names.get((record.document, str(record.category_ref)))
            if category is not None:
                by_key[key]["annotations"].append(_annotation(record, category))
    for image in by_key.values():
        image["annotations"].sort(key=repr)
    return Labels(by_key, {c.name: (c.supercategory, dict(c.attributes)) for c in categories})


def key_of(image: ImageRecord) -> str:
    return take_apart(image.file).key


def _annotation(record: AnnotationRecord, category: str) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "category": category,
        "bbox": record.bbox,
        "polygons": record.polygons,
        "rle": None if record.rle_size is None else (tuple(record.rle_size), record.rle_counts),
        "area": record.area,
        "is_crowd": record.is_crowd,
        "attributes": dict(record.attributes),
    }


def put(maker: LakeMaker, dataset: str, labels: Labels, contents: dict[str, bytes]) -> Lake:
    """A lake with a version of these labels. `contents` are bytes by key; images without any get some of their own."""
    for name, (supercategory, attributes) in labels.categories.items():
        maker.draft(dataset).category(name, supercategory=supercategory, attributes=canonical_json(attributes))
    kept = []
    for key, image in labels.images.items():
        width, height = image["size"]
        data = contents.get(key, f"{dataset}/{key}".encode())
        kept.append(data)
        maker.image(
            dataset,
            key,
            data,
            width=width or 640,
            height=height or 480,
            split=image["split"],
            labelled=["box"] if image["kinds"] else [],
            attributes=canonical_json(image["attributes"]),
        )
        for annotation in image["annotations"]:
            _put(maker, dataset, key, annotation)
    maker.keep(dataset, kept)
    maker.deliver(dataset)
    maker.publish(dataset)
    maker.flush()
    return lake.open(str(maker.root))


def _put(maker: LakeMaker, dataset: str, key: str, annotation: dict[str, Any]) -> None:
    size, counts = annotation["rle"] or (None, None)
    maker.box(
        dataset,
        key,
        annotation["category"],
        annotation["bbox"],
        kind=annotation["kind"],
        polygons=None if annotation["polygons"] is None else [list(part) for part in annotation["polygons"]],
        rle_size=None if size is None else list(size),
        rle_counts=counts,
        area=annotation["area"],
        is_crowd=annotation["is_crowd"],
        attributes=canonical_json(annotation["attributes"]),
    )


def unzipped(archive: Path) -> DictTree:
    """The files of a zip without the folder that holds all of them."""
    with zipfile.ZipFile(archive) as opened:
        files = {info.filename: opened.read(info) for info in opened.infolist() if not info.is_dir()}
    tops = {path.partition("/")[0] for path in files}
    cut = len(next(iter(tops))) + 1 if len(tops) == 1 else 0
    return DictTree({path[cut:]: data for path, data in files.items()})


def images_of(tree: Tree) -> dict[str, bytes]:
    """The images of a tree by key."""
    return {take_apart(path).key: tree.read(path) for path in tree.paths if is_image_name(path)}
