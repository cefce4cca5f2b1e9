from __future__ import annotations

import json
from typing import Any

import pytest

from imagelake.errors import UploadRejected
from imagelake.formats import reader
from imagelake.formats.base import Detection
from imagelake.formats.coco import detect
from imagelake.formats.coco.reader import CocoReader
from imagelake.formats.detect import choose
from imagelake.formats.records import ImageRecord, Record
from imagelake.formats.trees import DictTree

VOC = b"<annotation><filename>a.png</filename><object><name>cat</name></object></annotation>"
ROW = b"0 .5 .5 .1 .1"
CATEGORIES = [{"id": 1, "name": "cat"}]
BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}


def read(files: dict[str, bytes]) -> tuple[str, list[Record]]:
    """The format chosen for an upload, and its records."""
    tree = DictTree(files)
    choice = choose(tree, None)
    chosen = reader(choice.reader)
    return choice.reader, [r for unit in chosen.plan(tree, choice.detection) for r in chosen.parse(unit, tree.read)]


def coco(*names: str) -> bytes:
    images = [{"id": n, "file_name": name} for n, name in enumerate(names, start=1)]
    return json.dumps({"images": images, "annotations": [BOX], "categories": CATEGORIES}).encode()


def panoptic(masks: dict[str, str], **more: Any) -> bytes:
    """A panoptic document: image name to mask name."""
    images = [{"id": n, "file_name": name} for n, name in enumerate(masks, start=1)]
    annotations = [
        {"image_id": n, "file_name": name, "segments_info": [{"id": 3, "category_id": 1}]}
        for n, name in enumerate(masks.values(), start=1)
    ]
    return json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES, **more}).encode()


def detection(files: dict[str, bytes]) -> Detection:
    return CocoReader().detect(DictTree(files))


def test_a_development_kit_with_masks_is_read_as_voc_and_masks_are_never_mates() -> None:
    files = {
        "Annotations/a.xml": VOC,
        "Annotations/b.xml": VOC.replace(b"a.png", b"b.png"),
        "ImageSets/Main/train.txt": b"a\nb\n",
        "JPEGImages/a.png": b"",
        "SegmentationClass/a.png": b"",
        "SegmentationObject/a.png": b"",
        "SegmentationObject/b.png": b"",
    }
    name, records = read(files)
    assert name == "voc"
    images = {r.ref: r.file for r in records if isinstance(r, ImageRecord)}
    assert images == {"Annotations/a.xml": "JPEGImages/a.png", "Annotations/b.xml": "b.png", "a": "a", "b": "b"}


def test_masks_alone_are_no_images() -> None:
    with pytest.raises(UploadRejected, match="no images"):
        choose(DictTree({"SegmentationClass/a.png": b"", "SegmentationClass/b.png": b""}), None)


def test_masks_beside_class_folders_are_no_class() -> None:
    name, records = read({"cats/a.png": b"", "dogs/b.png": b"", "SegmentationClass/a.png": b""})
    assert name == "imagefolder"
    assert [r.file for r in records if isinstance(r, ImageRecord)] == ["cats/a.png", "dogs/b.png"]


def test_an_empty_label_file_beside_a_mask_is_not_beside_an_image() -> None:
    files = {"data.yaml": b"names: [cat]", "SegmentationClass/a.txt": b""}
    for image, score in (("SegmentationClass/a.png", 0), ("SegmentationClass.png", 0), ("images/a.png", 0)):
        assert reader("yolo").detect(DictTree({**files, image: b""})).score == score
    assert reader("yolo").detect(DictTree({"data.yaml": b"names: [cat]", "x/a.txt": b"", "x/a.png": b""})).score == 60


