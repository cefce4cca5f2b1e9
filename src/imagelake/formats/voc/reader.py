"""Pascal VOC: one XML document for each image, splits in ImageSets (VOC2012 development kit)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from imagelake.formats.base import BY_NAME_SCORE, Detection, Tree, Unit, present, read_or_none
from imagelake.formats.lists.members import seen_lists
from imagelake.formats.records import Record
from imagelake.formats.small_documents import BUDGET, HEAD, cut, spread, too_large, too_large_issues
from imagelake.formats.voc.images import VocImages, filenames_hold, in_annotation_folder, placed
from imagelake.formats.voc.lists import voc_list_members, voc_list_units, voc_lists
from imagelake.formats.voc.records import AnnotationFile, records
from imagelake.formats.voc.xml import decode_head, root_name

_SCORE = 90
_CONTENT = re.compile(r"<(?:filename|object|bndbox)\b")


@dataclass(frozen=True)
class VocReader:
    """Reads VOC boxes, wherever the documents lie: in a folder of their own or beside the images.

    Splits are those of ImageSets/Main/train.txt, val.txt and test.txt; without them, those of other lists called like
    a split; without any, those of the folders. Of a document, `folder` and `path` are left out: they tell where the
    image lay on the machine it was labelled on.
    """

    name: ClassVar[str] = "voc"
    version: ClassVar[int] = 4

    def detect(self, tree: Tree) -> Detection:
        """Fits when one of the .xml files has the root `annotation` and the members VOC puts there.

        Some files from all over the upload are looked at first, then all the others, until one decides. A damaged .xml
        file counts as a document among others, in a folder for annotations, and beside an image.
        """
        paths = [path for path in tree.paths if path.lower().endswith(".xml")]
        sample = spread(paths)
        heads = _heads(tree, sample)
        if all(map(_lack, heads.values())):
            looked_at = frozenset(sample)
            heads |= _until_one_fits(tree, [path for path in paths if path not in looked_at])
        lacks = {path: lack for path, head in heads.items() if (lack := _lack(head))}
        roots = {path: root_name(head) for path, head in heads.items()}
        documents = tuple(path for path in paths if roots.get(path) in (None, "annotation"))
        if len(lacks) < len(heads):
            meta = voc_lists(tree)
            return Detection(self.name, _SCORE, documents=documents, meta=meta, seen=seen_lists(meta))
        damaged = [path for path in sample if path not in heads]
        if any(map(in_annotation_folder, damaged)) or (damaged and _have_mates(damaged, tree)):
            meta, score = voc_lists(tree), BY_NAME_SCORE
            return Detection(self.name, score, documents=documents, meta=meta, by_name=True, seen=seen_lists(meta))
        reasons = [f"{path} has {lack}" for path, lack in lacks.items()]
        reasons += [f"{path} cannot be read" for path in damaged]
        return Detection(self.name, 0, lacks=tuple(reasons[:3]) or ("no .xml document",))

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """Units of many documents, each with what the tree says about their images; one for each split list."""
        images = VocImages(tree.paths)
        listed = present(tree, detection.documents)
        heads = _heads(tree, spread(listed))
        shared = {"filenames_hold": filenames_hold(heads, images), "folder_splits": not detection.meta}
        documents, refused = too_large(self.name, tree, listed)
        lists, refused_lists = too_large(self.name, tree, present(tree, detection.meta))
        mates = images.mates(documents)
        units = [
            Unit(self.name, group, json.dumps({**shared, "mates": [mates[path] for path in group]}))
            for group in cut(tree, documents)
        ]
        return (*units, *voc_list_units(self.name, tree, lists), *refused, *refused_lists)

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """The images and boxes of the documents, or the members of a split list."""
        context = json.loads(unit.context)
        if "too_large" in context:
            yield from too_large_issues(context)
        elif "split" in context:
            for path in unit.paths:
                yield from voc_list_members(path, context, read(path))
        else:
            for path, mate in zip(unit.paths, context["mates"], strict=True):
                yield from records(_place(path, mate, context), read(path))


def _heads(tree: Tree, paths: Sequence[str]) -> dict[str, bytes]:
    """The beginnings of those of the files that can be read, by path."""
    heads = ((path, read_or_none(tree, path, HEAD)) for path in paths)
    return {path: head for path, head in heads if head is not None}


def _until_one_fits(tree: Tree, paths: Sequence[str]) -> dict[str, bytes]:
    """The beginnings of files up to the first that is VOC's, as long as they come to no more than BUDGET bytes."""
    heads: dict[str, bytes] = {}
    for path in paths[: BUDGET // HEAD]:
        head = read_or_none(tree, path, HEAD)
        if head is not None:
            heads[path] = head
            if not _lack(head):
                break
    return heads


def _have_mates(documents: Sequence[str], tree: Tree) -> bool:
    return any(mate is not None for mate in VocImages(tree.paths).mates(documents).values())


def _lack(head: bytes) -> str:
    """What speaks against VOC in the beginning of a document; empty when nothing does."""
    root = root_name(head)
    if root != "annotation":
        return f"the root {root or '(none)'}, not annotation"
    return "" if _CONTENT.search(decode_head(head)) else "the root annotation, but no filename or object"


def _place(path: str, mate: str | None, context: dict[str, Any]) -> AnnotationFile:
    split = placed(path).split if context["folder_splits"] else None
    return AnnotationFile(path, mate, context["filenames_hold"], split)
