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
from imagelake.wording import listed

KIND = "class"

_FOLDER_SCORE, _IMAGES_SCORE = 40, 20
_MIN_IMAGES = 2
_STRAYS = 1
"""So many images, or one in a hundred, may lie beside the class folders: a preview, a logo."""

_UNIT_FILES = 5000
"""Nothing is opened, so a unit may name many files."""


@dataclass(frozen=True)
class ImageFolderReader:
    """One class per image, named by its folders: `train/cats/tabby/1.jpg` is of class `cats/tabby`, split train.

    Split and role folders are no classes (`keys.take_apart`), nor is what lies above a split folder that has class
    folders. Images need no document: `document` is empty, the reference is the path.
    """

    name: ClassVar[str] = "imagefolder"
    version: ClassVar[int] = 2

    def detect(self, tree: Tree) -> Detection:
        """Fits when at least two images lie in class folders, and the others are as if set apart on purpose.

        These are the images of a split that has no class folders at all, as a test set to be predicted, and a few
        strays; both are taken without a label, and said.
        """
        folders = _Folders.of(tree)
        if folders.lack:
            return Detection(self.name, 0, lacks=(folders.lack,))
        return Detection(self.name, _FOLDER_SCORE, seen=folders.seen())

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
        folders = _Folders.of(tree)
        if not folders.lack:
            return Detection(self.name, 0, lacks=("the images lie in class folders",))
        has_images = folders.classed or folders.unlabelled or folders.loose
        return Detection(self.name, _IMAGES_SCORE) if has_images else Detection(self.name, 0, lacks=("no images",))

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """No work: the images are known without a reader."""
        return ()

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """No records."""
        return iter(())


@dataclass(frozen=True)
class _Folders:
    """The images of a tree: those in class folders, those of splits without any, and those that lie in none."""

    classed: list[str]
    unlabelled: list[str]
    loose: list[str]

    @classmethod
    def of(cls, tree: Tree) -> _Folders:
        classed: list[str] = []
        others: list[tuple[str, str | None]] = []
        splits = set[str | None]()
        for path in _images(tree):
            parts = take_apart(path)
            if class_folder(parts):
                classed.append(path)
                splits.add(parts.split)
            else:
                others.append((path, parts.split))
        unlabelled = [path for path, split in others if split is not None and split not in splits]
        loose = [path for path, split in others if split is None or split in splits]
        return cls(classed, unlabelled, loose)

    @property
    def lack(self) -> str:
        """What speaks against class folders; empty when nothing does."""
        if not self.classed and not self.unlabelled and not self.loose:
            return "no images"
        if self.classed and len(self.loose) > max(_STRAYS, len(self.classed) // 100):
            return f"{self.loose[0]} and {len(self.loose) - 1:,} more images lie in no class folder"
        if len(self.classed) < _MIN_IMAGES:
            alone = [*self.classed, *self.unlabelled, *self.loose]
            if len(alone) == 1:
                return f"only one image, {alone[0]}; class folders need at least {_MIN_IMAGES}"
            return f"{[*self.loose, *self.unlabelled, *self.classed][0]} lies in no class folder"
        return ""

    def seen(self) -> tuple[str, ...]:
        """What is said of images without a class."""
        without = [*self.unlabelled, *self.loose]
        return (f"without a class folder, taken unlabelled: {listed(without)}",) if without else ()


def class_folder(parts: KeyParts) -> str:
    """The class of an image: its folders below the split folder, else those of its key; empty when it has none."""
    return category_name(parts.inner.rpartition("/")[0] or parts.key.rpartition("/")[0])


def _images(tree: Tree) -> list[str]:
    return [path for path in tree.paths if is_dataset_image(path)]
