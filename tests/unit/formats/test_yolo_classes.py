"""Which class list serves which YOLO label files."""

from __future__ import annotations

import pytest
from test_yolo import BOX, only, read, tree

from imagelake.formats.records import AnnotationRecord, CategoryRecord, Issue
from imagelake.formats.yolo.reader import YoloReader

Files = dict[str, str | bytes]


def categories(files: Files) -> dict[str, str | None]:
    """The category of the only row of each label file."""
    return {r.document: r.category for r in only(read(files), AnnotationRecord)}


def labelled(*folders: str) -> Files:
    """In each folder an image with a row of class 0 beside it."""
    files: Files = {f"{folder}/{folder[-1]}.jpg": "" for folder in folders}
    return {**files, **{f"{folder}/{folder[-1]}.txt": BOX for folder in folders}}


def seen(files: Files) -> list[str]:
    return [text for text in YoloReader().detect(tree(files)).seen if "class names" in text]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("a/classes.txt", "alfa"), ("b/classes.txt", "beta")),
        (("a/data.yaml", "names: [alfa]"), ("b/data.yaml", "names: {0: beta}")),
        (("a/obj.names", "alfa"), ("b/set.yml", "names: [beta]")),
        (("classes.txt", "alfa"), ("b/classes.txt", "beta")),
        (("data.yaml", "names: [alfa]"), ("b/classes.txt", "beta")),
        (("cfg/a.yaml", "path: ../a\ntrain: .\nnames: [no]\nval: /x/a"), ("b/classes.txt", "beta")),
    ],
)
def test_a_list_serves_its_own_export_and_no_other(first: tuple[str, str], second: tuple[str, str]) -> None:
    name = "no" if first[0].startswith("cfg") else "alfa"
    files = {**labelled("a", "b"), first[0]: first[1], second[0]: second[1]}
    assert categories(files) == {"a/a.txt": name, "b/b.txt": "beta"}
    declared = {(r.document, r.name) for r in only(read(files), CategoryRecord)}
    assert declared == {(first[0], name), (second[0], "beta")}
    assert seen(files) == [f"class names from {', '.join(sorted((first[0], second[0])))}, merged by name"]


def test_an_export_without_a_list_is_not_served_by_that_of_another() -> None:
    files = {**labelled("a", "b"), "a/classes.txt": "alfa"}
    assert categories(files) == {"a/a.txt": "alfa", "b/b.txt": "class_0"}
    assert categories({"a/classes.txt": "alfa", "a/1.jpg": "", **labelled("b")}) == {"b/b.txt": "class_0"}


@pytest.mark.parametrize(
    "path",
    [
        "classes.txt",
        "set/classes.txt",
        "set/train/classes.txt",
        "set/train/labels/classes.txt",
        "set/train/images/classes.txt",
        "set/labels/classes.txt",
        "set/valid/labels/classes.txt",
        "config/obj.names",
        "set/config/data.yaml",
    ],
)
def test_the_only_list_serves_the_whole_export_wherever_in_it_it_lies(path: str) -> None:
    text = "names: [cat]" if path.endswith("yaml") else "cat"
    files: Files = {
        "set/train/images/1.jpg": "",
        "set/train/labels/1.txt": BOX,
        "set/valid/images/2.jpg": "",
        "set/valid/labels/2.txt": BOX,
    }
    assert set(categories({**files, path: text}).values()) == {"cat"}


@pytest.mark.parametrize("image", ["images/1.jpg", "images/sub/1.jpg"])
def test_a_list_beside_the_images_serves_the_labels_parallel_to_them(image: str) -> None:
    labels = image.replace("images", "labels").replace("jpg", "txt")
    files: Files = {f"s/{image}": "", f"s/{labels}": BOX, "s/images/classes.txt": "cat", "classes.txt": "other"}
    assert categories(files) == {f"s/{labels}": "cat"}


@pytest.mark.parametrize(
    ("documents", "name"),
    [
        ({"data.yaml": "nc: 2", "classes.txt": "cat"}, "cat"),
        ({"s/data.yaml": "nc: 2", "classes.txt": "cat"}, "cat"),
        ({"s/yolov5s.yaml": "nc: 80\nbackbone: []\nhead: []", "s/data.yaml": "names: [cat]"}, "cat"),
        ({"s/a_model.yaml": "nc: 80\nanchors: []\ndepth_multiple: 1", "z.yaml": "names: [cat]"}, "cat"),
        ({"s/data.yaml": "nc: 80\nscales: {n: [1]}"}, "class_0"),
        ({"s/args.yaml": "task: detect\nval: true\nepochs: 3", "classes.txt": "cat"}, "cat"),
        ({"s/hyp.yaml": "train:\n  lr: 1\nval: {a: b}", "classes.txt": "cat"}, "cat"),
        ({"s/set.yaml": "nc: 1"}, "class_0"),
    ],
)
def test_names_beat_counts_and_a_model_declares_neither(documents: Files, name: str) -> None:
    records = read({**labelled("s"), **documents})
    assert [r.category for r in only(records, AnnotationRecord)] == [name]
    assert only(records, Issue) == []
    assert {r.name for r in only(records, CategoryRecord)} <= {name, "class_1"}


def test_of_several_documents_in_one_folder_the_one_that_names_the_images_counts() -> None:
    documents: Files = {
        "a.yaml": "path: cats\ntrain: images\nnames: [cat]",
        "data.yaml": "path: /data/dogs\ntrain: images\nnames: [dog]",
    }
    files: Files = {f"{s}/{role}/1.{end}": BOX for s in ("cats", "dogs") for role, end in (("labels", "txt"),)}
    images: Files = {f"{s}/images/1.jpg": "" for s in ("cats", "dogs")}
    assert categories({**files, **images, **documents}) == {"cats/labels/1.txt": "cat", "dogs/labels/1.txt": "dog"}


def test_documents_that_contradict_each_other_name_no_class() -> None:
    files = {**labelled("s"), "a.yaml": "names: [cat]", "b.yaml": "names: [dog]"}
    (refused,) = only(read(files), Issue)
    assert refused.rule == "annotation.category_unknown"
    assert "a.yaml and b.yaml" in refused.message
    assert seen(files) == ["no class names from a.yaml and b.yaml: they contradict each other"]
    assert categories({**files, "b.yaml": "names: {0: cat}"}) == {"s/s.txt": "cat"}
    assert categories({**files, "data.yaml": "names: [cow]"}) == {"s/s.txt": "cow"}


def test_a_list_that_cannot_be_read_is_not_replaced_by_that_of_another_folder() -> None:
    records = read({**labelled("a"), "a/classes.txt": b"\xa8T", "classes.txt": "other"})
    assert [r.category for r in only(records, AnnotationRecord)] == ["class_0"]
    assert [r.document for r in only(records, Issue)] == ["a/classes.txt"]


def test_every_unit_of_a_mixed_upload_brings_the_list_it_needs() -> None:
    files: Files = {f"{s}/{n}.txt": BOX for s in "ab" for n in range(250)}
    upload = tree({**files, "a/classes.txt": "alfa", "b/classes.txt": "beta"})
    reader = YoloReader()
    for unit in reader.plan(upload, reader.detect(upload)):
        own = {path: upload.read(path) for path in unit.paths}
        for record in reader.parse(unit, own.__getitem__):
            if isinstance(record, AnnotationRecord):
                assert record.category == ("alfa" if record.document.startswith("a/") else "beta")
