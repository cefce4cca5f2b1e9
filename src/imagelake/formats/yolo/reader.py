"""YOLO label files: a text file for each image, a row for each object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from imagelake.core.upload_paths import take_apart
from imagelake.formats.base import BY_NAME_SCORE, Detection, Tree, Unit, present, read_or_none
from imagelake.formats.lists.members import Wording, members
from imagelake.formats.paths import ancestors, folder_of, in_label_folder
from imagelake.formats.records import CategoryRecord, ImageRecord, Record
from imagelake.formats.small_documents import Unreadable, cut, too_large, too_large_issues, unreadable_issue
from imagelake.formats.yolo import detect as yolo_detect
from imagelake.formats.yolo.detect import BARE_SCORE, EMPTY_SCORE, NAMED_SCORE
from imagelake.formats.yolo.images import YoloImages, image_file
from imagelake.formats.yolo.names import DeclaredClasses, classes, is_declaration
from imagelake.formats.yolo.rows import RowsFile, records
from imagelake.formats.yolo.scopes import ClassList, class_lists
from imagelake.formats.yolo.splits import SplitSources, folder_split, listed_images, split_of, splits, wording

_UNIT_MEMBERS = 5000
"""Nothing is opened for them, so a unit may name many."""


@dataclass(frozen=True)
class YoloReader:
    """Reads boxes and polygons of YOLO label files, in `labels` folders or beside the images.

    Class names come from the nearest data.yaml, classes.txt or obj.names up the tree, else they are `class_0`, …;
    splits from the folders, and from what data.yaml, obj.data and lists like train.txt say of them. Nothing of it is
    obeyed: paths are names, and `download` is never looked at.
    """

    name: ClassVar[str] = "yolo"
    version: ClassVar[int] = 3

    def detect(self, tree: Tree) -> Detection:
        """Fits when a .txt file holds rows, or all are empty, have images, and names or their folder speak for them.

        A damaged .txt file counts as a label file in a `labels` folder, and beside an image of its stem. Files that
        look like labels and are not read are named.
        """
        survey = yolo_detect.look_over(tree)
        candidates = yolo_detect.documents(survey)
        others = yolo_detect.with_keypoints(survey, candidates)
        documents = tuple(path for path in candidates if path not in others)
        score, by_name = _score(survey, documents)
        unread = tuple(yolo_detect.unread(survey, others, is_read=score > EMPTY_SCORE))
        score = score if score > EMPTY_SCORE or not unread else 0
        if not score:
            return Detection(self.name, 0, lacks=yolo_detect.lacks(survey), unread=unread)
        seen = (*_names_seen(survey, documents), *survey.splits.seen)
        return Detection(
            self.name, score, documents=documents, meta=survey.meta, by_name=by_name, unread=unread, seen=seen
        )

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """The class names, units of many label files, each with the document of its names, and members of splits."""
        meta = [path for path in present(tree, detection.meta) if read_or_none(tree, path, 1) is not None]
        lists = class_lists(tree, filter(is_declaration, meta))
        images = YoloImages(tree.paths, detection.documents)
        declared = {c.path: c.classes for c in lists if c.classes is not None}
        split_places = splits(declared, images, [path for path in meta if not is_declaration(path)])
        documents, refused = too_large(self.name, tree, present(tree, detection.documents))
        mates = images.mates(documents)
        sources = _sources(lists, split_places, images, mates)
        used = {c.path for chosen, _ in sources if len(chosen) == 1 for c in chosen}
        announced = [c.path for c in lists if c.path in used or c.classes is None]
        listed = listed_images(tree, images, split_places.lists)
        units = [
            Unit(self.name, (*source, *group), json.dumps(_context(chosen, group, mates, split_places, listed)))
            for chosen, paths in sources
            for source in [tuple(c.path for c in chosen if c.classes is not None)[: len(chosen) == 1]]
            for group in cut(tree, paths)
        ]
        categories = (Unit(self.name, (path,), json.dumps({"declares": True})) for path in announced)
        unlabelled = _unlabelled(images, listed.union(mates.values()), split_places)
        readable, refused_lists = too_large(self.name, tree, sorted(split_places.lists))
        list_units = [_list_unit(tree, path, split_places.lists[path], images) for path in readable]
        return (*categories, *units, *list_units, *unlabelled, *refused, *refused_lists)

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """The categories of a document that declares them, annotations and images of label files, or split members."""
        context = json.loads(unit.context)
        if "too_large" in context:
            yield from too_large_issues(context)
        elif "declares" in context:
            for path in unit.paths:
                yield from _categories(path, read(path))
        elif "list" in context:
            for path in unit.paths:
                yield from members(path, context["list"], Wording(context["bases"]), read(path))
        elif "members" in context:
            yield from _named_members(unit.paths[0], context["members"])
        else:
            yield from _labels(unit.paths, context, read)


def _score(survey: yolo_detect.TextSurvey, documents: Sequence[str]) -> tuple[int, bool]:
    """How sure it is that the texts are YOLO's, and whether names alone say so."""
    if any(map(survey.is_labels, documents)):
        return NAMED_SCORE if survey.has_names else BARE_SCORE, False
    placed = [path for path in documents if survey.images.of(path) is not None]
    looks = [survey.looks.get(path) for path in placed]
    empty = [path for path, look in zip(placed, looks, strict=True) if look is not None and look.is_empty]
    if empty and len(empty) == len(looks) and (survey.has_names or any(map(in_label_folder, empty))):
        return EMPTY_SCORE, False
    is_damaged = any(survey.looks.get(path, True) is None for path in documents)
    return (BY_NAME_SCORE, True) if is_damaged else (0, False)


