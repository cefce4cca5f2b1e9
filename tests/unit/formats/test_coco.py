from __future__ import annotations

import json
import zipfile
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from imagelake.core import upload_paths
from imagelake.formats.base import Unit
from imagelake.formats.coco import scan
from imagelake.formats.coco.reader import CocoReader
from imagelake.formats.coco.split import split
from imagelake.formats.detect import choose
from imagelake.formats.records import AnnotationRecord, CategoryRecord, ImageRecord, Issue, Record
from imagelake.formats.trees import DictTree
from imagelake.quality.catalogue import BY_ID

SOURCES = Path(__file__).parents[3] / "src" / "imagelake" / "formats"
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


def parse(data: bytes) -> list[Record]:
    return list(CocoReader().parse(Unit("coco", ("a.json",), '{"split": null}'), lambda path: data))


def parse_one(**changes: Any) -> AnnotationRecord | Issue:
    """The record of one annotation with these members."""
    document = {**COCO, "annotations": [{**BOX, **changes}]}
    found = [r for r in parse(json.dumps(document).encode()) if isinstance(r, (AnnotationRecord, Issue))]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("order", list(permutations(("images", "annotations", "categories"))), ids="-".join)
def test_the_order_of_the_lists_in_the_file_makes_no_difference(order: tuple[str, ...]) -> None:
    document = {"info": COCO["info"], **{name: COCO[name] for name in order}}
    assert parse(json.dumps(document).encode()) == parse(json.dumps(COCO).encode())


POLYGON = {"segmentation": [[1, 1, 5, 1, 5, 3]]}
NO_NUMBER = {"bbox": [1, 2, 3, None]}


@pytest.mark.parametrize(
    ("annotations", "kinds"),
    [
        (COCO["annotations"], ("box", "polygon", "rle")),
        ([{**BOX, **POLYGON}], ("polygon",)),
        ([{**BOX, "segmentation": MASK}], ("rle",)),
        ([{**BOX, **POLYGON, **NO_NUMBER}], ("polygon",)),
        ([{**BOX, **POLYGON}, {**BOX, **NO_NUMBER}], ("box", "polygon")),
        ([{**BOX, "segmentation": {"counts": 7}}], ("box", "rle")),
        ([{**BOX, "segmentation": {"counts": 7}, **NO_NUMBER}], ("rle",)),
        ([{**BOX, "segmentation": [[]], **NO_NUMBER}], ("box",)),
        ([{**BOX, **POLYGON, "image_id": None}], ("polygon",)),
        ([7], ("box",)),
        ([], ("box",)),
    ],
)
def test_images_are_labelled_for_the_kinds_of_all_annotations_and_for_boxes_only_without_any(
    annotations: list[Any], kinds: tuple[str, ...]
) -> None:
    records = parse(json.dumps({**COCO, "annotations": annotations}).encode())
    assert [r.kinds for r in records if isinstance(r, ImageRecord)] == [kinds] * 2


def test_a_document_without_a_list_of_annotations_labels_its_images_for_nothing() -> None:
    records = parse(json.dumps({name: COCO[name] for name in ("images", "categories")}).encode())
    assert [r.kinds for r in records if isinstance(r, ImageRecord)] == [(), ()]


def test_names_of_categories_are_trimmed_and_in_normal_form() -> None:
    category = {"id": 1, "name": " koc\u030cka\u2003", "supercategory": "zvi\u0301r\u030ce "}
    (record,) = (
        r for r in parse(json.dumps({**COCO, "categories": [category]}).encode()) if isinstance(r, CategoryRecord)
    )
    assert (record.name, record.supercategory) == ("ko\u010dka", "zv\u00ed\u0159e")


def test_an_absolute_file_name_is_kept_without_its_root() -> None:
    image = {**IMAGE, "file_name": "D:\\data\\cam1\\1.jpg"}
    (record,) = (r for r in parse(json.dumps({**COCO, "images": [image]}).encode()) if isinstance(r, ImageRecord))
    assert (record.file, record.absolute, record.warnings) == ("data/cam1/1.jpg", True, ("image.backslash",))


def test_a_broken_number_costs_one_record_and_is_found_again_by_place_and_id() -> None:
    many = {**COCO, "annotations": [{**BOX, "id": n + 6, "bbox": [4, 5, 20, 10]} for n in range(40)]}
    text = json.dumps(many).replace(
        '"id": 23, "image_id": 1, "category_id": 1, "bbox": [4', '"id": 23, "image_id": 1, "bbox": [NaN'
    )
    records = parse(text.encode())
    issue = next(r for r in records if isinstance(r, Issue))
    assert (issue.rule, issue.locator) == ("annotation.bbox_not_finite", "annotations[17] id 23")
    assert "NaN" in issue.raw
    assert sum(isinstance(r, AnnotationRecord) for r in records) == 39


