"""Lists called like a split, beside VOC documents, in class folders and beside plain images."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.core.upload_paths import wrapper_folder
from imagelake.formats import reader, small_documents
from imagelake.formats.detect import Choice, choose
from imagelake.formats.records import ImageRecord, Issue, Record
from imagelake.formats.trees import DictTree

BOX = "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></object>"
Files = dict[str, str | bytes]


def documents(*paths: str) -> Files:
    """VOC documents that name no file."""
    return {path: f"<annotation>{BOX}</annotation>" for path in paths}


def images(*paths: str) -> Files:
    return dict.fromkeys(paths, "")


VOC: Files = {**images(*(f"JPEGImages/{n}.jpg" for n in "123")), **documents(*(f"Annotations/{n}.xml" for n in "123"))}
FOLDERS = images("cake/1.jpg", "cake/2.jpg", "pie/3.jpg")
PLAIN = images("1.jpg", "2.jpg", "day/3.jpg")


def read(files: Files) -> tuple[Choice, list[Record]]:
    """What an upload is, its wrapper folder stripped, and all its records."""
    top = wrapper_folder(list(files))
    encoded = {path: data if isinstance(data, bytes) else data.encode() for path, data in files.items()}
    tree = DictTree({path.removeprefix(top): data for path, data in encoded.items()})
    choice = choose(tree, None)
    used = reader(choice.reader)
    return choice, [r for unit in used.plan(tree, choice.detection) for r in used.parse(unit, tree.read)]


def members(files: Files) -> list[tuple[str, str, bool, str | None]]:
    """The list, name, whether it is a stem, and the split of the images that lists name."""
    choice, records = read(files)
    lists = choice.detection.meta
    listed = [r for r in records if isinstance(r, ImageRecord) and r.document in lists]
    assert all(r.kinds == () for r in listed)
    return [(r.document, r.file, r.by_stem, r.split) for r in listed]


@pytest.mark.parametrize(
    ("path", "text", "file", "by_stem"),
    [
        ("train.txt", "1", "1", True),
        ("train.txt", "1.jpg", "1.jpg", False),
        ("train.txt", b"\xef\xbb\xbf1.jpg  \r\n\r\n1.jpg\r\n", "1.jpg", False),
        ("train.txt", "\ufeff1".encode("utf-16-le"), "1", True),
        ("Train.TXT", "1", "1", True),
        ("train.txt", "1 0", "1", True),
        ("train.txt", "1  -1\n9  1\n", "1", True),
        ("train_list.txt", "JPEGImages/1.jpg Annotations/1.xml", "JPEGImages/1.jpg", False),
        ("train_list.txt", "./JPEGImages/1.jpg\t./Annotations/1.xml", "JPEGImages/1.jpg", False),
        ("train.txt", "JPEGImages\\1.jpg", "JPEGImages/1.jpg", False),
        ("train.txt", "/home/me/set/JPEGImages/1.jpg", "JPEGImages/1.jpg", False),
        ("lists/train2017.txt", "JPEGImages/1", "JPEGImages/1", True),
        ("JPEGImages/train.txt", "1.jpg", "1.jpg", False),
        ("Annotations/train.txt", "../JPEGImages/1.jpg", "JPEGImages/1.jpg", False),
        ("ImageSets/Layout/train.txt", "1 2", "1", True),
        ("ImageSets/Main/train.txt", "JPEGImages/1.jpg Annotations/1.xml", "JPEGImages/1.jpg", True),
    ],
)
def test_a_list_beside_voc_documents_puts_its_images_into_its_split(
    path: str, text: str | bytes, file: str, by_stem: bool
) -> None:
    named = [member for member in members({**VOC, path: text}) if member[1] != "9"]
    assert named == [(path, file, by_stem, "train")]
    assert read({**VOC, path: text})[0].detection.seen == (f"splits from {path}",)


@pytest.mark.parametrize("files", [VOC, FOLDERS, PLAIN], ids=["voc", "imagefolder", "images"])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("README.txt", "1.jpg\ncake/1.jpg\nJPEGImages/1.jpg"),
        ("train_and_val.txt", "1.jpg\ncake/1.jpg"),
        ("classes.txt", "1"),
        ("train.txt", "Trained on 1.jpg and others."),
        ("train.txt", "1 of 3 is good"),
        ("train.txt", "9\n8.jpg\nanother/1.png"),
        ("train.txt", ""),
        ("train.txt", b"\x00\xff\xfe1"),
        ("train.txt", "1 0.5\n1 0.25"),
    ],
)
def test_a_text_that_names_no_image_is_no_list(files: Files, path: str, text: str | bytes) -> None:
    choice, records = read({**files, path: text})
    assert (choice.detection.meta, choice.detection.seen) == ((), ())
    assert records == read(files)[1]


def test_the_text_of_an_image_is_not_a_list_whatever_it_is_called() -> None:
    files: Files = {**images("day/train.jpg", "night/1.jpg"), "day/train.txt": "1.jpg", **documents("day/train.xml")}
    assert members(files) == []


def test_lists_in_image_sets_come_before_others() -> None:
    files: Files = {**VOC, "ImageSets/Main/val.txt": "1", "train.txt": "1\n2"}
    assert members(files) == [("ImageSets/Main/val.txt", "1", True, "val")]


def test_splits_of_folders_count_where_no_list_does() -> None:
    files = {**images("JPEGImages/1.jpg"), **documents("Annotations/train/1.xml")}
    assert [r.split for r in read({**files, "val.txt": "some notes"})[1] if isinstance(r, ImageRecord)] == ["train"]
    assert [r.split for r in read({**files, "val.txt": "1"})[1] if isinstance(r, ImageRecord)] == [None, "val"]


def kits(*names: str, folder: str = "JPEGImages") -> Files:
    """Development kits side by side, each with the images 1 and 2."""
    places = [(name, n) for name in names for n in "12"]
    pictures = images(*(f"{name}/{folder}/{n}.jpg" for name, n in places))
    return {**pictures, **documents(*(f"{name}/Annotations/{n}.xml" for name, n in places))}


@pytest.mark.parametrize("folder", ["JPEGImages", "images", "pictures"])
@pytest.mark.parametrize("text", ["1\n3", "1.jpg\n3.jpg", "FOLDER/1\nFOLDER/3", "FOLDER/1.jpg\nFOLDER/3.jpg"])
def test_a_list_of_a_kit_is_about_the_images_of_that_kit(folder: str, text: str) -> None:
    text = text.replace("FOLDER", folder)
    files = {**kits("A", "B", folder=folder), "A/ImageSets/Main/train.txt": text, "B/ImageSets/Main/val.txt": text}
    files |= images(f"B/{folder}/3.jpg")
    assert [(file.removesuffix(".jpg"), split) for _, file, _, split in members(files)] == [
        (f"A/{folder}/1", "train"),
        (f"A/{folder}/3", "train"),
        (f"B/{folder}/1", "val"),
        (f"B/{folder}/3", "val"),
    ]


def test_a_list_of_which_the_kit_has_no_image_is_about_no_other_kit() -> None:
    files: Files = {**kits("A", "B"), **images("B/JPEGImages/3.jpg"), "A/ImageSets/Main/train.txt": "3"}
    assert members(files) == [("A/ImageSets/Main/train.txt", "A/JPEGImages/3", True, "train")]


def test_names_without_folder_are_left_to_the_matching_where_images_of_a_kit_lie_in_several() -> None:
    files: Files = {
        **images("A/JPEGImages/day/1.jpg", "A/JPEGImages/night/2.jpg", "B/JPEGImages/3.jpg"),
        **documents("A/Annotations/1.xml", "B/Annotations/3.xml"),
        "A/ImageSets/Main/train.txt": "1\n2",
        "A/ImageSets/Main/val.txt": "day/1",
    }
    assert [file for _, file, *_ in members(files)] == ["1", "2", "A/JPEGImages/day/1"]


def test_a_list_of_a_kit_without_images_names_those_of_the_upload() -> None:
    files: Files = {**VOC, "lists/ImageSets/Main/train.txt": "1"}
    assert members(files) == [("lists/ImageSets/Main/train.txt", "1", True, "train")]


def test_each_kit_has_its_own_folder_of_lists() -> None:
    files: Files = {
        **kits("A", "B"),
        "A/ImageSets/Main/train.txt": "1",
        "A/ImageSets/Layout/val.txt": "2",
        "B/ImageSets/Segmentation/val.txt": "2",
    }
    assert [path for path, *_ in members(files)] == ["A/ImageSets/Main/train.txt", "B/ImageSets/Segmentation/val.txt"]


@pytest.mark.parametrize(
    ("path", "text", "file", "by_stem"),
    [
        ("train_list.txt", "cake/1.jpg 0", "cake/1.jpg", False),
        ("train.txt", "cake/1", "cake/1", True),
        ("train.txt", "cake/1 0", "cake/1", True),
        ("train.txt", "set/images/cake/1.jpg,cake", "images/cake/1.jpg", False),
        ("meta/train.txt", "cake/1", "cake/1", True),
        ("meta/train.txt", "../images/cake/1.jpg", "images/cake/1.jpg", False),
        ("images/cake/train.txt", "1.jpg", "images/cake/1.jpg", False),
        ("train.txt", "1.jpg", "1.jpg", False),
        ("train.txt", "1", "1", True),
    ],
)
@pytest.mark.parametrize("wrapper", ["", "food/"])
def test_a_list_beside_class_folders_names_images_as_people_do(
    wrapper: str, path: str, text: str, file: str, by_stem: bool
) -> None:
    pictures = images("images/cake/1.jpg", "images/pie/2.jpg")
    files = {f"{wrapper}{name}": data for name, data in {**pictures, path: text}.items()} | {"README.md": "About."}
    assert members(files) == [(path, file, by_stem, "train")]
    assert read(files)[0].reader == "imagefolder"


def test_lists_of_plain_images_give_them_splits() -> None:
    files: Files = {**PLAIN, "train.txt": "1.jpg\n2", "lists/val.txt": "day/3.jpg"}
    choice, _ = read(files)
    assert (choice.reader, choice.detection.seen) == ("images", ("splits from lists/val.txt, train.txt",))
    assert members(files) == [
        ("lists/val.txt", "day/3.jpg", False, "val"),
        ("train.txt", "1.jpg", False, "train"),
        ("train.txt", "2", True, "train"),
    ]


def test_names_without_folder_are_left_to_the_matching_where_images_lie_in_several() -> None:
    files: Files = {**FOLDERS, "train.txt": "1.jpg\n3.jpg", "val.txt": "2"}
    assert [(file, split) for _, file, _, split in members(files)] == [
        ("1.jpg", "train"),
        ("3.jpg", "train"),
        ("2", "val"),
    ]


def test_an_image_in_two_lists_has_both_records() -> None:
    files: Files = {**FOLDERS, "train.txt": "cake/1.jpg", "val.txt": "cake/1.jpg"}
    assert [split for *_, split in members(files)] == ["train", "val"]


def test_a_list_of_more_than_came_is_known_by_a_line_further_down() -> None:
    text = "".join(f"cake/x{n}.jpg\n" for n in range(1000)) + "cake/1.jpg\n"
    assert len(members({**FOLDERS, "train.txt": text})) == 1001


def test_a_list_of_a_thousand_classes_with_images_of_the_same_names_is_known() -> None:
    files = images(*(f"images/c{n}/{m}.jpg" for n in range(1000) for m in (1, 2)))
    assert members({**files, "train.txt": "c999/1\nc5/2"}) == [
        ("train.txt", "c999/1", True, "train"),
        ("train.txt", "c5/2", True, "train"),
    ]


@pytest.mark.parametrize("files", [VOC, FOLDERS, PLAIN], ids=["voc", "imagefolder", "images"])
def test_a_list_that_cannot_be_read_is_an_issue(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = [path.rpartition("/")[2] for path in files if path.endswith("1.jpg")]
    _, records = read({**files, "train.txt": f"{name}\n".encode() + b"caf\xe9.jpg\n"})
    (refused,) = [r for r in records if isinstance(r, Issue)]
    assert (refused.document, refused.rule) == ("train.txt", "document.not_utf8")
    monkeypatch.setattr(small_documents, "MAX_BYTES", 100)
    issues = [r for r in read({**files, "train.txt": f"{name}\n" * 100})[1] if isinstance(r, Issue)]
    assert [r.rule for r in issues if r.document == "train.txt"] == ["document.too_large"]


def test_lines_that_are_no_names_are_issues_and_the_others_stay() -> None:
    _, records = read({**FOLDERS, "train.txt": "cake/1.jpg\nhttps://example.com/2.jpg\n\x01.jpg\npie/gone.jpg"})
    assert [r.file for r in records if isinstance(r, ImageRecord) and r.document] == ["cake/1.jpg", "pie/gone.jpg"]
    assert [(r.rule, r.locator) for r in records if isinstance(r, Issue)] == [
        ("split.member_malformed", "line 2"),
        ("split.member_malformed", "line 3"),
    ]


def test_a_text_of_nothing_but_slashes_or_short_lines_takes_no_time() -> None:
    folder = "/".join("f" * 40)
    files = {**FOLDERS, **images(f"{folder}/1.jpg"), "train.txt": "x/" * 40_000, f"{folder}/val.txt": "y\n" * 40_000}
    begin = time.perf_counter()
    assert members(files) == []
    assert time.perf_counter() - begin < 10


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(["train.txt", "a/val.txt", "ImageSets/Main/test.txt"]),
    st.text("1a./\\:~* ,\t\n0\x00é", max_size=40),
)
def test_whatever_a_list_says_no_name_leaves_the_upload(path: str, text: str) -> None:
    for files in (VOC, {**images("a/1.jpg", "b/a.jpg")}):
        for record in read({**files, path: text})[1]:
            if isinstance(record, ImageRecord):
                assert not record.file.startswith("/")
                assert ".." not in record.file.split("/")
