"""COCO instances: boxes, polygons and masks in JSON documents (cocodataset.org, data format)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from imagelake.core.upload_paths import split_name
from imagelake.formats.base import Detection, Tree, Unit, Unread, present
from imagelake.formats.coco.contents import part_records, whole_records
from imagelake.formats.coco.detect import LISTS, Finding, judge
from imagelake.formats.coco.masks import mask_paths
from imagelake.formats.coco.parts import DocumentPart, parts
from imagelake.formats.coco.scan import NotSplit
from imagelake.formats.coco.split import Outline, split
from imagelake.formats.coco.values import raw
from imagelake.formats.records import AnnotationRows, Issue, Record
from imagelake.formats.text_documents import utf8

_MAX_LACKS = 5
_AROUND = 100
_WORDS = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class CocoReader:
    """Reads COCO instance documents, any number of them in one upload.

    The split of a document is that of its folder (`train/_annotations.coco.json`) or of a word in its name
    (`instances_val2017.json`). Every image of a document is labelled for the kinds of all its annotations, refused ones
    too, and for boxes when it has none. So images come last, because only then the kinds are known.
    """

    name: ClassVar[str] = "coco"
    version: ClassVar[int] = 4

    def detect(self, tree: Tree) -> Detection:
        """Which .json files are instance documents; those of keypoints only count where there are no others."""
        paths = [path for path in tree.paths if path.lower().endswith(".json")]
        findings = [judge(tree, path, is_only=len(paths) == 1) for path in paths]
        accepted_findings = [f for f in findings if f.score and not f.keypoints]
        lacks = [f"{f.path}: {f.lack}" for f in findings if not f.score]
        persons = [f for f in findings if f.score and f.keypoints]
        unread = [Unread(f.path, f.unread, f.why) for f in findings if f.unread]
        if accepted_findings:
            lacks += [f"{f.path}: keypoints are not supported yet" for f in persons]
            unread += [Unread(f.path, "COCO keypoints") for f in persons]
        else:
            accepted_findings = persons
        if not findings:
            lacks = ["no .json document"]
        return Detection(
            self.name,
            max((f.score for f in accepted_findings), default=0),
            documents=tuple(f.path for f in accepted_findings),
            lacks=tuple(lacks[:_MAX_LACKS]),
            unread=tuple(unread),
            masks=_masks(findings, tree.paths) if accepted_findings else (),
            by_name=bool(accepted_findings) and all(f.damaged for f in accepted_findings),
        )

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """One unit a document: ids mean something only within one."""
        return tuple(
            Unit(self.name, (path,), json.dumps({"split": document_split(path)}))
            for path in present(tree, detection.documents)
        )

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """Categories, annotations, images. A document that cannot be cut into records is one issue."""
        for rows in self.rows(unit, read):
            if isinstance(rows, AnnotationRows):
                yield from rows.records()
            else:
                yield rows

    def rows(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record | AnnotationRows]:
        """Like `parse`, with plain annotations in batches."""
        context = json.loads(unit.context)
        split_word, part = context.get("split"), context.get("part")
        for path in unit.paths:
            if part is None:
                yield from _document(path, utf8(read(path)), split_word)
            else:
                yield from part_records(path, read(path), DocumentPart(**part), split_word)

    def cut(self, unit: Unit, data: bytes, size: int) -> tuple[Unit, ...]:
        """Parts of the lists of a document; the unit itself when the document is damaged."""
        try:
            outline = _outline(data)
        except NotSplit:
            return (unit,)
        return parts(unit, outline, json.loads(unit.context).get("split"), size)


def _masks(findings: Sequence[Finding], paths: Sequence[str]) -> tuple[str, ...]:
    """The image files that panoptic documents name as masks."""
    masks = (mask_paths(f.path, f.masks, paths) for f in findings if f.masks is not None)
    return tuple(sorted(set[str]().union(*masks)))


def document_split(path: str) -> str | None:
    """The split a document's folder or the words of its name stand for; None when it is none, or several."""
    *folders, name = path.split("/")
    stem = name.rpartition(".")[0] or name
    for words in (folders, _WORDS.findall(stem)):
        splits = {word for word in map(split_name, words) if word is not None}
        if splits:
            return splits.pop() if len(splits) == 1 else None
    return None


def _document(path: str, data: bytes, split_word: str | None) -> Iterator[Record | AnnotationRows]:
    try:
        outline = _outline(data)
    except NotSplit as problem:
        yield Issue(
            document=path,
            entity="file",
            locator=f"byte {problem.position}",
            rule=problem.rule,
            message=problem.message,
            raw=raw(data[max(0, problem.position - _AROUND) : problem.position + _AROUND]),
        )
        return
    yield from whole_records(path, outline, split_word)


def _outline(data: bytes) -> Outline:
    outline = split(data)
    for name in LISTS:
        value = outline.members.get(name)
        if value is not None and value.kind != "list":
            raise NotSplit("document.wrong_shape", f"{name} must be a list", value.start)
    if not any(name in outline.members for name in ("images", "annotations")):
        raise NotSplit("document.wrong_shape", "neither images nor annotations at the top level", 0)
    return outline