@pytest.mark.parametrize("crowd", [{"iscrowd": 1}, {"iscrowd": True}, {"iscrowd": "1"}, {"iscrowd": 1.0}])
def test_a_crowd_is_a_crowd_however_it_is_written(crowd: dict[str, Any]) -> None:
    record = parse_one(**crowd)
    assert isinstance(record, AnnotationRecord)
    assert record.is_crowd
    assert not record.warnings


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_a_document_splits_the_same_in_blocks_of_any_size(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "BLOCK", size)
    data = json.dumps(COCO, indent=1, ensure_ascii=False).encode()
    members = split(data).members
    assert {name: json.loads(data[v.start : v.end]) for name, v in members.items()} == COCO
    assert [json.loads(item) for item in members["annotations"].items()] == COCO["annotations"]


@pytest.mark.data
@pytest.mark.skipif(not UPLOADS.is_dir(), reason="the real uploads are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "splits", "annotations"),
    [
        ("facemask-coco", {"train": 677, "val": 171}, 4021),
        ("chess-coco", {"train": 202, "val": 58, "test": 29}, 2870),
    ],
)
def test_a_real_upload_is_read_completely(name: str, splits: dict[str, int], annotations: int) -> None:
    with zipfile.ZipFile(UPLOADS / f"{name}.zip") as archive:
        wanted = [n for n in archive.namelist() if not n.endswith("/") and not upload_paths.is_junk(n)]
        tree = DictTree({n: b"" if upload_paths.is_image_name(n) else archive.read(n) for n in wanted})
    choice = choose(tree, None)
    reader = CocoReader()
    assert choice.reader == reader.name
    records = [r for unit in reader.plan(tree, choice.detection) for r in reader.parse(unit, tree.read)]
    assert Counter(r.split for r in records if isinstance(r, ImageRecord)) == splits
    assert sum(isinstance(r, AnnotationRecord) for r in records) == annotations
    assert not [r for r in records if isinstance(r, Issue)]


POLYGON_BOX = (1.0, 1.0, 4.0, 2.0)


@pytest.mark.parametrize("bbox", [[4, 5, 20], [4, 5, "x", 10], [1, 2, 3, None], [4, 5, 0, 10], [4, 5, 20, -1]])
def test_a_good_outline_survives_its_bad_box(bbox: list[Any]) -> None:
    records = parse(json.dumps({**COCO, "annotations": [{**BOX, **POLYGON, "bbox": bbox}]}).encode())
    (record,) = [r for r in records if isinstance(r, (AnnotationRecord, Issue))]
    assert isinstance(record, AnnotationRecord)
    assert (record.kind, record.bbox) == ("polygon", POLYGON_BOX)
    assert "annotation.bbox_dropped" in record.warnings


@pytest.mark.parametrize("bbox", [None, []])
def test_a_box_that_is_absent_is_taken_from_the_outline(bbox: list[Any] | None) -> None:
    records = parse(json.dumps({**COCO, "annotations": [{**BOX, **POLYGON, "bbox": bbox}]}).encode())
    (record,) = [r for r in records if isinstance(r, (AnnotationRecord, Issue))]
    assert isinstance(record, AnnotationRecord)
    assert (record.bbox, record.warnings) == (POLYGON_BOX, ("annotation.bbox_derived",))


@pytest.mark.parametrize("outline", [[[1, 2, 3, 4]], "mask.png", {"size": [4, 6], "counts": [1]}])
def test_a_good_box_survives_its_bad_outline_which_is_named(outline: Any) -> None:
    records = parse(json.dumps({**COCO, "annotations": [{**BOX, "segmentation": outline}]}).encode())
    refused, box = [r for r in records if isinstance(r, (AnnotationRecord, Issue))]
    assert isinstance(refused, Issue)
    assert refused.rule in ("annotation.polygon_invalid", "annotation.rle_invalid")
    assert (refused.locator, refused.image_ref) == (box.locator, box.image_ref)
    assert isinstance(box, AnnotationRecord)
    assert (box.kind, box.bbox) == ("box", (4.0, 5.0, 20.0, 10.0))


def test_ids_of_any_text_are_ids() -> None:
    images = [{**IMAGE, "id": "a7-f"}, {**IMAGE, "id": " b ", "file_name": "2.jpg"}]
    boxes = [{**BOX, "id": "x", "image_id": "a7-f"}, {**BOX, "id": "y", "image_id": "b"}]
    records = parse(json.dumps({**COCO, "images": images, "annotations": boxes}).encode())
    assert [r for r in records if isinstance(r, Issue)] == []
    assert [r.image_ref for r in records if isinstance(r, AnnotationRecord)] == ["a7-f", "b"]
    assert [(r.ref, r.warnings) for r in records if isinstance(r, ImageRecord)] == [("a7-f", ()), ("b", ())]
