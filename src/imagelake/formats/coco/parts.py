"""A large document cut into parts that are read apart: some items of one of its lists each.

What an item's record depends on outside of the item is found first, in one look at all ids: images that share one, and
annotations whose id comes again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from imagelake.formats.base import Unit
from imagelake.formats.coco import values
from imagelake.formats.coco.records import Seen
from imagelake.formats.coco.split import Outline, Value

SECTIONS = ("categories", "annotations", "images")
"""The lists of a document in the order in which they are read."""

_AT_ONCE = 10_000
_MOST_REPEATS = 10_000
"""Repeated ids, up to which they are told to each part: a document with more is read in one piece."""


@dataclass(frozen=True)
class DocumentPart:
    """Some items of a list of a document, the first of them at `place`.

    `repeated` are ids of several images each; `earlier` ids that annotations before these have and some of these may
    have again; `has_labels` says whether the document has a list of annotations.
    """

    section: str
    place: int
    repeated: Sequence[str] = ()
    earlier: Sequence[str] = ()
    has_labels: bool = True

    def seen(self) -> Seen:
        """The ids of earlier items."""
        return Seen(frozenset(self.repeated), set(self.earlier))


class _WithId(msgspec.Struct, gc=False):
    id: Any = None


_DECODER = msgspec.json.Decoder(list[_WithId])


def parts(unit: Unit, outline: Outline, split: str | None, size: int) -> tuple[Unit, ...]:
    """Units of some `size` bytes of the document with this outline; the unit itself when it cannot be cut."""
    lists = [(name, outline.members[name]) for name in SECTIONS if name in outline.members]
    repeated = sorted(repeated_ids(outline.members.get("images")))
    repeats = _repeats(outline.members.get("annotations"))
    if len(repeats) + len(repeated) > _MOST_REPEATS:
        return (unit,)
    units, first = [], 0
    for section, value in lists:
        # categories are few, and the first of an id counts
        for place, start, end in _spans(value, size if section != "categories" else value.end):
            earlier = tuple(i for i, at in repeats.items() if at < place) if section == "annotations" else ()
            part = DocumentPart(section, place, repeated, earlier, "annotations" in outline.members)
            context = json.dumps({"split": split, "part": asdict(part)})
            units.append(Unit(unit.format, unit.paths, context, (start, end), first + 2 * place))
        first += 2 * (len(value.commas) + 1)  # an annotation makes two records at most
    return tuple(units)


def _spans(value: Value, size: int) -> Iterator[tuple[int, int, int]]:
    """Place of the first item, first byte and end of each part; a part ends after a comma, or before the bracket."""
    cuts = np.arange(value.start + size, value.end, size)
    chosen = np.unique(np.searchsorted(value.commas, cuts))
    place, start = 0, value.start + 1
    for at in chosen[chosen < len(value.commas)].tolist():
        end = int(value.commas[at]) + 1
        yield place, start, end
        place, start = at + 1, end
    yield place, start, value.end - 1


def repeated_ids(images: Value | None) -> frozenset[str]:
    """Image ids that several images have."""
    return frozenset(_repeats(images))


def _repeats(value: Value | None) -> dict[str, int]:
    """Ids that several items have, and the place of the first of each."""
    firsts: dict[str, int] = {}
    repeats: dict[str, int] = {}
    for place, own_id in enumerate(_ids(value) if value is not None else ()):
        if own_id is not None and firsts.setdefault(own_id, place) != place:
            repeats[own_id] = firsts[own_id]
    return repeats


def _ids(value: Value) -> Iterator[str | None]:
    """The usable id of each item."""
    items = value.items()
    while chunk := list(islice(items, _AT_ONCE)):
        yield from _ids_of(chunk)


def _ids_of(items: Sequence[bytes]) -> Iterator[str | None]:
    try:
        decoded = _DECODER.decode(b"[" + b",".join(items) + b"]")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        decoded = []
    if len(decoded) != len(items):
        yield from map(values.own_id, items)
        return
    for item in decoded:
        yield values.reference(item.id)[0]
