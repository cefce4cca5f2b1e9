"""Images without annotation documents: in folders named after their class, or just images."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from imagelake.core.upload_paths import KeyParts, folder_split, is_dataset_image, take_apart
from imagelake.core.wording import listed
from imagelake.formats.base import Detection, Tree, Unit, present
from imagelake.formats.lists.find import ImagePlaces, list_members, list_unit, split_lists, wording_of
from imagelake.formats.lists.members import Wording, seen_lists
from imagelake.formats.names import category_name
from imagelake.formats.paths import ancestors, folder_of
from imagelake.formats.records import AnnotationRecord, ImageRecord, Record
from imagelake.formats.small_documents import too_large, too_large_issues

KIND = "class"

_FOLDER_SCORE, _IMAGES_SCORE = 40, 20
_MIN_IMAGES = _MIN_CLASSES = 2
_STRAYS = 1
"""So many images, or one in a hundred, may lie beside the class folders: a preview, a logo."""

_UNIT_FILES = 5000
"""Nothing is opened, so a unit may name many files."""

_UNLABELLED = re.compile(r"(?<![^\W\d_])unlabell?ed(?![^\W\d_])", re.IGNORECASE)


@dataclass(frozen=True)
class ImageFolderReader:
    """One class per image, named by its folders: `train/cats/tabby/1.jpg` is of class `cats/tabby`, split train.

    Split and role folders are no classes (`keys.take_apart`), nor is what lies above a split folder that has class
    folders, nor a folder called `unlabeled`. Images need no document: `document` is empty, the reference is the path.
    Lists called like a split say the split of the images they name.
    """

    name: ClassVar[str] = "imagefolder"
    version: ClassVar[int] = 3

    def detect(self, tree: Tree) -> Detection:
        """Fits when at least two images lie in class folders, and the others are as if set apart on purpose.

        These are the images of a split that has no class folders at all, as a test set to be predicted, those in
        folders called `unlabeled`, and a few strays; all are taken without a label, and said.
        """
        folders = _Folders.of(tree)
        if folders.lack:
            return Detection(self.name, 0, lacks=(folders.lack,))
        lists = split_lists(tree, ImagePlaces(tree.paths))
        return Detection(self.name, _FOLDER_SCORE, meta=lists, seen=(*folders.seen(), *seen_lists(lists)))

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """The images' paths, some thousands a unit, and the lists one by one."""
        images = _images(tree)
        starts = range(0, len(images), _UNIT_FILES)
        units = [Unit(self.name, tuple(images[start : start + _UNIT_FILES])) for start in starts]
        return (*units, *_list_units(self.name, tree, detection))

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """An image and its class for each path, which is not read, or the members of a list."""
        if json.loads(unit.context):
            yield from _list_records(unit, read)
            return
        for path in unit.paths:
            parts = take_apart(path)
            category = class_folder(path, parts)
            kinds = (KIND,) if category else ()
            yield ImageRecord(document="", ref=path, file=path, locator="", split=parts.split, kinds=kinds)
            if category:
                raw = json.dumps({"class": category, "file": path}, ensure_ascii=False)
                yield AnnotationRecord(document="", image_ref=path, locator="", kind=KIND, raw=raw, category=category)


@dataclass(frozen=True)
class ImagesReader:
    """Images and nothing else: they are taken as unlabelled, which needs no records but for the members of lists."""

    name: ClassVar[str] = "images"
    version: ClassVar[int] = 2

    def detect(self, tree: Tree) -> Detection:
        """Fits any tree with images that are not all in class folders."""
        folders = _Folders.of(tree)
        if not folders.lack:
            return Detection(self.name, 0, lacks=("the images lie in class folders",))
        if not folders.all:
            return Detection(self.name, 0, lacks=("no images",))
        lists = split_lists(tree, ImagePlaces(tree.paths))
        return Detection(self.name, _IMAGES_SCORE, meta=lists, seen=seen_lists(lists))

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """The lists, one by one: the images are known without a reader."""
        return tuple(_list_units(self.name, tree, detection))

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """The members of a list."""
        yield from _list_records(unit, read)


