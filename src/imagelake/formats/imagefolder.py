"""Images without annotation documents: in folders named after their class, or just images."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from imagelake.formats.base import Detection, Tree, Unit
from imagelake.formats.names import category_name
from imagelake.formats.records import AnnotationRecord, ImageRecord, Record
from imagelake.keys import KeyParts, is_dataset_image, take_apart

KIND = "class"

_FOLDER_SCORE, _IMAGES_SCORE = 40, 20
_MIN_IMAGES = 2
_UNIT_FILES = 5000
"""Nothing is opened, so a unit may name many files."""


@dataclass(frozen=True)
class ImageFolderReader:
    """One class per image, named by its folders: `train/cats/tabby/1.jpg` is of class `cats/tabby`, split train.

    Split and role folders are no classes (`keys.take_apart`). Images need no document: `document` is empty, the
    reference is the path.
    """

    name: ClassVar[str] = "imagefolder"
    version: ClassVar[int] = 1

    def detect(self, tree: Tree) -> Detection:
        """Fits when every image lies in a class folder, and there are at least two images."""
        images = _images(tree)
        lack = _lack(images)
        return Detection(self.name, 0, lacks=(lack,)) if lack else Detection(self.name, _FOLDER_SCORE)

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """The images' paths, some thousands a unit."""
        images = _images(tree)
        starts = range(0, len(images), _UNIT_FILES)
        return tuple(Unit(self.name, tuple(images[start : start + _UNIT_FILES])) for start in starts)

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """An image and its class for each path; no file is read."""
        for path in unit.paths:
            parts = take_apart(path)
            category = class_folder(parts)
            kinds = (KIND,) if category else ()
            yield ImageRecord(document="", ref=path, file=path, locator="", split=parts.split, kinds=kinds)
            if category:
                raw = json.dumps({"class": category, "file": path}, ensure_ascii=False)
                yield AnnotationRecord(document="", image_ref=path, locator="", kind=KIND, raw=raw, category=category)


@dataclass(frozen=True)
class ImagesReader:
    """Images and nothing else: they are taken as unlabelled, which needs no records."""

    name: ClassVar[str] = "images"
    version: ClassVar[int] = 1

    def detect(self, tree: Tree) -> Detection:
        """Fits any tree with images that are not all in class folders."""
        images = _images(tree)
        if not images:
            return Detection(self.name, 0, lacks=("no images",))
        if not _lack(images):
            return Detection(self.name, 0, lacks=("all images lie in class folders",))
        return Detection(self.name, _IMAGES_SCORE)

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """No work: the images are known without a reader."""
        return ()

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """No records."""
        return iter(())


def class_folder(parts: KeyParts) -> str:
    """The folder part of an image's key: its class; empty when it lies in none."""
    return category_name(parts.key.rpartition("/")[0])


def _images(tree: Tree) -> list[str]:
    return [path for path in tree.paths if is_dataset_image(path)]


def _lack(images: list[str]) -> str:
    """What speaks against class folders; empty when nothing does."""
    if not images:
        return "no images"
    if len(images) < _MIN_IMAGES:
        return f"only one image, {images[0]}; class folders need at least {_MIN_IMAGES}"
    loose = next((path for path in images if not class_folder(take_apart(path))), None)
    return f"{loose} lies in no class folder" if loose else ""
