from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.formats import detect, reader
from imagelake.formats.labels import KINDS, LabelsReader
from imagelake.formats.records import AnnotationRecord, ImageRecord, Issue, Record
from imagelake.formats.small_documents import MAX_BYTES
from imagelake.formats.trees import DictTree
from imagelake.quality.catalogue import BY_ID
from imagelake.storage.label_paths import MAGIC, key_hash, save_name

KEY = "cats/a.png"
CAT = {"kind": "box", "category": "cat", "bbox": [1, 2, 3.5, 4]}
SAVE = {MAGIC: 1, "image_key": KEY, "width": 40, "height": 30, "by": "ann", "base": "e", "at": "2030", "kinds": ["box"]}
COCO = {
    "images": [{"id": 1, "file_name": "1.jpg", "width": 4, "height": 3}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}],
    "categories": [{"id": 1, "name": "cat"}],
}


def path(key: str = KEY, time: int = 1) -> str:
    return f"{key_hash(key)}/{save_name(time, 'ab12')}"


def save(*annotations: Any, **changed: Any) -> bytes:
    return json.dumps({**SAVE, "annotations": list(annotations), **changed}).encode()


def tree(**files: bytes) -> DictTree:
    return DictTree(files)


def records(files: dict[str, bytes]) -> list[Record]:
    upload = DictTree(files)
    found = LabelsReader().detect(upload)
    return [r for unit in LabelsReader().plan(upload, found) for r in LabelsReader().parse(unit, upload.read)]


def parsed(data: bytes) -> list[Record]:
    """What one document gives, recognised or not."""
    upload = DictTree({path(): data})
    found = detect.Detection("labels", 95, documents=(path(),))
    return [r for unit in LabelsReader().plan(upload, found) for r in LabelsReader().parse(unit, upload.read)]


def test_a_save_is_an_image_with_its_annotations() -> None:
    image, annotation = records({path(): save({**CAT, "is_crowd": True, "attributes": {"b": 1}, "source_id": "7"})})
    assert image == ImageRecord(path(), path(), KEY, "", width=40, height=30, kinds=("box",))
    assert isinstance(annotation, AnnotationRecord)
    assert (annotation.document, annotation.image_ref, annotation.locator) == (path(), path(), "annotations[0]")
    assert (annotation.kind, annotation.category, annotation.bbox) == ("box", "cat", (1.0, 2.0, 3.5, 4.0))
    assert (annotation.is_crowd, annotation.attributes, annotation.source_id) == (True, {"b": 1}, "7")
    assert json.loads(annotation.raw)["category"] == "cat"
    assert annotation.warnings == ()


def test_kinds_without_annotations_are_labelled_with_nothing() -> None:
    assert records({path(): save(kinds=["polygon", "box"])}) == [
        ImageRecord(path(), path(), KEY, "", width=40, height=30, kinds=("box", "polygon"))
    ]


def test_names_of_categories_are_trimmed_and_in_normal_form() -> None:
    _, annotation = records({path(): save({**CAT, "category": " koc\u030cka\u2003"})})
    assert isinstance(annotation, AnnotationRecord)
    assert annotation.category == "ko\u010dka"


def test_every_kind_is_read() -> None:
    polygon = {"kind": "polygon", "category": "x", "bbox": [0, 0, 2, 2], "polygons": [[0, 0, 2, 0, 2, 2]]}
    mask = {"kind": "rle", "category": "x", "bbox": [0, 0, 2, 2], "rle": {"size": [30, 40], "counts": [1199, 1]}}
    whole = {"kind": "class", "category": "x"}
    _, *found = records({path(): save(CAT, polygon, mask, whole, kinds=list(KINDS))})
    assert [r.kind for r in found] == ["box", "polygon", "rle", "class"]
    assert [type(r) for r in found] == [AnnotationRecord] * 4
    assert (found[1].polygons, found[2].rle_size, found[3].bbox) == (((0, 0, 2, 0, 2, 2),), (30, 40), None)


def test_of_the_saves_of_an_image_the_newest_name_counts_and_the_others_are_history() -> None:
    files = {path(time=t): save({**CAT, "category": f"c{t}"}) for t in (9, 100, 20)}
    files[path("b.png", 5)] = save(image_key="b.png")
    found = LabelsReader().detect(DictTree(files))
    assert set(found.documents) == {path(time=100), path("b.png", 5)}
    assert set(found.meta) == {path(time=9), path(time=20)}
    assert [r.category for r in records(files) if isinstance(r, AnnotationRecord)] == ["c100"]


