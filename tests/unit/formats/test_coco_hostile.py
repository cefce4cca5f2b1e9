from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagelake.core.digest import canonical_json
from imagelake.formats.base import Unit
from imagelake.formats.coco.reader import CocoReader
from imagelake.formats.records import AnnotationRecord, CategoryRecord, ImageRecord, Issue, Record
from imagelake.quality.catalogue import BY_ID

UPLOADS = Path(__file__).parents[4] / "shared" / "data"

IMAGE = {"id": 1, "file_name": "1.jpg", "width": 64, "height": 48}
BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 5, 20, 10], "area": 200, "iscrowd": 0}
MASK = {"size": [4, 6], "counts": [4, 2, 18]}
COCO: dict[str, Any] = {
    "images": [IMAGE, {**IMAGE, "id": 2, "file_name": "2.jpg"}],
    "annotations": [
        BOX,
        {**BOX, "id": 2, "segmentation": [[1, 1, 5, 1, 5, 3]]},
        {**BOX, "id": 3, "segmentation": MASK},
        {**BOX, "id": 4, "score": 0.5, "note": 'é\\"{[,:'},
    ],
    "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}],
    "info": {"year": 2024},
}
RULES = BY_ID


ODD = (b"NaN", b"null", b"[[", b"}", b'"', b"\\", b"\\ud800", b"1e999", b"-", b"9" * 30, b",", b"{}")


def parse(data: bytes) -> list[Record]:
    return list(CocoReader().parse(Unit("coco", ("a.json",), '{"split": null}'), lambda path: data))


def parse_one(**changes: Any) -> AnnotationRecord | Issue:
    """The record of one annotation with these members."""
    (record,) = parse_all(**changes)
    return record


def parse_all(**changes: Any) -> list[AnnotationRecord | Issue]:
    """What becomes of one annotation with these members."""
    document = {**COCO, "annotations": [{**BOX, **changes}]}
    return [r for r in parse(json.dumps(document).encode()) if isinstance(r, (AnnotationRecord, Issue))]


@pytest.mark.parametrize(
    "bbox", [[1, 2, 3, 10**400], [1, 2, 3, None], [1, "nan", 3, 4], [1, 2, 3, float("-inf")], [1, 2, 3, "1e999"]]
)
def test_a_box_that_is_not_finite_is_refused(bbox: list[Any]) -> None:
    record = parse_one(bbox=bbox)
    assert isinstance(record, Issue)
    assert record.rule == "annotation.bbox_not_finite"


@pytest.mark.parametrize("bbox", [[1, 2, 3, 4, 5], "1,2,3,4", {"x": 1}, [True, 2, 3, 4], [[1], 2, 3, 4], 7])
def test_a_box_that_is_not_four_numbers_is_refused(bbox: Any) -> None:
    record = parse_one(bbox=bbox)
    assert isinstance(record, Issue)
    assert record.rule == "annotation.bbox_invalid"


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": [4, 6], "counts": [-1, 25]},
        {"size": [4, 6], "counts": [True, 23]},
        {"size": [4, 6], "counts": 24},
        {"size": [4.0, 6], "counts": [24]},
        {"size": [10**300, 10**300], "counts": [10**600]},
        {"counts": "h0"},
        {},
    ],
)
def test_a_mask_that_cannot_be_is_refused_without_being_drawn(segmentation: dict[str, Any]) -> None:
    refused, box = parse_all(segmentation=segmentation)
    assert isinstance(refused, Issue)
    assert (refused.rule, refused.kind) == ("annotation.rle_invalid", "rle")
    assert isinstance(box, AnnotationRecord)
    assert (box.kind, box.rle_counts) == ("box", None)
    alone = parse_one(segmentation=segmentation, bbox=None)
    assert isinstance(alone, Issue)
    assert alone.rule == "annotation.rle_invalid"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "document.invalid_json"),
        (b"\xef\xbb\xbf", "document.invalid_json"),
        (b"<xml/>", "document.invalid_json"),
        (b'{"images": []} {}', "document.invalid_json"),
        (b'{"images": []]', "document.invalid_json"),
        (b'{"images": [}, "annotations": []}', "document.invalid_json"),
        (b'{"images": }', "document.invalid_json"),
        (b'{"images"}', "document.invalid_json"),
        (b"{1: []}", "document.invalid_json"),
        (b"}{", "document.invalid_json"),
        (b'{"images": ["', "document.invalid_json"),
        (b"[]", "document.wrong_shape"),
        (b"null", "document.wrong_shape"),
        (b"{}", "document.wrong_shape"),
        (b'{"images": null}', "document.wrong_shape"),
        (b'{"images": [], "images": []}', "document.wrong_shape"),
        (b'{"images": [' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"]}", "document.too_deep"),
        (b"{" * 100_000, "document.too_deep"),
        (json.dumps(COCO).encode("utf-16-le"), "document.invalid_json"),
        (json.dumps(COCO).replace("cat", "café").encode("latin-1"), "document.not_utf8"),
    ],
)
def test_a_document_that_is_none_is_one_issue(data: bytes, rule: str) -> None:
    records = parse(data)
    assert [(r.entity, r.rule) for r in records if isinstance(r, Issue)] == [("file", rule)]
    assert len(records) == 1


