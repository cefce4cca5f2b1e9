"""Annotations as most programs write them, many at a time: whole numbers as ids, a box, polygons, nothing else.

One that differs in anything is none of these, and is read by itself (`records.annotation`), to the same effect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from imagelake.formats.coco.records import Seen
from imagelake.formats.coco.shapes import MIN_NUMBERS
from imagelake.formats.coco.values import WIDEST, raw
from imagelake.formats.records import AnnotationRows

_MINUS_ZERO = re.compile(rb"-0[^.\deE]")
"""A whole number to JSON, whose sign a float would keep."""


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: int
    segmentation: list[list[float]] | None = None


_DECODER = msgspec.json.Decoder(list[_Plain])


def plain_annotations(document: str, place: int, items: Sequence[bytes], seen: Seen) -> AnnotationRows | None:
    """The annotations of a document from one place in its list on; None unless all of them are plain.

    Their ids are `seen` from then on.
    """
    text = b"[" + b",".join(items) + b"]"
    if b"-0" in text and _MINUS_ZERO.search(text):
        return None
    try:
        decoded = _DECODER.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    kinds = [_kind(annotation) for annotation in decoded]
    ids, images, categories = (
        _texts([getattr(a, name) for a in decoded]) for name in ("id", "image_id", "category_id")
    )
    if len(decoded) != len(items) or None in kinds or ids is None or images is None or categories is None:
        return None
    if not seen.repeated_images.isdisjoint(images) or not seen.add_new(ids):
        return None
    return AnnotationRows(
        document=document,
        image_refs=images,
        locators=[f"annotations[{at}] id {own_id}" for at, own_id in enumerate(ids, place)],
        kinds=[kind or "" for kind in kinds],
        raws=[raw(item) for item in items],
        category_refs=categories,
        boxes=[annotation.bbox for annotation in decoded],
        polygons=[annotation.segmentation or None for annotation in decoded],
        areas=[annotation.area for annotation in decoded],
        crowds=[annotation.iscrowd == 1 for annotation in decoded],
        source_ids=ids,
    )


def _kind(annotation: _Plain) -> str | None:
    """box or polygon; None when a closer look is needed."""
    if annotation.iscrowd not in (0, 1):
        return None
    if not annotation.segmentation:
        return "box"
    _, _, width, height = annotation.bbox
    if annotation.iscrowd or width <= 0 or height <= 0:
        return None
    sizes = [len(part) for part in annotation.segmentation]
    return "polygon" if all(size >= MIN_NUMBERS and size % 2 == 0 for size in sizes) else None


def _texts(numbers: list[int]) -> list[str] | None:
    """Ids as texts; None when one is too large for an id."""
    return [str(number) for number in numbers] if all(-WIDEST < n < WIDEST for n in numbers) else None
