"""Pascal VOC: one XML document for each image, splits in ImageSets (VOC2012 development kit)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from imagelake.formats.base import Detection, Tree, Unit
from imagelake.formats.names import file_name
from imagelake.formats.records import ImageRecord, Issue, Record
from imagelake.formats.small_documents import HEAD, cut, spread, stem, too_large, too_large_issues
from imagelake.formats.voc_images import Images, filenames_hold, placed
from imagelake.formats.voc_records import Place, records
from imagelake.formats.voc_xml import decode_head, root_name
from imagelake.keys import is_image_name, split_name

_SCORE = 90
_LIST = re.compile(r"(?:^|/)imagesets/(?:main/)?[^/]+\.txt$", re.IGNORECASE)
_CONTENT = re.compile(r"<(?:filename|object|bndbox)\b")


@dataclass(frozen=True)
class VocReader:
    """Reads VOC boxes, wherever the documents lie: in a folder of their own or beside the images.

    Splits are those of ImageSets/Main/train.txt, val.txt and test.txt; without them, those of the folders. Of a
    document, `folder` and `path` are left out: they tell where the image lay on the machine it was labelled on.
    """

    name: ClassVar[str] = "voc"
    version: ClassVar[int] = 1

    def detect(self, tree: Tree) -> Detection:
        """Fits when one of some .xml files has the root `annotation` and the members VOC puts there."""
        paths = [path for path in tree.paths if path.lower().endswith(".xml")]
        heads = [(path, tree.read(path, HEAD)) for path in spread(paths)]
        others = {path: lack for path, head in heads if (lack := _lack(head))}
        if len(others) == len(heads):
            lacks = [f"{path} has {lack}" for path, lack in others.items()]
            return Detection(self.name, 0, lacks=tuple(lacks[:3]) or ("no .xml document",))
        roots = {path: root_name(head) for path, head in heads}
        documents = tuple(path for path in paths if roots.get(path) in (None, "annotation"))
        return Detection(self.name, _SCORE, documents=documents, meta=_split_lists(tree.paths))

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """Units of many documents, each with what the tree says about their images; one for each split list."""
        paths = tree.paths
        images = Images(paths)
        heads = [(path, tree.read(path, HEAD)) for path in spread(detection.documents)]
        shared = {"filenames_hold": filenames_hold(heads, images), "folder_splits": not detection.meta}
        documents, refused = too_large(self.name, tree, detection.documents)
        lists, refused_lists = too_large(self.name, tree, detection.meta)
        units = [
            Unit(self.name, group, json.dumps({**shared, "mates": [images.mate(path) for path in group]}))
            for group in cut(tree, documents)
        ]
        members = [Unit(self.name, (path,), json.dumps({"split": split_name(stem(path))})) for path in lists]
        return (*units, *members, *refused, *refused_lists)

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """The images and boxes of the documents, or the members of a split list."""
        context = json.loads(unit.context)
        if "too_large" in context:
            yield from too_large_issues(context)
        elif "split" in context:
            for path in unit.paths:
                yield from _members(path, context["split"], read(path))
        else:
            for path, mate in zip(unit.paths, context["mates"], strict=True):
                yield from records(_place(path, mate, context), read(path))


def _lack(head: bytes) -> str:
    """What speaks against VOC in the beginning of a document; empty when nothing does."""
    root = root_name(head)
    if root != "annotation":
        return f"the root {root or '(none)'}, not annotation"
    return "" if _CONTENT.search(decode_head(head)) else "the root annotation, but no filename or object"


def _split_lists(paths: Sequence[str]) -> tuple[str, ...]:
    """The lists of whole splits: trainval.txt is the sum of two, cat_train.txt that of one class."""
    return tuple(path for path in paths if _LIST.search(path) and split_name(stem(path)) is not None)


def _place(path: str, mate: str | None, context: dict[str, Any]) -> Place:
    split = placed(path).split if context["folder_splits"] else None
    return Place(path, mate, context["filenames_hold"], split)


def _members(path: str, split: str, data: bytes) -> Iterator[Record]:
    """An image for each line of a split list: a stem, or a file name. Repeated lines count once."""
    seen: set[str] = set()
    for place, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        written = line.strip()
        if not written or written in seen:
            continue
        seen.add(written)
        yield _member(path, split, written, f"line {place}")


def _member(path: str, split: str, written: str, locator: str) -> ImageRecord | Issue:
    try:
        name = file_name(written)
    except ValueError as problem:
        return Issue(
            document=path,
            entity="image",
            locator=locator,
            rule="image.path_hostile",
            message=str(problem),
            raw=written,
            image_ref=written,
        )
    return ImageRecord(
        document=path,
        ref=written,
        file=name.file,
        locator=locator,
        by_stem=not is_image_name(name.file),
        split=split,
        warnings=("image.backslash",) if name.backslash else (),
    )
