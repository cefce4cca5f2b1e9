"""The records of a document or of a part of it, plain annotations as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from imagelake.formats.coco import records
from imagelake.formats.coco.parts import DocumentPart, repeated_ids
from imagelake.formats.coco.plain import plain_annotations
from imagelake.formats.coco.records import Item, Seen
from imagelake.formats.coco.split import Outline, Value, listed
from imagelake.formats.records import DOCUMENT_KINDS, AnnotationRecord, AnnotationRows, Issue, Record

_AT_ONCE = 2000

Rows = Record | AnnotationRows


def whole_records(path: str, outline: Outline, split: str | None) -> Iterator[Rows]:
    """Categories, annotations, images, which are labelled for the kinds of all annotations."""
    members = outline.members
    seen = Seen(repeated_ids(members.get("images")))
    yield from _categories(_items(path, "categories", members.get("categories")))
    kinds: set[str] = set()
    for rows in _annotations(path, 0, members.get("annotations"), seen):
        kinds.update(rows.kinds if isinstance(rows, AnnotationRows) else filter(None, (rows.kind,)))
        yield rows
    if not kinds and "annotations" in members:
        kinds.add("box")
    for item in _items(path, "images", members.get("images")):
        yield records.image(item, seen, split, tuple(sorted(kinds)))


def part_records(path: str, data: bytes, part: DocumentPart, split: str | None) -> Iterator[Rows]:
    """The records of the items of a part; data: its bytes."""
    value, seen = listed(data), part.seen()
    if part.section == "categories":
        yield from _categories(_items(path, part.section, value, part.place))
    elif part.section == "annotations":
        yield from _annotations(path, part.place, value, seen)
    else:
        kinds = (DOCUMENT_KINDS,) if part.has_labels else ()
        for item in _items(path, part.section, value, part.place):
            yield records.image(item, seen, split, kinds)


def _categories(items: Iterable[Item]) -> Iterator[Record]:
    categories = Seen()
    for item in items:
        yield records.category(item, categories)


def _annotations(
    path: str, place: int, value: Value | None, seen: Seen
) -> Iterator[AnnotationRows | AnnotationRecord | Issue]:
    items = iter(value.items() if value is not None else ())
    while chunk := list(islice(items, _AT_ONCE)):
        rows = plain_annotations(path, place, chunk, seen)
        if rows is not None:
            yield rows
        else:
            for at, data in enumerate(chunk, place):
                yield from records.annotation(Item(path, "annotations", at, data), seen)
        place += len(chunk)


def _items(path: str, section: str, value: Value | None, place: int = 0) -> Iterator[Item]:
    for at, data in enumerate(value.items() if value is not None else (), place):
        yield Item(path, section, at, data)
