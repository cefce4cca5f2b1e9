"""Documents of labels in more of their variants, under other names, or without content."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagelake.errors import UploadRejected
from imagelake.formats.coco.reader import CocoReader
from imagelake.formats.detect import choose
from imagelake.formats.trees import DictTree
from imagelake.formats.unread.kinds import HEAD, other_labels

PICTURES = dict.fromkeys(("img/pic_1.jpg", "img/pic_2.jpg"), b"")
PIXELS = "A" * (4 * HEAD)
SHAPE = {"label": "cat", "points": [[1, 2], [3, 4]], "shape_type": "rectangle"}
BOX = {"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["cat"]}
COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "pic_1.jpg", "width": 4, "height": 3}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}],
    "categories": [{"id": 1, "name": "cat"}],
}


def uploaded(path: str, data: Any) -> DictTree:
    return DictTree({**PICTURES, path: data if isinstance(data, bytes) else json.dumps(data).encode()})


VARIANTS: dict[str, tuple[str, Any, str]] = {
    "LabelMe, pixels between": ("a.json", {"version": "5", "shapes": [SHAPE], "imageData": PIXELS, "x": 1}, "LabelMe"),
    "LabelMe, pixels first": ("a.json", {"imageData": PIXELS, "imagePath": "a.jpg", "shapes": [SHAPE]}, "LabelMe"),
    "LabelMe, many shapes first": ("a.json", {"shapes": [SHAPE] * 500, "imagePath": "a.jpg"}, "LabelMe"),
    "Label Studio, small": ("p.json", [{"image": "/data/a.jpg", "id": 1, "label": [BOX]}], "Label Studio"),
    "Label Studio, classes": ("p.json", [{"image": "/a.jpg", "choice": "cat", "annotation_id": 1}], "Label Studio"),
    "VIA without regions at first": ("v.json", {"k1": {"regions": [], "file_attributes": {}}}, "VIA"),
    "VIA 3": ("v.json", {"project": {}, "attribute": {}, "file": {}, "metadata": {}, "view": {}}, "VIA"),
    "VoTT": ("e-asset.json", {"asset": {"name": "a.jpg"}, "regions": [{"boundingBox": {}}]}, "VoTT"),
    "VoTT export": ("e-export.json", {"name": "e", "assets": {"1": {"asset": {}, "regions": []}}}, "VoTT"),
    "CreateML": ("a.json", [{"image": "a.jpg", "annotations": [{"label": "x", "coordinates": {}}]}], "CreateML"),
    "Supervisely": ("ann/pic_1.jpg.json", {"objects": [{"classTitle": "x", "geometryType": "r"}]}, "Supervisely"),
    "Darwin 2": ("d.json", {"version": "2.0", "item": {"slots": []}, "annotations": []}, "Darwin"),
    "COCO captions": ("c.json", {**COCO, "annotations": [{"image_id": 1, "caption": "a cat"}]}, "COCO captions"),
    "COCO results": ("r.json", [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}], "COCO results"),
    "Hugging Face, Parquet": ("metadata.parquet", b"PAR1", "Parquet"),
    "Hugging Face, CSV": ("metadata.csv", b"file_name,label\npic_1.jpg,1\n", "Hugging Face metadata"),
    "lines about images": ("x.jsonl", {"image": "pic_1.jpg", "caption": "a cat"}, "JSON about images"),
    "conversations": ("x.json", [{"image": "img/pic_1.jpg", "conversations": []}], "JSON about images"),
    "boxes by name": ("labels.json", {"pic_1.jpg": [1, 2, 3, 4]}, "JSON about images"),
    "CVAT for video": ("annotations.xml", b"<annotations><track id='0' label='c'/></annotations>", "CVAT XML"),
    "capital root": ("Annotations/pic_1.xml", b"<Annotation><Object/></Annotation>", "XML of annotations"),
    "annotation without members": ("Annotations/pic_1.xml", b"<annotation/>", "XML of annotations"),
    "object stream": ("Annotations/x.xml", b"<object-stream/>", "object stream XML"),
    "unknown root": ("Annotations/pic_1.xml", b"<?xml version='1.0'?><scene/>", "XML with the root scene"),
    "YAML": (
        "train.yaml",
        b"- boxes:\n  - {label: Red, x_max: 2, x_min: 1}\n  path: ./rgb/pic_1.jpg\n",
        "YAML of boxes",
    ),
    "KITTI": ("label_2/pic_1.txt", b"Car 0.00 0 -1.57 1 1 2 2 1.5 1.6 3.2 1.0 1.7 9.8 -1.5\n", "KITTI"),
    "DOTA": ("labelTxt/pic_1.txt", b"1.0 1.0 2.0 1.0 2.0 2.0 1.0 2.0 plane 0\n", "DOTA"),
    "MOT": ("gt/gt.txt", b"1,1,10,20,30,40,1,1,1\n2,1,10,20,30,40,1,1,1\n", "MOT"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_of_labels_are_named_and_refuse_an_upload_without_others(name: str) -> None:
    path, data, kind = VARIANTS[name]
    with pytest.raises(UploadRejected) as caught:
        choose(uploaded(path, data), None)
    assert caught.value.rule == "format.unsupported"
    assert f"1 file looks like {kind}" in caught.value.message
    assert f"({path})" in caught.value.message


@pytest.mark.parametrize(
    "path",
    [
        "annotations.txt",
        "annotations.json.txt",
        "instances.coco",
        "labels",
        "a.json (1)",
        "a.json~",
        "a.json.bak",
        "x.dat",
    ],
)
@pytest.mark.parametrize("first", ["images", "annotations", "categories"])
def test_coco_under_another_suffix_is_told_how_to_be_read(path: str, first: str) -> None:
    count = 1 if first == "categories" else 2000  # no export has so many classes that nothing else is in sight
    document = {first: COCO[first] * count, **{name: value for name, value in COCO.items() if name != first}}
    with pytest.raises(UploadRejected, match="COCO under another suffix") as caught:
        choose(uploaded(path, json.dumps(document, indent=1).encode()), None)
    assert "rename it to .json to have it read" in caught.value.message


def test_other_labels_under_another_suffix_are_named() -> None:
    voc = b"<annotation><filename>pic_1.jpg</filename></annotation>"
    kinds = {
        name: [u.kind for u in other_labels(uploaded(name, data), frozenset())]
        for name, data in (("a.txt", {"shapes": [SHAPE]}), ("b.txt", voc), ("c.txt", {"epochs": 3}), ("d", [1, 2]))
    }
    assert kinds == {"a.txt": ["LabelMe"], "b.txt": ["VOC under another suffix"], "c.txt": [], "d": []}


@pytest.mark.parametrize("data", [b"", b" \n\t", b"\xef\xbb\xbf", b"\xff\xfe", b"\0" * 20])
@pytest.mark.parametrize(
    "path", ["annotations.json", "labels.csv", "annotations/x.xml", "train/_annotations.csv", "labels.jsonl"]
)
def test_an_empty_file_of_labels_refuses_an_upload_of_images(path: str, data: bytes) -> None:
    with pytest.raises(UploadRejected, match=r"looks like an empty file .*export the labels again") as caught:
        choose(uploaded(path, data), None)
    assert path in caught.value.message


def test_an_empty_file_that_may_have_been_labels_is_named() -> None:
    for path in ("data.json", "train.csv"):
        (unread,) = choose(uploaded(path, b""), None).unread
        assert (unread.kind, unread.is_certain) == ("an empty file", False)
    both = DictTree({**PICTURES, "data.json": b"", "package.json": b'{"name": "x"}'})
    assert choose(both, None).unread == ()
    assert choose(uploaded("notes.txt", b""), None).unread == ()


def test_an_empty_file_beside_labels_that_are_read_is_a_warning() -> None:
    tree = DictTree({**PICTURES, "a.json": json.dumps(COCO).encode(), "annotations.csv": b""})
    choice = choose(tree, None)
    assert (choice.reader, [u.path for u in choice.unread]) == ("coco", ["annotations.csv"])


def test_a_pointer_to_a_file_is_no_file() -> None:
    pointer = b"version https://git-lfs.example/spec/v1\noid sha256:00\nsize 3\n"
    with pytest.raises(UploadRejected, match=r"Git LFS pointer \(annotations\.csv\): fetch the file"):
        choose(uploaded("annotations.csv", pointer), None)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_a_document_that_is_cut_off_is_read_or_named(share: float) -> None:
    data = json.dumps(COCO).encode()
    tree = uploaded("annotations.json", data[: int(share * len(data))])
    if CocoReader().detect(tree).score:
        assert choose(tree, None).detection.documents == ("annotations.json",)
        return
    with pytest.raises(UploadRejected, match=r"like JSON that is cut off \(annotations\.json\)"):
        choose(tree, None)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("manifest.json", {"name": "x", "icons": [{"src": "pic_1.jpg", "sizes": "9x9"}]}),
        ("labels.json", {"0": "cat"}),
        ("pic_1.xml", b"<scene/>"),
        ("config.yml", b"label: x\nlogo: logo.png\n"),
    ],
)
def test_documents_that_may_be_labels_are_named_and_refuse_nothing(path: str, data: Any) -> None:
    (unread,) = choose(uploaded(path, data), None).unread
    assert (unread.path, unread.is_certain) == (path, False)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("package.json", {"name": "x", "files": []}),
        ("pic_1.jpg.aux.xml", b"<PAMDataset/>"),
        ("index.xml", b"<html/>"),
        ("data.yaml.bak", b"names: [cat]\n"),
        ("args.yaml", b"boxes: true\nsave: 1\n"),
    ],
)
def test_other_documents_are_no_labels(path: str, data: Any) -> None:
    assert other_labels(uploaded(path, data), frozenset()) == ()
