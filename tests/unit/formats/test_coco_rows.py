"""Annotations read many at a time, and documents read in parts, are those read one by one and whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagelake.formats.base import Unit
from imagelake.formats.coco import records
from imagelake.formats.coco.plain import plain_annotations
from imagelake.formats.coco.reader import CocoReader
from imagelake.formats.coco.records import Item, Seen
from imagelake.formats.records import DOCUMENT_KINDS, AnnotationRows, ImageRecord, Issue, Record

PLAIN = {
    "id": "7",
    "image_id": "1",
    "category_id": "2",
    "bbox": "[4, 5.25, 20, 10]",
    "area": "200",
    "iscrowd": "0",
    "segmentation": "[[1, 1, 5, 1, 5, 3.5]]",
}
IDS = ("7", "8", "-3", "7.0", '"7"', '"x"', "null", "true", "-0", "18446744073709551615", "18446744073709551616")
NUMBERS = ("3", "-0", "-0.0", "0", "-1.5", "1e3", "1e999", "NaN", '"4"', "null", "true", "9007199254740993", "12" * 20)
BOXES = st.lists(st.sampled_from(NUMBERS), min_size=3, max_size=5).map(lambda sides: f"[{', '.join(sides)}]")
POINTS = st.lists(st.sampled_from(NUMBERS), max_size=7).map(lambda values: f"[{', '.join(values)}]")
OUTLINES = st.one_of(
    st.lists(POINTS, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
    st.sampled_from(("null", "[]", "[[]]", "[1, 1, 5, 1, 5, 3]", '{"size": [4, 6], "counts": [4, 2, 18]}', '"x"')),
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(IDS),
        "image_id": st.sampled_from(IDS),
        "category_id": st.sampled_from(IDS),
        "bbox": BOXES,
        "area": st.sampled_from(NUMBERS),
        "iscrowd": st.sampled_from(("0", "1", "2", "true", "1.0", '"1"', "null")),
        "segmentation": OUTLINES,
        "is_crowd": st.just("1"),
        "score": st.just("0.5"),
    },
)
BROKEN = st.sampled_from((b"", b"7", b"null", b"{}", b'{"id": 7,}', b'{"id": 7, "id": 8}', b'{"\\u0069d": 9}', b"{} x"))


def as_text(changes: dict[str, str], left_out: Sequence[str] = ()) -> bytes:
    members = {name: value for name, value in {**PLAIN, **changes}.items() if name not in left_out}
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}").encode()


ANNOTATIONS = st.one_of(
    st.integers(0, 40).map(lambda number: as_text({"id": str(number), "image_id": str(number % 5)})),
    MEMBERS.map(as_text),
    st.sampled_from(sorted(PLAIN)).map(lambda name: as_text({}, (name,))),
    BROKEN,
)


@example([as_text({})], frozenset(), frozenset())
@example([as_text({}), as_text({"id": "8", "segmentation": "[]"})], frozenset(), frozenset())
@given(st.lists(ANNOTATIONS, min_size=1, max_size=4), st.sets(st.sampled_from(("1", "2"))), st.sets(st.just("8")))
def test_annotations_read_together_are_those_read_one_by_one(
    items: list[bytes], repeated: set[str], before: set[str]
) -> None:
    together, alone = (Seen(frozenset(repeated), set(before)) for _ in range(2))
    rows = plain_annotations("a.json", 5, items, together)
    each = chain.from_iterable(
        records.annotation(Item("a.json", "annotations", place, item), alone) for place, item in enumerate(items, 5)
    )
    if rows is None:
        assert together.ids == before
    else:
        # as texts, for -0.0 equals 0.0
        assert list(map(repr, rows.records())) == list(map(repr, each))
        assert together.ids == alone.ids


def test_plain_annotations_are_read_together() -> None:
    document = b'{"annotations": [%s, %s]}' % (as_text({}), as_text({"id": "8", "segmentation": "null"}))
    rows = list(CocoReader().rows(Unit("coco", ("a.json",)), lambda path: document))
    assert [type(row) for row in rows] == [AnnotationRows]


IMAGES = st.integers(0, 4).map(lambda number: json.dumps({"id": number, "file_name": f"{number}.jpg"}).encode())
CATEGORIES = st.integers(0, 3).map(lambda number: json.dumps({"id": number, "name": f"c{number}"}).encode())
LISTS = {"images": IMAGES, "annotations": ANNOTATIONS, "categories": CATEGORIES}


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Lists in any order, of which one may lack, with blanks and a comma too many."""
    members = []
    for name in draw(st.permutations(sorted(LISTS)))[: draw(st.integers(2, 3))]:
        items = draw(st.lists(LISTS[name] | BROKEN, max_size=8))
        space, rest = draw(st.sampled_from((b"", b" ", b"\n"))), draw(st.sampled_from((b"", b"", b" ,")))
        members.append(b'"%s": [%s%s]' % (name.encode(), (b"," + space).join(items), rest))
    return b"{" + b", ".join(members) + b"}"


def in_parts(data: bytes, size: int) -> list[tuple[int, Record]]:
    """Numbered records of all parts, in the order of their numbers."""
    reader, unit = CocoReader(), Unit("coco", ("a.json",), '{"split": null}')
    numbered = []
    for part in reader.cut(unit, data, size):
        start, end = part.span or (0, len(data))
        of_part = reader.parse(part, lambda path, start=start, end=end: data[start:end])  # type: ignore[misc]
        numbered += list(enumerate(of_part, part.first))
    return sorted(numbered, key=lambda pair: pair[0])


@given(documents(), st.integers(1, 400))
def test_a_document_read_in_parts_is_the_one_read_whole(data: bytes, size: int) -> None:
    whole = list(CocoReader().parse(Unit("coco", ("a.json",), '{"split": null}'), lambda path: data))
    numbered = in_parts(data, size)
    kinds = sorted({r.kind for r in whole if not isinstance(r, ImageRecord) and getattr(r, "kind", None)}) or ["box"]
    assert [repr(_of_kinds(record, kinds)) for _, record in numbered] == list(map(repr, whole))
    assert len({number for number, _ in numbered}) == len(numbered)


def _of_kinds(record: Record, kinds: Sequence[str]) -> Record:
    is_marked = isinstance(record, ImageRecord) and record.kinds == (DOCUMENT_KINDS,)
    return replace(record, kinds=tuple(kinds)) if is_marked else record  # type: ignore[arg-type, call-arg]


@pytest.mark.parametrize("size", [1, 50, 10**6])
def test_ids_that_come_again_in_another_part_are_noticed(size: int) -> None:
    labels = [as_text({"id": str(number % 3), "image_id": str(number)}).decode() for number in range(5)]
    images = [json.dumps({"id": number % 4, "file_name": f"{number}.jpg"}) for number in range(5)]
    data = f'{{"annotations": [{", ".join(labels)}], "images": [{", ".join(images)}]}}'.encode()
    read = [record for _, record in in_parts(data, size)]
    repeated = [record.rule for record in read if isinstance(record, Issue)]
    assert repeated == ["annotation.image_ambiguous", *["image.duplicate_id"] * 2]
    assert [getattr(r, "warnings", ()) for r in read[:5]] == [(), (), (), *[("annotation.id_duplicate",)] * 2]


def test_a_document_of_many_repeated_ids_stays_whole() -> None:
    labels = ", ".join(as_text({"id": str(number // 2)}).decode() for number in range(20_100))
    unit = Unit("coco", ("a.json",), '{"split": null}')
    assert CocoReader().cut(unit, f'{{"annotations": [{labels}]}}'.encode(), 1000) == (unit,)
