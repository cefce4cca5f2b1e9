"""YOLO label files: a text file for each image, a row for each object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import ClassVar

from imagelake.formats.base import BY_NAME_SCORE, Detection, Tree, Unit, present, read_or_none
from imagelake.formats.records import CategoryRecord, Record
from imagelake.formats.refused import shown
from imagelake.formats.small_documents import (
    HEAD,
    Unreadable,
    cut,
    spread,
    stem,
    too_large,
    too_large_issues,
    unreadable_issue,
)
from imagelake.formats.yolo_names import chosen, classes, name_documents
from imagelake.formats.yolo_rows import image_file, in_label_folder, is_row, lines, records, sound_kind
from imagelake.keys import is_dataset_image, split_name

_NAMED_SCORE, _BARE_SCORE, _EMPTY_SCORE = 90, 70, 60
_OTHER_TEXTS = ("readme", "license", "licence", "requirements", "classes", "notice", "changelog", "trainval")


@dataclass(frozen=True)
class YoloReader:
    """Reads boxes and polygons of YOLO label files, in `labels` folders or beside the images.

    Class names come from data.yaml, classes.txt or obj.names, else they are `class_0`, …; splits from the folders.
    Nothing else that data.yaml says is obeyed: neither its paths nor its `download`.
    """

    name: ClassVar[str] = "yolo"
    version: ClassVar[int] = 2

    def detect(self, tree: Tree) -> Detection:
        """Fits when one of some .txt files holds rows, or all are empty, have images, and names are declared.

        A damaged .txt file counts as a label file in a `labels` folder, and beside an image of its stem.
        """
        paths = [path for path in tree.paths if _may_hold_labels(path)]
        heads = {path: read_or_none(tree, path, HEAD) for path in spread(paths)}
        looks = {path: _look(head) for path, head in heads.items() if head is not None}
        images = _images(tree)
        damaged = {path for path in heads if path not in looks}
        stray = {path for path in damaged if not in_label_folder(path) and image_file(path) not in images}
        others = stray | {path for path, look in looks.items() if look.is_other_text}
        names = name_documents(tree)
        documents = tuple(path for path in paths if path not in others)
        if any(look.is_sound or (names and look.has_row) for look in looks.values()):
            return Detection(self.name, _NAMED_SCORE if names else _BARE_SCORE, documents=documents, meta=names)
        is_empty = bool(looks) and not any(look.lines for look in looks.values())
        if names and is_empty and any(image_file(path) in images for path in looks):
            return Detection(self.name, _EMPTY_SCORE, documents=documents, meta=names)
        if damaged - stray:
            return Detection(self.name, BY_NAME_SCORE, documents=documents, meta=names, by_name=True)
        lacks = [
            f"{path}: {shown(look.lines[0])} is no row of a class and shares"
            for path, look in looks.items()
            if look.lines
        ]
        return Detection(self.name, 0, lacks=tuple(lacks[:3]) or ("no .txt file with label rows",))

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """The class names, then units of many label files; each brings the document of the names along."""
        meta = tuple(path for path in present(tree, detection.meta) if read_or_none(tree, path, 1) is not None)
        source = chosen(tree, meta)
        tried = meta[: meta.index(source) + 1] if source else meta
        context = json.dumps({"names": source})
        documents, refused = too_large(self.name, tree, present(tree, detection.documents))
        units = [Unit(self.name, (*((source,) if source else ()), *g), context) for g in cut(tree, documents)]
        declared = tuple(Unit(self.name, (path,), json.dumps({"declares": True})) for path in tried)
        return (*declared, *units, *refused)

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """The categories of a document that declares them, or the annotations and images of label files."""
        context = json.loads(unit.context)
        if "too_large" in context:
            yield from too_large_issues(context)
        elif "declares" in context:
            for path in unit.paths:
                yield from _categories(path, read(path))
        else:
            source = context["names"]
            declared = classes(source, read(source)) if source is not None else None
            for path in unit.paths:
                if path != source:
                    yield from records(path, read(path), declared)


def _may_hold_labels(path: str) -> bool:
    """Whether a file may hold labels: not lists of files or classes, nor what goes with any repository."""
    name = path[path.rfind("/") + 1 :].lower()
    first, _, _ = name.partition(".")
    return name.endswith(".txt") and first not in _OTHER_TEXTS and split_name(stem(name)) is None


@dataclass(frozen=True)
class _Look:
    """The beginning of a text file: its lines, and the kinds of those that are sound rows (None for others)."""

    lines: tuple[str, ...]
    found: tuple[str | None, ...]

    @property
    def has_row(self) -> bool:
        return any(kind is not None for kind in self.found)

    @property
    def is_sound(self) -> bool:
        return self.has_row and 2 * sum(kind is not None for kind in self.found) >= len(self.found)

    @property
    def is_other_text(self) -> bool:
        return bool(self.lines) and not any(map(is_row, self.lines))


def _look(head: bytes) -> _Look:
    whole = head if len(head) < HEAD else head.rpartition(b"\n")[0] or head
    found = tuple(line for _, line in lines(whole))
    return _Look(found, tuple(map(sound_kind, found)))


def _images(tree: Tree) -> Set[str]:
    """The paths of the images without their suffixes."""
    return {path.rpartition(".")[0] for path in tree.paths if is_dataset_image(path)}


def _categories(path: str, data: bytes) -> Iterator[Record]:
    """A category for each class, or the reason why the document declares none."""
    try:
        declared = classes(path, data)
    except Unreadable as problem:
        yield unreadable_issue(path, data, problem)
        return
    for index, name in declared.names.items():
        yield CategoryRecord(document=path, ref=str(index), name=name, order=index, source_id=str(index))