def _names_seen(survey: yolo_detect.TextSurvey, documents: Sequence[str]) -> tuple[str, ...]:
    """That several documents declare classes, if they do: they are several exports, merged by name."""
    if len(survey.lists) < 2:
        return ()
    sources = _sources(survey.lists, survey.splits, survey.images, survey.images.mates(documents))
    used = sorted({c.path for chosen, _ in sources if len(chosen) == 1 for c in chosen})
    merged = [f"class names from {', '.join(used)}, merged by name"] if len(used) > 1 else []
    contradicting = [" and ".join(c.path for c in chosen) for chosen, _ in sources if len(chosen) > 1]
    return (*merged, *(f"no class names from {documents}: they contradict each other" for documents in contradicting))


def _sources(
    lists: Sequence[ClassList], split_places: SplitSources, images: YoloImages, mates: Mapping[str, str]
) -> list[tuple[tuple[ClassList, ...], list[str]]]:
    """The class lists that serve some label files, with those files."""
    scopes = yolo_detect.scopes_of(lists, split_places, images, mates)
    groups: dict[tuple[str, ...], tuple[tuple[ClassList, ...], list[str]]] = {}
    for path, image in mates.items():
        chosen = scopes.of(path, image)
        groups.setdefault(tuple(c.path for c in chosen), (chosen, []))[1].append(path)
    return list(groups.values())


def _context(
    chosen: Sequence[ClassList],
    paths: Sequence[str],
    mates: Mapping[str, str],
    split_places: SplitSources,
    listed: frozenset[str],
) -> dict[str, Any]:
    """What a worker must know of some label files that the files do not say."""
    source = chosen[0].path if len(chosen) == 1 and chosen[0].classes is not None else None
    context: dict[str, Any] = {"names": source}
    elsewhere = {path: mates[path] for path in paths if mates[path] != image_file(path)}
    optional = {
        "contradicting": [c.path for c in chosen] if len(chosen) > 1 else [],
        "files": elsewhere,
        "splits": dict(split_places.folders),
        "listed": [path for path in paths if mates[path] in listed],
    }
    return {**context, **{key: value for key, value in optional.items() if value}}


def _list_unit(tree: Tree, path: str, split: str, images: YoloImages) -> Unit:
    return Unit("yolo", (path,), json.dumps({"list": split, "bases": wording(tree, path, images).folders}))


def _unlabelled(images: YoloImages, named: frozenset[str], split_places: SplitSources) -> Iterator[Unit]:
    """Units of the images that only the folders of a document put into a split, by that document.

    named: the images of label files and lists, without their suffixes.
    """
    by_document: dict[str, dict[str, str]] = {}
    for path in sorted(images.files) if split_places.folders else ():
        split = None
        if path.rpartition(".")[0] not in named and take_apart(path).split is None:
            split = folder_split(path, split_places.folders)
        if split is not None:
            by_document.setdefault(_naming(path, split_places), {})[path] = split
    for document, files in by_document.items():
        pairs = list(files.items())
        for start in range(0, len(pairs), _UNIT_MEMBERS):
            yield Unit("yolo", (document,), json.dumps({"members": dict(pairs[start : start + _UNIT_MEMBERS])}))


def _naming(path: str, split_places: SplitSources) -> str:
    """The document that names the nearest folder of an image as a split."""
    folder = next(folder for folder in ancestors(folder_of(path)) if folder in split_places.folders)
    return next(document for document, covered in split_places.covers.items() if folder in covered)


def _labels(paths: Sequence[str], context: Mapping[str, Any], read: Callable[[str], bytes]) -> Iterator[Record]:
    source = context["names"]
    declared: DeclaredClasses | None = classes(source, read(source)) if source is not None else None
    contradicting = tuple(context.get("contradicting", ()))
    files, folders = context.get("files", {}), context.get("splits", {})
    listed = frozenset(context.get("listed", ()))  # their split is that of the list, whatever their folder is called
    for path in paths:
        if path != source:
            file = files.get(path, image_file(path))
            split = None if path in listed else split_of(file, folders)
            yield from records(RowsFile(path, file, split), read(path), declared, contradicting)


def _named_members(document: str, files: Mapping[str, str]) -> Iterator[Record]:
    """The images below the folders that a document names as a split."""
    for path, split in files.items():
        yield ImageRecord(document=document, ref=path, file=path, locator=split, split=split)


def _categories(path: str, data: bytes) -> Iterator[Record]:
    """A category for each class, or the reason why the document declares none."""
    try:
        declared = classes(path, data)
    except Unreadable as problem:
        yield unreadable_issue(path, data, problem)
        return
    for index, name in declared.names.items():
        yield CategoryRecord(document=path, ref=str(index), name=name, order=index, source_id=str(index))
