"""Saves of a labelling tool: `<key hash>/<time>-<id>.json`, one image each, as `storage.labels` lays them down."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from imagelake.core.digest import nfc
from imagelake.formats.base import Detection, Tree, Unit, present, read_or_none
from imagelake.formats.coco import shapes, values
from imagelake.formats.names import category_name
from imagelake.formats.records import AnnotationRecord, ImageRecord, Issue, Record
from imagelake.formats.refused import Refused, shown
from imagelake.formats.small_documents import (
    HEAD,
    MAX_RAW,
    Unreadable,
    cut,
    spread,
    too_large,
    too_large_issues,
    unreadable_issue,
)
from imagelake.geometry.boxes import Box
from imagelake.storage.label_paths import MAGIC, SCHEMA, by_folder, key_hash

SCORE, _DAMAGED_SCORE = 95, 40

KINDS = ("box", "polygon", "rle", "class")

_MAGIC = re.compile(rb'^\s*\{\s*"' + MAGIC.encode() + rb'"\s*:\s*\d')
_FIELDS = frozenset(("kind", "category", "bbox", "polygons", "rle", "is_crowd", "attributes", "source_id"))
_ODD_KEY = re.compile(r"[\x00-\x1f\x7f-\x9f]|^/|(?:^|/)\.{0,2}(?:/|$)")


@dataclass(frozen=True)
class LabelsReader:
    """Reads saves: of those in one folder the newest counts, for it says all that the others left.

    Nobody else's documents begin with the member that marks a save.
    """

    name: ClassVar[str] = "labels"
    version: ClassVar[int] = 1

    def detect(self, tree: Tree) -> Detection:
        """Fits when there are files named like saves and one of those looked at says that it is one.

        Damaged ones count as saves: nothing else is named like them.
        """
        saves = by_folder(path for path in tree.paths if path.endswith(".json"))
        newest = sorted(_path(folder, names[-1]) for folder, names in saves.items())
        heads = [read_or_none(tree, path, HEAD) for path in spread(newest)]
        readable = [head for head in heads if head is not None]
        is_sure = any(map(_MAGIC.match, readable))
        if not is_sure and len(readable) == len(heads):
            lack = f"no <key hash>/<time>-<id>.json that begins with {MAGIC}"
            return Detection(self.name, 0, lacks=(lack,))
        older = sorted(_path(folder, name) for folder, names in saves.items() for name in names[:-1])
        score = SCORE if is_sure else _DAMAGED_SCORE
        return Detection(self.name, score, documents=tuple(newest), meta=tuple(older), by_name=not is_sure)

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """Some hundred saves a unit."""
        paths, refused = too_large(self.name, tree, present(tree, detection.documents))
        return (*(Unit(self.name, group) for group in cut(tree, paths)), *refused)

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """An image and its annotations for each save."""
        context = json.loads(unit.context)
        if context:
            yield from too_large_issues(context)
            return
        for path in unit.paths:
            yield from _records(path, read(path))


def _path(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _records(path: str, data: bytes) -> Iterator[Record]:
    try:
        save = _document(data)
        kinds = _kinds(save)
    except Unreadable as problem:
        yield unreadable_issue(path, data, problem)
        return
    try:
        yield _image(path, save, kinds)
    except Refused as problem:
        raw = _raw({name: save.get(name) for name in ("image_key", "by", "at")})
        yield Issue(path, "image", "image_key", problem.rule, problem.message, raw, image_ref=path)
        return
    for place, entry in enumerate(save["annotations"]):
        yield _annotation(path, place, entry, kinds)


def _document(data: bytes) -> Mapping[str, Any]:
    """The save in these bytes; Unreadable when there is none."""
    try:
        found = values.decode(data)
    except UnicodeDecodeError:
        raise Unreadable("document.not_utf8", "the save is not UTF-8") from None
    except ValueError as problem:
        raise Unreadable("document.invalid_json", f"no JSON: {problem}") from None
    if not isinstance(found, dict) or type(found.get(MAGIC)) is not int or found[MAGIC] < 1:
        raise Unreadable("document.wrong_shape", f"no object with {MAGIC}: it is no save")
    if found[MAGIC] > SCHEMA:
        raise Unreadable("document.wrong_shape", f"{MAGIC} is {found[MAGIC]}; this imagelake reads up to {SCHEMA}")
    if not isinstance(found.get("annotations"), list):
        raise Unreadable("document.wrong_shape", f"annotations is {shown(found.get('annotations'))}; give a list")
    return found


def _kinds(save: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds a save replaces. All or nothing: whoever left one out meant to replace less, or mistyped it."""
    kinds = save.get("kinds")
    if not isinstance(kinds, list) or not kinds or not all(kind in KINDS for kind in kinds):
        raise Unreadable("document.wrong_shape", f"kinds is {shown(kinds)}; give some of {', '.join(KINDS)}")
    return tuple(sorted(set(kinds)))


