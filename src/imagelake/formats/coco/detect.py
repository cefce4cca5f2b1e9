"""Is this JSON file a COCO document, and of which kind? Decided by what it holds, not by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from imagelake.formats.base import BY_NAME_SCORE, Tree, read_or_none
from imagelake.formats.coco import values
from imagelake.formats.coco.masks import MaskNames, mask_names
from imagelake.formats.coco.scan import NotSplit
from imagelake.formats.coco.split import Outline, split, split_head
from imagelake.formats.text_documents import is_utf16, utf8

HEAD = 256 << 10
"""Bytes that are looked at first; a document whose annotations begin later is read whole."""

MAX_WHOLE = 256 << 20
"""Larger documents are never read whole for detection: their beginning must do."""

LISTS = ("images", "annotations", "categories")

ALL_LISTS, TWO_LISTS, ONE_LIST, BROKEN = 95, 85, 60, BY_NAME_SCORE

_SAMPLE = 20
_LIST_KEYS = re.compile(rb'"(images|annotations|categories)"\s*:')
_NAMED = re.compile(r"(^|/)(_annotations\.coco|[^/]*\.coco|instances_[^/]*)\.json$", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """The judgement of one file: score 0 to 100 with why it is 0.

    `keypoints` when its boxes are those of keypoints, `damaged` when it could not be read; `unread` names the kind of a
    document that is COCO and is not read, with `why`; `masks` are the names in a panoptic document.
    """

    path: str
    score: int
    lack: str = ""
    keypoints: bool = False
    unread: str = ""
    why: str = "not supported yet"
    damaged: bool = False
    masks: MaskNames | None = None


def judge(tree: Tree, path: str, *, is_only: bool) -> Finding:
    """What a .json file is. One that cannot be read is taken if its name is one of COCO's, or `is_only` of its kind."""
    size = tree.size(path)
    data = read_or_none(tree, path, HEAD)
    if data is None:
        is_taken = is_only or _NAMED.search(path) is not None
        return Finding(path, BROKEN if is_taken else 0, "the file cannot be read", damaged=True)
    if is_utf16(data):
        data = utf8(read_or_none(tree, path, MAX_WHOLE) or data)
        size = len(data)
    try:
        outline = _outline(data, size)
        if len(data) < size <= MAX_WHOLE and (_is_worth_more(outline) or _is_panoptic(outline)):
            data = read_or_none(tree, path)
            if data is None:
                return Finding(path, BROKEN, "the file cannot be read to its end", damaged=True)
            outline = _outline(data, size)
    except NotSplit as problem:
        return _unsplit(path, data or b"", problem)
    return _judge_outline(path, outline, cut=len(data) < size or not data.rstrip().endswith(b"}"))


def _outline(data: bytes, size: int) -> Outline:
    """Outline of the whole document if it can be split, otherwise of its readable beginning."""
    try:
        return split(data) if len(data) == size else split_head(data)
    except NotSplit:
        return split_head(data)


def _judge_outline(path: str, outline: Outline, *, cut: bool) -> Finding:
    lists = _lists(outline)
    other = _other_kind(outline)
    if other:
        kind, lack = other
        masks = mask_names(outline) if _is_panoptic(outline) else None
        return Finding(path, 0, lack, unread=kind, masks=masks)
    if len(lists) >= 2:
        score = ALL_LISTS if len(lists) == 3 else TWO_LISTS
        return Finding(path, score, keypoints=any("keypoints" in a for a in _sample(outline, "annotations")))
    if lists and cut and _looks_right(outline, lists[0]):
        return Finding(path, ONE_LIST)
    missing = ", ".join(name for name in LISTS if name not in lists)
    return Finding(path, 0, f"at least two of the lists {', '.join(LISTS)} are needed; {missing} not found")


def _other_kind(outline: Outline) -> tuple[str, str] | None:
    """The name of another COCO kind and the reason it is not read; None when it is not one."""
    if any("annotations" in i or "annotation" in i for i in _sample(outline, "images")):
        return "annotations inside images", "annotations inside images are not supported yet"
    if _is_panoptic(outline):
        return "COCO panoptic", "panoptic annotations are not supported yet"
    annotations = _sample(outline, "annotations")
    outlined = any("bbox" in a or "segmentation" in a for a in annotations)
    if not outlined and any("caption" in a for a in annotations):
        return "COCO captions", "captions are not supported yet"
    if not outlined and any("keypoints" in a for a in annotations):
        return "COCO keypoints", "keypoints without boxes are not supported yet"
    return None


def _is_panoptic(outline: Outline) -> bool:
    return any("segments_info" in annotation for annotation in _sample(outline, "annotations"))


def _looks_right(outline: Outline, name: str) -> bool:
    """Whether the one list that is in sight holds what COCO would put there."""
    keys = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id"), "categories": ("id", "name")}
    return any(all(key in item for key in keys[name]) for item in _sample(outline, name))


def _unsplit(path: str, data: bytes, problem: NotSplit) -> Finding:
    """A broken document that calls itself COCO is taken, so that reading it says what is wrong with it."""
    if problem.rule == "document.wrong_shape" and b'"image_id"' in data and b'"score"' in data:
        return Finding(path, 0, "results files are not supported yet", unread="COCO results")
    claims = set(_LIST_KEYS.findall(data)) if data.lstrip().startswith(b"{") else set()
    if _NAMED.search(path) or len(claims) >= 2:
        return Finding(path, BROKEN)
    return Finding(path, 0, problem.message)


def _is_worth_more(outline: Outline) -> bool:
    """Whether the beginning promises a COCO document without showing two lists and an annotation."""
    if not any(name in outline.members for name in (*LISTS, "info", "licenses")):
        return False
    return len(_lists(outline)) < 2 or not _sample(outline, "annotations")


def _lists(outline: Outline) -> list[str]:
    return [name for name in LISTS if name in outline.members and outline.members[name].kind == "list"]


def _sample(outline: Outline, name: str) -> list[dict[str, Any]]:
    value = outline.members.get(name)
    if value is None or value.kind != "list":
        return []
    return list(islice(_objects(value.items()), _SAMPLE))


def _objects(items: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for item in islice(items, 2 * _SAMPLE):
        try:
            value = values.decode(item)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value
