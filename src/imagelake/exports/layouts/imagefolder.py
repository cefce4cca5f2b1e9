"""`imagefolder`: a folder for each class (torchvision's ImageFolder, Hugging Face's imagefolder)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from imagelake.errors import UsageError
from imagelake.exports import unique_names
from imagelake.exports.base import Category, ExportContent
from imagelake.exports.entries import ExportEntry, entries
from imagelake.exports.folder import ExportFolder

_WITHOUT_SPLIT = "unassigned"
_KIND = "class"

CLASSES = "classes.json"
"""Says which folder is which class, and its training index: readers of folders count classes by their names."""


class ImageFolder:
    """`<split>/<class>/<name>`, and `classes.json`."""

    name: ClassVar[str] = "imagefolder"
    has_unlabelled: ClassVar[bool] = False
    oriented: ClassVar[bool] = False

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Write the images of one class; those without a class are left out, counted.

        UsageError when an image has several classes, or no image has one.
        """
        samples = content.samples
        keys, splits = samples.rows["image_key"].to_pylist(), samples.rows["split"].to_pylist()
        classes = _classes(content, folder)
        class_folders = _class_folders(content.categories)
        split_folders = unique_names.split_folders(set(splits), _WITHOUT_SPLIT)
        places = [place for place, name in enumerate(classes) if name is not None]
        proposals = [
            f"{split_folders[splits[place]]}/{class_folders[str(classes[place])]}/"
            f"{_name(keys[place], str(classes[place]))}"
            for place in places
        ]
        paths = dict(zip(places, unique_names.paths(proposals, [keys[place] for place in places]), strict=True))
        folder.write(CLASSES, _class_list(content.categories, class_folders))
        folder.write_images(samples, [paths.get(place) for place in range(len(keys))])


def _classes(content: ExportContent, folder: ExportFolder) -> list[str | None]:
    """The class of each image, None for images that have none."""
    several: list[str] = []
    classes: list[str | None] = []
    for entry in entries(content.samples):
        labels = {a.category for a in entry.annotations if a.kind == _KIND and a.category is not None}
        if len(labels) > 1:
            several.append(entry.key)
        classes.append(labels.pop() if len(labels) == 1 else None)
        _count_losses(entry, classes[-1], folder)
    if several:
        raise UsageError(
            f"{len(several)} images of {content.ref} have several classes, for example {several[0]!r}",
            hint="a folder holds one class an image: choose others with --where or --images, or another --format",
        )
    if classes and not any(classes):
        raise UsageError(
            f"no image of {content.ref} has a class",
            hint="labels of objects are no class of their image: export them with --format coco or yolo",
        )
    return classes


def _count_losses(entry: ExportEntry, label: str | None, folder: ExportFolder) -> None:
    if label is None:
        folder.lose("images without a class")
    for annotation in entry.annotations:
        if annotation.kind != _KIND:
            folder.lose(f"{annotation.kind} annotations: the format holds a class for each image")
        folder.lose("attributes of classes", len(annotation.attributes) if annotation.kind == _KIND else 0)
    folder.lose("attributes of images", len(entry.attributes))
    again = sum(annotation.kind == _KIND for annotation in entry.annotations) - 1
    folder.lose("class annotations that say a class again", max(again, 0))


def _class_folders(categories: Sequence[Category]) -> Mapping[str, str]:
    """A folder for each category, none in another one: readers take the first folder for the class."""
    own = [category.name for category in categories]
    return dict(zip(own, unique_names.paths([unique_names.flat(name) for name in own], own), strict=True))


def _name(key: str, label: str) -> str:
    """The image's name in its class folder: its key, without the folder of its class that an upload had."""
    return unique_names.flat(key.removeprefix(f"{label}/"))


def _class_list(categories: Iterable[Category], folders: Mapping[str, str]) -> bytes:
    classes = [
        {"index": category.train_index, "name": category.name, "folder": folders[category.name]}
        for category in categories
        if category.train_index is not None
    ]
    return (json.dumps(classes, indent=2) + "\n").encode()