def _image(path: str, save: Mapping[str, Any], kinds: tuple[str, ...]) -> ImageRecord:
    key = save.get("image_key")
    if not isinstance(key, str) or not key:
        raise Refused("image.file_name_missing", f"image_key is {shown(key)}; the key of an image is needed")
    if _ODD_KEY.search(key) or key != nfc(key):
        raise Refused("image.path_hostile", f"image_key {shown(key)} is not one that an image can have")
    folder = path.rpartition("/")[0].rpartition("/")[2]
    if folder and folder != key_hash(key):
        raise Refused("image.path_hostile", f"image_key {shown(key)} does not belong into the folder {folder}")
    warnings: list[str] = []
    width, height = (_side(save.get(side), warnings) for side in ("width", "height"))
    return ImageRecord(
        document=path,
        ref=path,
        file=key,
        locator="",
        width=width,
        height=height,
        kinds=kinds,
        warnings=tuple(warnings),
    )


def _side(given: Any, warnings: list[str]) -> int | None:
    side = values.side(given)
    if side is None and given is not None and "image.size_invalid" not in warnings:
        warnings.append("image.size_invalid")
    return side


def _annotation(path: str, place: int, entry: Any, kinds: tuple[str, ...]) -> AnnotationRecord | Issue:
    locator, raw = f"annotations[{place}]", _raw(entry)
    kind = entry.get("kind") if isinstance(entry, dict) else None
    warnings: list[str] = []
    try:
        if not isinstance(entry, dict) or kind not in kinds:
            raise Refused("annotation.row_malformed", f"{shown(entry)} is no annotation of kind {' or '.join(kinds)}")
        shape, box = _shape(entry, warnings)
        written = entry.get("category")
        category = category_name(written) if isinstance(written, str) else ""
        if not category:
            raise Refused("annotation.category_unknown", f"category {shown(written)}; a name is needed")
    except Refused as problem:
        known = kind if kind in kinds else None
        return Issue(path, "annotation", locator, problem.rule, problem.message, raw, image_ref=path, kind=known)
    source_id = entry.get("source_id")
    return AnnotationRecord(
        document=path,
        image_ref=path,
        locator=locator,
        kind=str(kind),
        raw=raw,
        category=category,
        bbox=box,
        polygons=shape.polygons,
        rle_size=shape.rle_size,
        rle_counts=shape.rle_counts,
        is_crowd=entry.get("is_crowd") is True,
        source_id=source_id if isinstance(source_id, str) else None,
        attributes=_attributes(entry, warnings),
        warnings=tuple(warnings),
    )


def _shape(entry: Mapping[str, Any], warnings: list[str]) -> tuple[shapes.Shape, Box | None]:
    """Outline and box; Refused when they are not those of the kind."""
    kind = entry["kind"]
    given = entry.get("rle" if kind == "rle" else "polygons")
    shape = shapes.shape(given, warnings) if kind in ("polygon", "rle") else shapes.BOX
    if kind in ("polygon", "rle") and shape.kind != kind:
        raise Refused(f"annotation.{kind}_invalid", f"{shown(given)} is no outline of kind {kind}")
    return shape, shapes.bbox(entry.get("bbox"), shape, warnings)


def _attributes(entry: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    """What is given as attributes, and members that nobody knows."""
    given = entry.get("attributes")
    left, lost = values.attributes(given if isinstance(given, dict) else {}, ())
    unknown, lost_too = values.attributes(entry, _FIELDS)
    if lost or lost_too:
        warnings.append("annotation.value_not_finite")
    return {**unknown, **left}


def _raw(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)[:MAX_RAW]
    except (ValueError, RecursionError):
        return ""