def test_what_is_kept_of_a_record_can_be_stored() -> None:
    record = parse_one(id="x" * 9000, a=float("nan"), b=[1e400, {"c": 10**30}], d="\ud800", e=10**30)
    assert isinstance(record, AnnotationRecord)
    assert record.attributes == {"a": None, "b": [None, {"c": None}], "d": "\ufffd", "e": None}
    assert "annotation.value_not_finite" in record.warnings
    assert canonical_json(record.attributes)
    assert len(record.raw) == 4000
    record.raw.encode("utf-8")


@given(st.data())
def test_no_change_of_a_document_makes_the_reader_raise(data: st.DataObject) -> None:
    text = bytearray(json.dumps(COCO).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = min(len(text), begin + data.draw(st.integers(0, 12)))
        odd = st.sampled_from(
            [b"NaN", b"null", b"[[", b"}", b'"', b"\\", b"\\ud800", b"1e999", b"-", b"9" * 30, b",", b"{}"]
        )
        text[begin:end] = data.draw(odd | st.binary(max_size=4))
    _storable(parse(bytes(text)))


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["1", "nan", "a/b"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["size", "counts", "x"]), inner),
    max_leaves=12,
)


@given(
    st.sampled_from(["images", "annotations", "categories"]),
    st.dictionaries(st.sampled_from([*IMAGE, *BOX, "name", "segmentation", "is_crowd", "extra"]), _VALUES),
)
@example("annotations", {"id": None, "segmentation": False})
def test_no_value_in_an_odd_place_makes_the_reader_raise(section: str, changes: dict[str, Any]) -> None:
    document = {**COCO, section: [{**COCO[section][0], **changes}, *COCO[section]]}
    records = parse(json.dumps(document).encode())
    _storable(records)
    kinds = {"images": ImageRecord, "annotations": AnnotationRecord, "categories": CategoryRecord}
    for name, kind in kinds.items():
        refused = {r.locator for r in records if isinstance(r, Issue) and r.locator.startswith(name)}
        # A box that survives its refused outline is an issue and a record of one entry.
        whole = sum(isinstance(r, kind) and getattr(r, "locator", None) not in refused for r in records)
        assert whole + len(refused) == len(document[name])


def _storable(records: list[Record]) -> None:
    """Every record can become a row: text is Unicode, attributes are JSON, and every rule is declared."""
    for record in records:
        if isinstance(record, Issue):
            assert RULES[record.rule].severity == "quarantine"
            assert RULES[record.rule].entity == record.entity
            (record.raw + record.message + record.locator).encode("utf-8")
        else:
            (canonical_json(record.attributes) or "").encode("utf-8")
            warnings = record.warnings if not isinstance(record, CategoryRecord) else ()
            assert all(RULES[w].severity == "warn" for w in warnings)