@pytest.mark.parametrize(
    ("document", "masks", "paths"),
    [
        ("annotations/panoptic_val.json", ["1.png"], ["annotations/panoptic_val/1.png"]),
        ("panoptic_val.json", ["1.png"], ["panoptic_val/1.png"]),
        ("annotations/panoptic_val.json", ["1.png"], ["masks/panoptic_val/1.png"]),
        ("annotations/panoptic_val.json", ["1.png"], ["annotations/1.png"]),
        ("annotations/panoptic_val.json", ["1.png", "2.png"], ["panoptic_masks/1.png", "panoptic_masks/2.png"]),
        ("annotations/panoptic_val.json", ["val/1.png"], ["masks/val/1.png"]),
        ("annotations/panoptic_val.json", ["./1.png", "../2.png", None, 7], ["annotations/panoptic_val/1.png"]),
    ],
)
def test_what_a_panoptic_document_beside_instances_names_is_a_mask(
    document: str, masks: list[Any], paths: list[str]
) -> None:
    files = dict.fromkeys([*paths, "images/1.jpg", "images/2.jpg", "other/3.png"], b"")
    by_image = {f"{n}.jpg": mask for n, mask in enumerate(masks, start=1)}
    found = detection({**files, "instances_val.json": coco("1.jpg", "2.jpg"), document: panoptic(by_image)})
    assert found.documents == ("instances_val.json",)
    assert found.masks == tuple(paths)


def test_masks_are_in_the_record_of_the_decision() -> None:
    files = {
        "panoptic_val/1.png": b"",
        "1.jpg": b"",
        "i.json": coco("1.jpg"),
        "panoptic_val.json": panoptic({"1.jpg": "1.png"}),
    }
    assert choose(DictTree(files), None).as_json()["chosen"]["masks"] == ["panoptic_val/1.png"]


def test_an_image_with_the_name_of_its_mask_stays_an_image() -> None:
    names = {"1.png": "1.png", "2.png": "2.png"}
    files = {"instances.json": coco(*names), "panoptic.json": panoptic(names), "images/1.png": b"", "images/2.png": b""}
    assert detection(files).masks == ()
    assert detection({**files, "panoptic/1.png": b""}).masks == ("panoptic/1.png",)
    assert detection({**files, "1.png": b"", "2.png": b""}).masks == ()


def test_of_several_files_that_may_be_a_mask_elsewhere_none_is_taken() -> None:
    files = {"instances.json": coco("1.jpg"), "panoptic.json": panoptic({"1.jpg": "1.png"})}
    assert detection({**files, "a/1.png": b"", "b/1.png": b""}).masks == ()


def test_masks_count_only_beside_instances() -> None:
    found = detection({"panoptic.json": panoptic({"1.jpg": "1.png"}), "panoptic/1.png": b""})
    assert (found.score, found.masks) == (0, ())


def test_masks_of_a_long_document_are_all_found_and_it_is_read_at_most_twice() -> None:
    names = {f"{n}.jpg": f"{n}.png" for n in range(9000)}
    annotations = json.loads(panoptic(names))
    document = json.dumps({"annotations": annotations.pop("annotations"), **annotations}).encode()
    assert len(document) > detect.HEAD
    reads: list[str] = []

    class Counting(DictTree):
        def read(self, path: str, limit: int | None = None) -> bytes:
            reads.append(path)
            return super().read(path, limit)

    files = {f"panoptic/{name}": b"" for name in names.values()}
    found = CocoReader().detect(Counting({**files, "instances.json": coco("1.jpg"), "panoptic.json": document}))
    assert len(found.masks) == len(names)
    assert reads.count("panoptic.json") == 2


def test_of_a_document_too_large_to_be_read_whole_the_folder_of_its_masks_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detect, "HEAD", 2000)
    monkeypatch.setattr(detect, "MAX_WHOLE", 3000)
    names = {f"{n}.jpg": f"{n}.png" for n in range(90)}
    parts = json.loads(panoptic(names))
    document = json.dumps({"annotations": parts.pop("annotations"), **parts}).encode()
    files = {f"panoptic/{name}": b"" for name in names.values()}
    files |= {
        "instances.json": coco("1.jpg"),
        "panoptic.json": document,
        "panoptic/readme.txt": b"",
        "images/1.jpg": b"",
    }
    assert set(detection(files).masks) == {f"panoptic/{name}" for name in names.values()}