def test_saves_of_one_image_lose_the_folder_they_share_and_are_read_all_the_same() -> None:
    files = {save_name(t, "ab"): save({**CAT, "category": f"c{t}"}) for t in (1, 2)}
    assert detect.choose(DictTree(files), None).reader == "labels"
    assert [r.category for r in records(files) if isinstance(r, AnnotationRecord)] == ["c2"]


def test_an_upload_of_saves_is_recognised_and_alone() -> None:
    choice = detect.choose(DictTree({path(): save(CAT), path("b.png"): save(image_key="b.png")}), None)
    assert (choice.reader, choice.detection.score) == ("labels", 95)
    assert detect.choose(DictTree({path(): save(CAT)}), "labels").reader == "labels"
    assert reader("labels").name == "labels"


def test_large_saves_and_saves_with_odd_members_are_not_taken_for_coco() -> None:
    many = save(*[{**CAT, "keypoints": [1, 2, 2], "image_id": 1, "caption": "x"}] * 9000)
    assert len(many) > 256 << 10
    assert detect.choose(DictTree({path(): many}), None).reader == "labels"


@pytest.mark.parametrize(
    "files",
    [
        {"a.json": save(CAT)},
        {f"{key_hash(KEY)}/a.json": save(CAT)},
        {f"images/{save_name(1, 'ab')}": save(CAT)},
        {path(): b"{}"},
        {path(): json.dumps({"a": 1, **SAVE}).encode()},
        {path(): b'{"imagelake_labels": "1"}'},
        {path().replace(".json", ".txt"): save(CAT)},
        {},
    ],
)
def test_other_peoples_files_are_not_saves(files: dict[str, bytes]) -> None:
    found = LabelsReader().detect(DictTree(files))
    assert (found.score, found.documents) == (0, ())
    assert MAGIC in found.lacks[0]
    upload = DictTree({**files, "coco.json": json.dumps(COCO).encode()})
    assert detect.choose(upload, None).reader == "coco"


HOSTILE: list[tuple[bytes, str]] = [
    (b"", "document.invalid_json"),
    (b"{", "document.invalid_json"),
    (b'{"imagelake_labels": 1', "document.invalid_json"),
    (b"[" * 100_000, "document.invalid_json"),
    (b'{"imagelake_labels": 1, "x": "' + b"\xff\xfe" + b'"}', "document.not_utf8"),
    (b"[1]", "document.wrong_shape"),
    (b"{}", "document.wrong_shape"),
    (b'{"imagelake_labels": true}', "document.wrong_shape"),
    (b'{"imagelake_labels": 1e400}', "document.wrong_shape"),
    (b'{"imagelake_labels": 0}', "document.wrong_shape"),
    (save(**{MAGIC: 2}), "document.wrong_shape"),
    (save(annotations=None), "document.wrong_shape"),
    (save(annotations={"a": 1}), "document.wrong_shape"),
    (save(kinds=[]), "document.wrong_shape"),
    (save(kinds="box"), "document.wrong_shape"),
    (save(kinds=["box", "circle"]), "document.wrong_shape"),
    (save(kinds=["box", {}]), "document.wrong_shape"),
    (save(kinds=[["box"]]), "document.wrong_shape"),
    (save(image_key=None), "image.file_name_missing"),
    (save(image_key=""), "image.file_name_missing"),
    (save(image_key=7), "image.file_name_missing"),
    (save(image_key="../a.png"), "image.path_hostile"),
    (save(image_key="/etc/passwd"), "image.path_hostile"),
    (save(image_key="a//b.png"), "image.path_hostile"),
    (save(image_key="a/./b.png"), "image.path_hostile"),
    (save(image_key="a/"), "image.path_hostile"),
    (save(image_key="a\u0000.png"), "image.path_hostile"),
    (save(image_key="e\u0301.png"), "image.path_hostile"),
    (save(image_key="somebody/elses.png"), "image.path_hostile"),
]


@pytest.mark.parametrize(("data", "rule"), HOSTILE)
def test_a_broken_save_is_one_issue(data: bytes, rule: str) -> None:
    (found,) = parsed(data)
    assert isinstance(found, Issue)
    assert (found.rule, found.document) == (rule, path())
    assert rule in BY_ID