@dataclass(frozen=True)
class _Folders:
    """The images of a tree by what their folders say of a class.

    Those in class folders, those of splits without any, those in folders called `unlabeled`, and those that lie in
    none of them. `are_plain`: there are several classes, or classes in split folders; `are_splits`: all classes are
    called like the split they lie in, as in `train/train/1.jpg` and `test/test/2.jpg`.
    """

    classed: list[str]
    set_apart: list[str]
    unlabelled: list[str]
    loose: list[str]
    are_plain: bool
    are_splits: bool

    @classmethod
    def of(cls, tree: Tree) -> _Folders:
        classed: list[str] = []
        unlabelled: list[str] = []
        others: list[tuple[str, str | None]] = []
        classes = set[tuple[str, str | None]]()
        of_folder: dict[str, tuple[str, str | None, bool]] = {}  # what a path says of a class, its folder says
        for path in _images(tree):
            folder = folder_of(path)
            if folder not in of_folder:
                parts = take_apart(path)
                of_folder[folder] = (class_folder(path, parts), parts.split, _in_unlabelled_folder(path))
            category, split, is_unlabelled = of_folder[folder]
            if category:
                classed.append(path)
                classes.add((category, split))
            elif is_unlabelled:
                unlabelled.append(path)
            else:
                others.append((path, split))
        splits = {split for _, split in classes}
        set_apart = [path for path, split in others if split is not None and split not in splits]
        loose = [path for path, split in others if split is None or split in splits]
        are_plain = len({name for name, _ in classes}) >= _MIN_CLASSES or not splits <= {None}
        are_splits = all(split is not None and folder_split(name) == split for name, split in classes)
        return cls(classed, set_apart, unlabelled, loose, are_plain, are_splits)

    @property
    def all(self) -> list[str]:
        """All images, those without a class first."""
        return [*self.loose, *self.set_apart, *self.unlabelled, *self.classed]

    @property
    def lack(self) -> str:
        """What speaks against class folders; empty when nothing does."""
        if not self.all:
            return "no images"
        if self.classed and len(self.loose) > max(_STRAYS, len(self.classed) // 100):
            return f"{self.loose[0]} and {len(self.loose) - 1:,} more images lie in no class folder"
        if len(self.classed) < _MIN_IMAGES:
            if len(self.all) == 1:
                return f"only one image, {self.all[0]}; class folders need at least {_MIN_IMAGES}"
            return f"{self.all[0]} lies in no class folder"
        if self.are_splits:
            return f"{self.classed[0]} lies in no folder but those of its split"
        if self.set_apart and not self.are_plain:
            alone = f"{self.classed[0]} lies in the only folder that may be a class"
            return f"{alone}, {self.set_apart[0]} in none; outside splits at least {_MIN_CLASSES} classes are needed"
        return ""

    def seen(self) -> Iterator[str]:
        """Notes on images without a class."""
        without = [*self.set_apart, *self.loose]
        if without:
            yield f"without a class folder, taken unlabelled: {listed(without)}"
        if self.unlabelled:
            yield f"taken unlabelled, as the name of their folder says: {listed(self.unlabelled)}"


def class_folder(path: str, parts: KeyParts) -> str:
    """The class of an image: its folders below the split folder, else those of its key; empty when it has none.

    parts: the path taken apart.
    """
    if _in_unlabelled_folder(path):
        return ""
    return category_name(parts.inner.rpartition("/")[0] or parts.key.rpartition("/")[0])


def _in_unlabelled_folder(path: str) -> bool:
    """Whether a folder of an image says that it has no label: `unlabeled`, `Unlabelled images`, `test_unlabelled`."""
    return _UNLABELLED.search(path) is not None and any(map(_says_unlabelled, path.split("/")[:-1]))


def _says_unlabelled(folder: str) -> bool:
    """Whether a folder is called unlabelled and nothing else: with a split in place of that word it is a split's."""
    if _UNLABELLED.search(folder) is None:
        return False
    return any(folder_split(_UNLABELLED.sub(word, folder)) is not None for word in ("train", ""))


def _images(tree: Tree) -> list[str]:
    return [path for path in tree.paths if is_dataset_image(path)]


def _list_units(format_name: str, tree: Tree, detection: Detection) -> Iterator[Unit]:
    images = ImagePlaces(tree.paths)
    lists, refused = too_large(format_name, tree, present(tree, detection.meta))
    for path in lists:
        wording = wording_of(tree, path, images, ancestors(folder_of(path))) or Wording()
        yield list_unit(format_name, path, wording)
    yield from refused


def _list_records(unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
    context = json.loads(unit.context)
    yield from too_large_issues(context)
    for path in unit.paths if "split" in context else ():
        yield from list_members(path, context, read(path))
