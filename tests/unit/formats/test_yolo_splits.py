"""What data.yaml, obj.data and lists say of splits: names of places, never paths to follow."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_yolo import BOX, only, read, tree

from imagelake.formats import small_documents
from imagelake.formats.records import ImageRecord, Issue
from imagelake.formats.yolo.reader import YoloReader

Files = dict[str, str | bytes]


def labelled(*images: str) -> Files:
    """Images with a label file each, in `labels` for `images`."""
    files: Files = {f"{image}.jpg": "" for image in images}
    return {**files, **{f"{image.replace('images', 'labels')}.txt": BOX for image in images}}


def splits(files: Files) -> dict[str, set[str]]:
    """The splits that records give to each image, by its path without suffix."""
    found: dict[str, set[str]] = {}
    for record in only(read(files), ImageRecord):
        if record.split is not None:
            found.setdefault(record.file.removesuffix(".jpg"), set()).add(record.split)
    return found


def seen(files: Files) -> tuple[str, ...]:
    return YoloReader().detect(tree(files)).seen


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("data.yaml", "train: one\nval: two"),
        ("data.yaml", "train: ./one/images\nval: ../two/images"),
        ("data.yaml", "train: [one]\nvalid:\n- two/images/\n- gone"),
        ("data.yaml", "path: /home/me/data/set\ntrain: one/images\nval: two/images"),
        ("data.yaml", "path: ../datasets/set\ntrain: one\nvalidation: two"),
        ("data.yaml", "path: set\ntrain: /content/set/one/images\nval: C:\\data\\two\\images"),
        ("data.yaml", "path: https://example.com/set.zip\ntrain: one\nval: two/images/*.jpg"),
        ("data.yaml", "Train: ONE/Images\nVAL: Two/images"),
        ("one/data.yaml", "train: ../one/images\nval: ../two/images"),
        ("cfg/set.yml", "path: ../\ntrain: one\nval: two"),
        ("cfg/deep/set.yaml", "train: one/images\nval: two/images\ntest: null"),
        ("x.data", "train = one/images\nvalid= two/images\nbackup = b/"),
    ],
)
def test_folders_of_a_document_give_their_images_a_split(path: str, document: str) -> None:
    files = labelled("one/images/1", "two/images/2", "other/images/3")
    assert splits({**files, path: document}) == {"one/images/1": {"train"}, "two/images/2": {"val"}}
    assert any(text.startswith(f"splits from {path}: train, val") for text in seen({**files, path: document}))


def test_a_document_above_its_set_is_about_the_folders_below_it() -> None:
    files = {
        **labelled("ds/one/images/1", "ds/two/images/2"),
        "my.yaml": "path: ./\ntrain: one/images\nval: two/images",
    }
    assert splits(files) == {"ds/one/images/1": {"train"}, "ds/two/images/2": {"val"}}


def test_documents_side_by_side_are_each_about_their_own_set() -> None:
    files = labelled("a/one/images/1", "a/two/images/2", "b/one/images/3", "b/two/images/4")
    documents: Files = {
        "a/data.yaml": "train: ../one/images\nval: ../two/images",
        "b/data.yaml": "val: ../one/images\ntrain: ../two/images",
    }
    assert splits({**files, **documents}) == {
        "a/one/images/1": {"train"},
        "a/two/images/2": {"val"},
        "b/one/images/3": {"val"},
        "b/two/images/4": {"train"},
    }


def test_a_document_says_nothing_of_another_set_that_has_a_folder_of_the_name() -> None:
    files = {**labelled("a/images/1", "b/one/images/2"), "a/data.yaml": "train: one/images\nval: images/check"}
    assert splits(files) == {}
    assert seen(files) == ("a/data.yaml names places for train, val that are not in the upload",)


def test_the_end_of_a_path_must_keep_the_word_for_the_split() -> None:
    assert splits({**labelled("images/1"), "data.yaml": "train: set/train/images"}) == {}


def test_the_split_of_the_folder_counts_where_a_document_names_that_folder_for_another() -> None:
    files = {**labelled("train/images/1", "images/2"), "data.yaml": "val: train/images\ntest: images"}
    assert splits(files) == {"train/images/1": {"train"}, "images/2": {"test"}}


def test_a_folder_named_for_several_splits_is_of_none() -> None:
    files = {**labelled("images/1"), "data.yaml": "train: images\nval: images"}
    assert splits(files) == {}
    assert "no split from images: it is named for several" in seen(files)


def test_labels_that_come_without_their_images_have_the_split_of_the_folders_those_will_lie_in() -> None:
    files: Files = {"labels/one/1.txt": BOX, "labels/two/2.txt": BOX, "data.yaml": "train: images/one\nval: images/two"}
    assert splits(files) == {"images/one/1": {"train"}, "images/two/2": {"val"}}
    darknet: Files = {"obj/1.txt": BOX, "obj.data": "train = data/train.txt", "train.txt": "data/obj/1.jpg"}
    assert splits(darknet) == {"obj/1": {"train"}}


def test_unlabelled_images_have_the_split_of_their_folder_too() -> None:
    files = {**labelled("images/1"), "images/holdout/2.jpg": "", "data.yaml": "train: images\ntest: images/holdout"}
    assert splits(files) == {"images/1": {"train"}, "images/holdout/2": {"test"}}
    (member,) = [r for r in only(read(files), ImageRecord) if r.document == "data.yaml"]
    assert (member.file, member.kinds) == ("images/holdout/2.jpg", ())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("train.txt", "images/1.jpg"),
        ("train.txt", "./images/1.jpg\r\n\r\n./images/1.jpg"),
        ("train.txt", "/content/set/images/1.jpg"),
        ("train.txt", "C:\\set\\images\\1.jpg"),
        ("train.txt", "data/images/1.jpg"),
        ("lists/train.txt", "../images/1.jpg"),
        ("images/train.txt", "1.jpg"),
        ("train2017.txt", "images/1.jpg"),
        ("autosplit_train.txt", "./images/1.jpg"),
        ("train_list.txt", "images/1.jpg 0"),
        ("train_list.txt", "images/1.jpg\tlabels/1.txt"),
        ("ImageSets/Main/train.txt", "1"),
        ("train.txt", b"\xff\xfe" + "images/1.jpg".encode("utf-16-le")),
    ],
)
def test_a_list_named_for_a_split_puts_its_images_there(path: str, text: str | bytes) -> None:
    files = {**labelled("images/1", "images/2"), path: text}
    members = [r for r in only(read(files), ImageRecord) if r.document == path]
    assert [(r.file.removesuffix(".jpg").removeprefix("images/"), r.split, r.kinds) for r in members] == [
        ("1", "train", ())
    ]
    assert f"splits from {path}" in seen(files)


@pytest.mark.parametrize(
    "document",
    ["train: fit.txt", "path: .\ntrain: [fit.txt]", "path: /data/set\ntrain: /data/set/fit.txt", "train: ./fit.txt"],
)
def test_a_list_that_a_document_names_needs_no_name_of_its_own(document: str) -> None:
    files = {**labelled("images/1", "images/2"), "data.yaml": document, "fit.txt": "images/1.jpg"}
    assert splits(files) == {"images/1": {"train"}}


def test_a_document_outranks_the_name_of_a_list() -> None:
    files = {**labelled("images/1"), "obj.data": "valid = data/test.txt", "test.txt": "data/images/1.jpg"}
    assert splits(files) == {"images/1": {"val"}}


def test_a_list_outranks_the_folders_of_the_images_it_names() -> None:
    files = {**labelled("images/train/1", "images/train/2"), "val.txt": "images/train/2.jpg"}
    assert splits(files) == {"images/train/1": {"train"}, "images/train/2": {"val"}}


def test_lists_of_exports_side_by_side_name_images_of_their_own() -> None:
    files = {**labelled("a/images/1", "b/images/1"), "a/train.txt": "x/images/1.jpg", "b/val.txt": "x/images/1.jpg"}
    assert splits(files) == {"a/images/1": {"train"}, "b/images/1": {"val"}}


def test_lines_that_name_nothing_are_left_to_the_matching_and_bad_ones_are_issues() -> None:
    records = read({**labelled("images/1"), "train.txt": "images/1.jpg\nimages/gone.jpg\nhttp://a/b.jpg\n\x01.jpg"})
    members = [r for r in only(records, ImageRecord) if r.document == "train.txt"]
    assert [r.file for r in members] == ["images/1.jpg", "images/gone.jpg"]
    assert [(r.rule, r.locator) for r in only(records, Issue)] == [
        ("split.member_malformed", "line 3"),
        ("split.member_malformed", "line 4"),
    ]


def test_a_list_that_cannot_be_read_is_an_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {**labelled("images/1"), "train.txt": b"images/1.jpg\nimages/\xe9.jpg"}
    (refused,) = only(read(files), Issue)
    assert (refused.document, refused.rule) == ("train.txt", "document.not_utf8")
    monkeypatch.setattr(small_documents, "MAX_BYTES", 100)
    (refused,) = only(read({**files, "train.txt": "images/1.jpg\n" * 20}), Issue)
    assert (refused.document, refused.rule) == ("train.txt", "document.too_large")


@pytest.mark.parametrize("text", ["all rights reserved", "1 2", ""])
def test_other_texts_with_the_name_of_a_split_are_no_lists(text: str) -> None:
    assert splits({**labelled("images/a"), "train.txt": text}) == {}


@pytest.mark.parametrize("entry", ["../../etc", "/", "..", "", "~/x", "https://example.com/a/images", "*", "a/../.."])
def test_a_path_that_leads_out_names_nothing(entry: str) -> None:
    files = {**labelled("images/1"), "data.yaml": f"train: '{entry}'\nnames: [cat]\ndownload: |\n  raise SystemExit"}
    assert splits(files) == {}


@settings(deadline=None, max_examples=80)
@given(st.text("abtrinvl./\\:~*- \n[]{}'", max_size=60), st.text("abtrinvl./\\:~ \n", max_size=60))
def test_whatever_a_document_or_a_list_says_nothing_is_raised(entry: str, members: str) -> None:
    files = {**labelled("train/images/a", "val/images/b"), "data.yaml": f"train: {entry}\nval: train.txt"}
    for record in only(read({**files, "train.txt": f"a.jpg\n{members}"}), ImageRecord):
        assert not record.file.startswith("/")
        assert ".." not in record.file.split("/")