BROKEN: list[tuple[Any, str]] = [
    (7, "annotation.row_malformed"),
    (None, "annotation.row_malformed"),
    ([CAT], "annotation.row_malformed"),
    ({}, "annotation.row_malformed"),
    ({**CAT, "kind": "polygon"}, "annotation.row_malformed"),
    ({**CAT, "kind": ["box"]}, "annotation.row_malformed"),
    ({**CAT, "category": None}, "annotation.category_unknown"),
    ({**CAT, "category": " "}, "annotation.category_unknown"),
    ({**CAT, "category": {"a": 1}}, "annotation.category_unknown"),
    ({**CAT, "bbox": [1, 2, 3]}, "annotation.bbox_invalid"),
    ({**CAT, "bbox": {"x": 1}}, "annotation.bbox_invalid"),
    ({**CAT, "bbox": [1, 2, 3, float("nan")]}, "annotation.bbox_not_finite"),
    ({**CAT, "bbox": [1, 2, 3, float("inf")]}, "annotation.bbox_not_finite"),
    ({**CAT, "bbox": [1, 2, 3, 10**400]}, "annotation.bbox_not_finite"),
]


@pytest.mark.parametrize(("annotation", "rule"), BROKEN)
def test_a_broken_annotation_is_an_issue_of_its_image_and_the_others_are_read(annotation: Any, rule: str) -> None:
    image, issue, good = parsed(save(annotation, CAT))
    assert isinstance(image, ImageRecord)
    assert isinstance(issue, Issue)
    assert (issue.rule, issue.image_ref, issue.locator) == (rule, path(), "annotations[0]")
    assert issue.kind in (None, "box")
    assert isinstance(good, AnnotationRecord)


@pytest.mark.parametrize(
    "annotation",
    [
        {"kind": "polygon", "category": "x", "polygons": None},
        {"kind": "polygon", "category": "x", "polygons": {"size": [1, 1], "counts": "01"}},
        {"kind": "polygon", "category": "x", "polygons": [[1, 2]]},
        {"kind": "rle", "category": "x", "rle": [[0, 0, 1, 0, 1, 1]]},
        {"kind": "rle", "category": "x", "rle": {"size": [30, 40], "counts": "~"}},
        {"kind": "rle", "category": "x"},
    ],
)
def test_an_outline_is_of_its_kind(annotation: dict[str, Any]) -> None:
    _, issue = parsed(save(annotation, kinds=["polygon", "rle"]))
    assert isinstance(issue, Issue)
    assert issue.rule == f"annotation.{annotation['kind']}_invalid"
    assert issue.kind == annotation["kind"]


def test_numbers_that_json_lacks_and_members_nobody_knows_are_kept_as_attributes() -> None:
    _, found = parsed(save({**CAT, "attributes": {"a": float("nan")}, "score": 1, "depth": 1 << 70}))
    assert isinstance(found, AnnotationRecord)
    assert found.attributes == {"a": None, "score": 1, "depth": None}
    assert found.warnings == ("annotation.value_not_finite",)


@pytest.mark.parametrize("side", ["x", 1.5, True, [], float("nan")])
def test_a_size_that_is_none_counts_as_not_given(side: Any) -> None:
    image = parsed(save(width=side))[0]
    assert isinstance(image, ImageRecord)
    assert (image.width, image.height, image.warnings) == (None, 30, ("image.size_invalid",))


def test_a_save_that_is_too_large_is_not_read() -> None:
    class Large(DictTree):
        def size(self, path: str) -> int:
            return MAX_BYTES + 1

    upload = Large({path(): save(CAT)})
    units = LabelsReader().plan(upload, LabelsReader().detect(upload))
    (issue,) = [r for unit in units for r in LabelsReader().parse(unit, lambda _: pytest.fail("it was read"))]
    assert isinstance(issue, Issue)
    assert issue.rule == "document.too_large"


def test_many_saves_are_few_units() -> None:
    upload = DictTree({path(f"{n}.png"): save(image_key=f"{n}.png") for n in range(1000)})
    units = LabelsReader().plan(upload, LabelsReader().detect(upload))
    assert len(units) == 5
    assert len([r for unit in units for r in LabelsReader().parse(unit, upload.read)]) == 1000


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([*KINDS, KEY]),
    lambda x: st.lists(x, max_size=4) | st.dictionaries(st.sampled_from([*CAT, "rle", "polygons", "size"]), x),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*SAVE, "annotations"]), ANYTHING), st.lists(ANYTHING, max_size=3))
def test_no_document_stops_the_reader(changed: dict[str, Any], annotations: list[Any]) -> None:
    for document in ({**SAVE, **changed}, {**SAVE, "kinds": list(KINDS), "annotations": annotations}):
        found = parsed(json.dumps(document).encode())
        assert all(isinstance(r, ImageRecord | AnnotationRecord | Issue) for r in found)
        assert {r.rule for r in found if isinstance(r, Issue)} <= set(BY_ID)


@given(st.binary(max_size=60))
def test_no_bytes_stop_the_reader(data: bytes) -> None:
    for document in (data, b'{"imagelake_labels": 1, ' + data):
        assert all(isinstance(r, ImageRecord | Issue) for r in parsed(document))
