from __future__ import annotations

import json
from typing import Any

import pytest

from imagelake.errors import UploadRejected, UsageError
from imagelake.formats import FORMAT_NAMES, READERS, detect, reader
from imagelake.formats.base import Detection, Tree
from imagelake.formats.coco.detect import HEAD
from imagelake.formats.coco.reader import CocoReader, document_split
from imagelake.formats.detect import choose
from imagelake.formats.trees import DictTree

IMAGE = {"id": 1, "file_name": "1.jpg", "width": 4, "height": 3}
BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}
COCO = {"images": [IMAGE], "annotations": [BOX], "categories": [{"id": 1, "name": "cat"}]}


class Stub:
    def __init__(self, name: str, score: int) -> None:
        self.name = name
        self.score = score

    def detect(self, tree: Tree) -> Detection:
        return Detection(self.name, self.score, lacks=() if self.score else (f"no {self.name} here",))


def tree(**documents: Any) -> DictTree:
    return DictTree({f"{name}.json": json.dumps(value).encode() for name, value in documents.items()})


def stubs(monkeypatch: pytest.MonkeyPatch, **scores: int) -> None:
    monkeypatch.setattr(detect, "READERS", tuple(Stub(name, score) for name, score in scores.items()))


def test_every_reader_is_found_by_its_name() -> None:
    assert [reader(name) for name in FORMAT_NAMES] == list(READERS)
    assert FORMAT_NAMES[0] == "coco"
    with pytest.raises(UsageError, match="'kokko'") as caught:
        reader("kokko")
    assert "coco" in str(caught.value.hint)


def test_annotation_documents_go_before_bare_images(monkeypatch: pytest.MonkeyPatch) -> None:
    stubs(monkeypatch, coco=30, voc=0, imagefolder=90, images=10)
    assert choose(tree(), None).reader == "coco"


def test_without_documents_the_surest_of_the_others_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    stubs(monkeypatch, coco=0, imagefolder=20, images=10)
    assert choose(tree(), None).reader == "imagefolder"


def test_two_annotation_formats_are_refused_and_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stubs(monkeypatch, coco=95, voc=80, yolo=0, images=10)
    with pytest.raises(UploadRejected, match=r"coco \(score 95\); voc \(score 80\); yolo \(score 0, no yolo") as caught:
        choose(tree(), None)
    assert caught.value.rule == "format.ambiguous"
    assert caught.value.hint is not None
    assert "--format coco or --format voc" in caught.value.hint


def test_an_upload_no_format_fits_is_refused_with_what_each_lacks() -> None:
    with pytest.raises(UploadRejected, match=r"meta\.json: at least two of the lists") as caught:
        choose(tree(meta={"name": "x"}), None)
    assert caught.value.rule == "format.unknown"
    assert caught.value.hint is not None
    assert "--format NAME" in caught.value.hint


def test_the_requested_format_decides_but_needs_something_to_read() -> None:
    assert choose(tree(a=COCO), "coco").reader == "coco"
    with pytest.raises(UploadRejected, match=r"as coco: no \.json document") as caught:
        choose(DictTree({"a.jpg": b""}), "coco")
    assert caught.value.rule == "format.unusable"
    with pytest.raises(UsageError):
        choose(tree(a=COCO), "nothing")


def test_the_decision_is_recorded_as_json() -> None:
    recorded = json.loads(json.dumps(choose(tree(a=COCO, meta={}), None).as_json()))
    assert recorded["chosen"]["format"] == "coco"
    assert recorded["chosen"]["score"] == 95
    assert recorded["chosen"]["documents"] == ["a.json"]
    assert [d["format"] for d in recorded["all"]] == list(FORMAT_NAMES)
    assert recorded["all"][0]["lacks"] == recorded["chosen"]["lacks"]
    assert "meta.json" in recorded["chosen"]["lacks"][0]


def test_content_decides_and_not_the_name() -> None:
    found = CocoReader().detect(tree(anything=COCO, instances_train2017={"shapes": []}))
    assert found.documents == ("anything.json",)


@pytest.mark.parametrize("first", ["images", "annotations", "categories"])
def test_a_document_is_known_whichever_list_fills_its_beginning(first: str) -> None:
    many = {**COCO, first: [{**COCO[first][0], "id": n} for n in range(12_000)]}
    ordered = {first: many.pop(first), **many}
    upload = tree(a=ordered)
    assert upload.size("a.json") > HEAD
    assert CocoReader().detect(upload).score >= 85


def test_captions_behind_a_long_list_of_images_are_seen() -> None:
    images = [{**IMAGE, "id": n} for n in range(6000)]
    captions = {"images": images, "annotations": [{"id": 1, "image_id": 1, "caption": "a cat"}]}
    found = CocoReader().detect(tree(a=captions))
    assert found.score == 0
    assert found.lacks == ("a.json: captions are not supported yet",)


@pytest.mark.parametrize(
    ("document", "lack"),
    [
        ({**COCO, "images": [{**IMAGE, "annotations": [BOX]}]}, "annotations inside images"),
        ({**COCO, "annotations": [{"id": 1, "image_id": 1, "keypoints": [1, 2, 2]}]}, "keypoints without boxes"),
        ({**COCO, "annotations": [{"image_id": 1, "segments_info": []}]}, "panoptic"),
        ([{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}], "results files"),
    ],
)
def test_relatives_of_the_format_are_named_and_not_misread(document: Any, lack: str) -> None:
    found = CocoReader().detect(tree(a=document))
    assert found.score == 0
    assert lack in found.lacks[0]
    assert "not supported yet" in found.lacks[0]


@pytest.mark.parametrize("data", [b"", b"{", b"no json", b"\xff\xfe{\x00", b'{"images": [', b"[" * 4000])
def test_a_broken_file_is_taken_only_when_it_calls_itself_coco(data: bytes) -> None:
    named = CocoReader().detect(DictTree({"train/_annotations.coco.json": data, "x.json": data}))
    assert "x.json" not in named.documents
    assert named.score <= 30


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train/_annotations.coco.json", "train"),
        ("annotations/custom_train.json", "train"),
        ("annotations/instances_val2017.json", "val"),
        ("set/valid/labels.json", "val"),
        ("test-set.json", "test"),
        ("annotations.json", None),
        ("train_val.json", None),
        ("constraints.json", None),
    ],
)
def test_the_split_is_that_of_the_folder_or_of_a_word_in_the_name(path: str, split: str | None) -> None:
    assert document_split(path) == split


def test_labels_nobody_reads_beside_images_refuse_the_upload_instead_of_being_lost() -> None:
    captions = {"images": [IMAGE], "annotations": [{"id": 1, "image_id": 1, "caption": "a cat"}]}
    files = {"captions.json": json.dumps(captions).encode(), "images/1.jpg": b""}
    upload = DictTree(files)
    with pytest.raises(UploadRejected, match=r"COCO captions \(captions\.json\): not supported yet") as caught:
        choose(upload, None)
    assert caught.value.rule == "format.unsupported"
    assert "--format images" in str(caught.value.hint)
    assert choose(upload, "images").reader == "images"
    beside = DictTree({**files, "instances.json": json.dumps(COCO).encode()})
    assert choose(beside, None).detection.documents == ("instances.json",)
