"""Which texts of an upload are YOLO labels, and how those are named that are labels of another kind."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_yolo import BOX, DATA, only, read, tree

from imagelake.formats.base import Detection
from imagelake.formats.records import AnnotationRecord, ImageRecord, Issue
from imagelake.formats.trees import DictTree
from imagelake.formats.yolo import look
from imagelake.formats.yolo.reader import YoloReader

POSE = "0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 1 0 0 0"
FOUR_POINTS = "0 .5 .5 .4 .4 .4 .4 {} .6 .6 {} .5 .4 {} .5 .6 {}"


def detect(files: dict[str, str | bytes]) -> Detection:
    return YoloReader().detect(tree(files))


def kinds(files: dict[str, str | bytes]) -> dict[str, str]:
    """The unread files with their kinds."""
    return {u.path: u.kind for u in detect(files).unread}


def of_images(*rows: str | bytes) -> dict[str, str | bytes]:
    """Images 0, 1, … with their label files."""
    files: dict[str, str | bytes] = {f"images/{n}.jpg": "" for n in range(len(rows))}
    return {**files, **{f"labels/{n}.txt": row for n, row in enumerate(rows)}}


@pytest.mark.parametrize(
    "row",
    [
        "1.000000000000000000e+00 5.000000000000000000e-01 0.5 2.0e-1 4E-01",
        "1, 0.5, 0.5, 0.2, 0.4",
        "1,0.5,0.5,0.2,0.4,",
        "1;0.5;0.5;0.2;0.4",
        "1 0.5,0.5,0.2,0.4",
        "1\t.5\t.5\t.2\t.4",
        "1. +.5 .5 .2 .4",
    ],
)
def test_a_box_is_read_however_its_numbers_are_written(row: str) -> None:
    (box,) = only(read({**of_images(row), "data.yaml": DATA}), AnnotationRecord)
    assert (box.category, box.kind) == ("dog", "box")
    assert box.bbox == pytest.approx((0.4, 0.3, 0.2, 0.4))


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_with_a_byte_order_mark_is_decoded(codec: str) -> None:
    mark = "" if codec in ("utf-8-sig", "utf-16") else "\ufeff"
    files = {**of_images((mark + BOX).encode(codec)), "classes.txt": (mark + "kočka").encode(codec)}
    assert [r.category for r in only(read(files), AnnotationRecord)] == ["kočka"]


def test_text_in_a_code_page_is_refused_by_name_and_nothing_of_it_is_used() -> None:
    records = read({**of_images(BOX, f"{BOX}\n# caf\xe9".encode("latin-1")), "classes.txt": b"\xa8T\xa8\xae\n"})
    messages = {r.document: (r.rule, r.message) for r in only(records, Issue)}
    assert messages == {
        "classes.txt": ("document.not_utf8", "classes.txt is not UTF-8 (byte 0xA8 at 0); save it as UTF-8"),
        "labels/1.txt": ("document.not_utf8", "labels/1.txt is not UTF-8 (byte 0xE9 at 23); save it as UTF-8"),
    }
    assert [r.document for r in only(records, ImageRecord)] == ["labels/0.txt"]
    assert [r.category for r in only(records, AnnotationRecord)] == ["class_0"]


@pytest.mark.parametrize("text", [b"\xff\xfe0", b"\xff\xfe\x00\x00"])
def test_broken_utf16_is_refused(text: bytes) -> None:
    (found,) = only(read({**of_images(BOX, text)}), Issue)
    assert (found.document, found.rule) == ("labels/1.txt", "document.not_utf8")


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ("0 20 20 20 16", "YOLO in pixels"),
        ("0 20 20 30 20 30 40", "YOLO in pixels"),
        ("0 20 20 30 20 30 40 20 40", "YOLO in pixels"),
        ("0 0.5 0.5 0.1", "YOLO with other columns"),
        ("0", "YOLO with other columns"),
        ("0 0.5 0.5 0.1 0.1 0.1 0.1 0.1", "YOLO with other columns"),
        ("0 0,5 0,5 0,1 0,1", "YOLO with decimal commas"),
        ("0;0,5;0,5;0,1;0,1", "YOLO with decimal commas"),
        ("cat 0.5 0.5 0.1 0.1", "YOLO with class names"),
        ("0.5 0.5 0.1 0.1 0.1", "YOLO with malformed rows"),
        ("0 0.5 0.5 0.1 0.1 0.87", "YOLO predictions"),
        ("0 0.5 0.5 0.1 0.1 12", "YOLO tracks"),
        ("0 0.5 0.5 0.1 0.1 0.87 12", "YOLO tracks"),
        ("0 0.5 0.5 0.1 0.1 0.87 1\n0 0.5 0.5 0.1 0.1 0.87 2", "YOLO tracks"),
        (POSE, "YOLO pose"),
        ("0 0.5 0.5 0.4 0.4 0.4 0.4 1", "YOLO pose"),
        (FOUR_POINTS.format(2, 2, 1, 2), "YOLO pose"),
        (FOUR_POINTS.format(1, 1, 0, 1), "YOLO pose"),
        ("\n".join(["0 .2 .6 .1 .1 .18 .6 .2 .62 .22 .58"] * 3), "YOLO pose"),
        ("\n".join(["0 .2 .6 .1 .1 .18 .6 .91 .2 .62 .85 .22 .58 .34 .2 .6 .77"] * 3), "YOLO pose"),
        ("gsd:0.1\n2753 2408 2861 2385 2888 2468 2805 2502 plane 0", "DOTA"),
        ("Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59", "KITTI"),
        ("a cat on a mat", "text beside images"),
        (b"\xe9t\xe9", "YOLO"),
    ],
)
def test_labels_of_another_kind_are_named_and_label_nothing(rows: str | bytes, kind: str) -> None:
    files = of_images(rows, "")
    assert kinds(files) == {"labels/0.txt": kind}
    assert detect(files).score == 0
    assert all(u.why for u in detect(files).unread)


@pytest.mark.parametrize(
    "row",
    [
        "0 0 0 1 0 1 1",
        "0 0 0 1 0 1 1 0 1",
        "0 0 0 .5 0 1 0 1 .5 1 1 .5 1 0 1 0 .5",
        "0 .5 .5 .6 .5 .6 .6 .55 .65 .5 .6",
        "0 .02 .5 .08 .5 .08 .6 .05 .62 .03 .6",
        "0 .1 .1 .2 .1 .2 1",
    ],
)
def test_polygons_are_no_keypoints_whatever_their_width(row: str) -> None:
    assert [r.kind for r in only(read(of_images(*[row] * 5)), AnnotationRecord)] == ["polygon"] * 5


def test_a_file_of_keypoints_among_boxes_is_left_and_its_image_is_not_labelled() -> None:
    files = {**of_images(BOX, POSE, ""), "data.yaml": DATA}
    assert kinds(files) == {"labels/1.txt": "YOLO pose"}
    assert {r.file for r in only(read(files), ImageRecord)} == {"images/0", "images/2"}


def test_rows_of_a_width_that_is_keypoints_elsewhere_are_keypoints_too() -> None:
    files = of_images(BOX, FOUR_POINTS.format(2, 2, 1, 2), FOUR_POINTS.format(1, 1, 1, 1))
    assert set(kinds(files)) == {"labels/1.txt", "labels/2.txt"}


@pytest.mark.parametrize("shape", [b"[4, 3]", b"[6, 2]"])
def test_declared_keypoints_are_named_as_such(shape: bytes) -> None:
    row = "0 " + " ".join(["0.5"] * 16)
    files = {**of_images(row), "data.yaml": DATA + b"kpt_shape: " + shape}
    assert kinds(files) == {"labels/0.txt": "YOLO pose"}


@pytest.mark.parametrize("row", ["0 20 20 20 16", "0 0.5 0.5", "0 0,5 0,5 0,1 0,1", "cat 0.5 0.5 0.1 0.1"])
def test_defective_files_among_sound_ones_are_refused_row_by_row(row: str) -> None:
    files = of_images(BOX, row)
    assert kinds(files) == {}
    (refused,) = only(read(files), Issue)
    assert (refused.document, refused.locator) == ("labels/1.txt", "line 1")


@pytest.mark.parametrize("name", ["train", "test", "val", "notice", "readme", "license.plate", "classes", "trainval"])
def test_a_text_parallel_to_an_image_is_its_label_file_whatever_its_name(name: str) -> None:
    for image, labels in ((f"images/{name}.jpg", f"labels/{name}.txt"), (f"{name}.jpg", f"{name}.txt")):
        files: dict[str, str | bytes] = {image: "", labels: BOX, "other.txt": "hello", "data.yaml": DATA}
        (record,) = only(read(files), ImageRecord)
        assert (record.document, record.file) == (labels, image.removesuffix(".jpg"))


@pytest.mark.parametrize("name", ["notice", "readme", "license"])
def test_words_in_a_text_that_goes_with_any_repository_are_no_labels(name: str) -> None:
    files: dict[str, str | bytes] = {
        "a.jpg": "",
        "a.txt": BOX,
        f"{name}.jpg": "",
        f"{name}.txt": "All rights reserved.",
    }
    assert detect(files).documents == ("a.txt",)


def test_a_list_of_names_stays_one_where_an_image_has_its_name() -> None:
    files: dict[str, str | bytes] = {
        "classes.jpg": "",
        "classes.txt": "cat\ndog",
        "a.jpg": "",
        "a.txt": "1 .5 .5 .1 .1",
    }
    assert [r.category for r in only(read(files), AnnotationRecord)] == ["dog"]


@pytest.mark.parametrize("place", range(41))
def test_one_label_file_with_boxes_among_empty_ones_is_enough_wherever_it_lies(place: int) -> None:
    records = read(of_images(*(BOX if n == place else "" for n in range(41))))
    assert (len(only(records, AnnotationRecord)), len(only(records, ImageRecord))) == (1, 41)


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("JPEGImages/a.jpg", "labels/a.txt"),
        ("train/imgs/a.jpg", "train/label/a.txt"),
        ("images/train/a.jpg", "annotations/train/a.txt"),
        ("IMAGES/a.jpg", "Labels/a.txt"),
        ("labels/a.jpg", "labels/a.txt"),
        ("pictures of mine/a.jpg", "yolo/a.txt"),
        ("images/a.jpg", "a.txt"),
    ],
)
def test_label_files_find_their_images_in_folders_of_other_names(image: str, labels: str) -> None:
    (record,) = only(read({image: "", labels: BOX}), ImageRecord)
    assert record.file == image.removesuffix(".jpg")


def test_images_of_one_name_are_not_confused() -> None:
    files = {f"{place}/{role}": data for place in "ab" for role, data in (("images/1.jpg", ""), ("labels/1.txt", BOX))}
    records = only(read({**files, "c/1.txt": BOX}), ImageRecord)
    assert {r.document: r.file for r in records} == {
        "a/labels/1.txt": "a/images/1",
        "b/labels/1.txt": "b/images/1",
        "c/1.txt": "c/1",
    }


def test_texts_beyond_the_budget_are_judged_by_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "BUDGET", 1024)
    files = {**of_images(BOX, BOX, POSE), "labels/z.txt": BOX, "notes.txt": "made by hand"}
    assert detect(files).documents == ("labels/0.txt", "labels/1.txt", "labels/2.txt", "labels/z.txt")
    (refused,) = only(read(files), Issue)
    assert "keypoints are not supported yet" in refused.message


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("all.txt", "images/a.jpg 1,2,30,40,0 5,6,70,80,1\nimages/b.jpg 1,2,30,40,0", "image list with boxes"),
        ("gt/gt.txt", "1,1,912,484,97,109,0,7,1", "MOT"),
        ("label_2/a.txt", "Car " + " ".join(["1.5"] * 14), "KITTI"),
    ],
)
def test_labels_that_lie_elsewhere_are_named_by_what_they_hold(path: str, text: str, kind: str) -> None:
    assert kinds({"images/a.jpg": "", "images/b.jpg": "", path: text}) == {path: kind}


@pytest.mark.parametrize("text", ["1000\n2000\n", "some words", "0 320 240 100 50"])
def test_other_texts_are_not_named(text: str) -> None:
    assert kinds({"images/a.jpg": "", "times.txt": text, "labels/notes.txt": "made by hand"}) == {}


@pytest.mark.parametrize(
    ("row", "decimals"),
    [
        ("0 0.312500 0.416667 0.312500 0.333333", 6),
        ("0 0.5 0.416667 1 0.25", 6),
        ("0 3.125e-01 4.16667E-1 5e-1 1", 6),
        ("0 1 1 1 1", 0),
        ("0 1.000000 0 0 1", 6),
        ("1 0.143813 0.00897917 0.0314583 0.5955", 6),
        ("1 0.01 0.0123 0.02 0.000000", 3),
        ("0 .25 .25 .5 .25 .5 .125", 3),
    ],
)
def test_an_annotation_says_to_how_many_decimals_its_shares_are_rounded(row: str, decimals: int) -> None:
    assert [r.decimals for r in only(read(of_images(row)), AnnotationRecord)] == [decimals]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["", BOX, POSE, "0 20 20 9 9", "words", "0 .1 .1 .2 .1 .2 .2", "0 1"]), min_size=1))
def test_every_label_file_is_read_or_named(rows: list[str]) -> None:
    upload = tree(of_images(*rows))
    reader = YoloReader()
    found = reader.detect(upload)
    named = {u.path for u in found.unread}
    assert not named & set(found.documents)
    filled = {f"labels/{n}.txt" for n, text in enumerate(rows) if text}
    assert filled <= named | set(found.documents)
    records = [r for unit in reader.plan(upload, found) for r in reader.parse(unit, upload.read)]
    assert {r.document for r in records} == set(found.documents)


def test_no_text_is_read_when_there_is_none() -> None:
    assert YoloReader().detect(DictTree({"images/a.jpg": b""})).unread == ()
