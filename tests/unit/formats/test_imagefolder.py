from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.core import upload_paths
from imagelake.formats.detect import choose
from imagelake.formats.imagefolder import ImageFolderReader, ImagesReader
from imagelake.formats.records import AnnotationRecord, ImageRecord, Record
from imagelake.formats.trees import DictTree

UPLOADS = Path(__file__).parents[4] / "shared" / "data"


def tree(*paths: str) -> DictTree:
    return DictTree(dict.fromkeys(paths, b""))


def read(*paths: str) -> list[Record]:
    files = tree(*paths)
    reader = ImageFolderReader()
    units = reader.plan(files, reader.detect(files))
    return [record for unit in units for record in reader.parse(unit, files.read)]


def classes(*paths: str) -> dict[str, str | None]:
    return {r.image_ref: r.category for r in read(*paths) if isinstance(r, AnnotationRecord)}


@pytest.mark.parametrize(
    ("path", "category", "split"),
    [
        ("cats/1.jpg", "cats", None),
        ("train/cats/1.jpg", "cats", "train"),
        ("images/valid/cats/1.jpg", "cats", "val"),
        ("test/images/cats/tabby/1.png", "cats/tabby", "test"),
        ("Große Katzen/1.jpg", "Große Katzen", None),
        (" cats /1.jpg", "cats", None),
    ],
)
def test_the_folders_of_an_image_name_its_class(path: str, category: str, split: str | None) -> None:
    image, annotation, *_ = read(path, "zebras/1.jpg")
    assert isinstance(image, ImageRecord)
    assert isinstance(annotation, AnnotationRecord)
    assert (image.file, image.ref, image.split, image.kinds) == (path, path, split, ("class",))
    assert (annotation.image_ref, annotation.category, annotation.kind) == (path, category, "class")
    assert json.loads(annotation.raw) == {"class": category, "file": path}


def test_only_images_are_classified() -> None:
    assert classes("cats/1.jpg", "cats/notes.txt", "dogs/2.PNG", "LICENSE") == {
        "cats/1.jpg": "cats",
        "dogs/2.PNG": "dogs",
    }


@pytest.mark.parametrize(
    ("paths", "scores"),
    [
        (("cats/1.jpg", "dogs/1.jpg"), (40, 0)),
        (("train/cats/1.jpg", "train/dogs/1.jpg"), (40, 0)),
        (("cats/1.jpg", "2.jpg"), (0, 20)),
        (("cats/1.jpg", " /2.jpg"), (0, 20)),
        (("cats/1.jpg", "dogs/1.jpg", "SegmentationClass/1.png"), (40, 0)),
        (("SegmentationClass/1.png", "SegmentationObject/1.png"), (0, 0)),
        (("cats/1.jpg",), (0, 20)),
        (("1.jpg", "2.jpg"), (0, 20)),
        (("train/1.jpg", "test/2.jpg"), (0, 20)),
        (("images/train/1.jpg", "images/test/2.jpg"), (0, 20)),
        (("train/cat.0.jpg", "train/dog.1.jpg", "rest/1.jpg", "rest/2.jpg"), (0, 20)),
        (("train/1.jpg", "rest/1.jpg", "rest/2.jpg", "rest/3.jpg"), (0, 20)),
        (("train/train/1.jpg", "test/test/2.jpg"), (0, 20)),
        (("train/train/1.jpg", "train/bus/1.jpg", "test/train/2.jpg"), (40, 0)),
        (("images/cats/1.jpg", "images/cats/2.jpg"), (40, 0)),
        (("train/cats/1.jpg", "val/cats/2.jpg"), (40, 0)),
        (("train/cats/1.jpg", "train/cats/2.jpg", "test/3.jpg", "test/4.jpg", "test/5.jpg"), (40, 0)),
        (("train/cats/1.jpg", "train/dogs/2.jpg", "test/5.jpg"), (40, 0)),
        (("cats/1.jpg", "dogs/2.jpg", "test/3.jpg", "test/4.jpg", "test/5.jpg"), (40, 0)),
        (("unlabeled/1.jpg", "unlabeled/2.jpg", "train/3.jpg"), (0, 20)),
        (("cats/1.jpg", "unlabeled/2.jpg", "unlabeled/3.jpg"), (0, 20)),
        (("cats/1.txt", "README.md"), (0, 0)),
        ((), (0, 0)),
    ],
)
def test_a_tree_of_images_is_of_exactly_one_of_the_two_forms(paths: tuple[str, ...], scores: tuple[int, int]) -> None:
    found = ImageFolderReader().detect(tree(*paths)), ImagesReader().detect(tree(*paths))
    assert tuple(d.score for d in found) == scores
    assert all(bool(d.lacks) == (d.score == 0) for d in found)
    assert all(d.documents == () for d in found)


@settings(deadline=None)
@given(st.sets(st.from_regex(r"(train/|images/|cats/|dogs/){0,3}[a-z]{1,3}\.(jpg|txt)", fullmatch=True), max_size=6))
def test_no_tree_is_of_both_forms(paths: set[str]) -> None:
    scores = [r.detect(tree(*paths)).score for r in (ImageFolderReader(), ImagesReader())]
    assert sum(score > 0 for score in scores) == any(p.endswith(".jpg") for p in paths)


@pytest.mark.parametrize(
    "folder",
    [
        "unlabeled",
        "unlabelled",
        "Unlabeled",
        "UNLABELLED IMAGES",
        "unlabeled_data",
        "test_unlabelled",
        "images/unlabeled",
        "train/unlabeled",
        "unlabeled/extra",
    ],
)
def test_images_in_a_folder_called_unlabelled_are_of_no_class(folder: str) -> None:
    paths = ("train/cats/1.jpg", "train/dogs/2.jpg", *(f"{folder}/{n}.jpg" for n in range(3)))
    assert set(classes(*paths).values()) == {"cats", "dogs"}
    records = [r for r in read(*paths) if isinstance(r, ImageRecord)]
    assert [r.kinds for r in records if r.file.startswith(folder)] == [()] * 3
    (seen,) = ImageFolderReader().detect(tree(*paths)).seen
    assert seen == f"taken unlabelled, as the name of their folder says: {', '.join(paths[2:])}"


@pytest.mark.parametrize("folder", ["unlabeled cats", "labeled", "unlabeledness", "not_unlabeled_dogs"])
def test_a_class_may_be_called_by_more_than_that_word(folder: str) -> None:
    assert classes("cats/1.jpg", f"{folder}/2.jpg") == {"cats/1.jpg": "cats", f"{folder}/2.jpg": folder}


def test_a_lone_folder_beside_a_split_without_classes_is_named() -> None:
    (lack,) = ImageFolderReader().detect(tree("train/cat.0.jpg", "rest/1.jpg", "rest/2.jpg")).lacks
    assert lack.startswith("rest/1.jpg lies in the only folder that may be a class, train/cat.0.jpg in none")


def test_the_image_that_lies_in_no_class_folder_is_named() -> None:
    assert ImageFolderReader().detect(tree("cats/1.jpg", "loose.jpg")).lacks == ("loose.jpg lies in no class folder",)


def test_bare_images_need_no_records() -> None:
    files = tree("1.jpg", "2.jpg")
    reader = ImagesReader()
    assert reader.plan(files, reader.detect(files)) == ()


def test_no_image_is_opened_and_many_make_few_units() -> None:
    files = tree(*(f"{n % 7}/{n}.jpg" for n in range(12_000)))
    reader = ImageFolderReader()
    units = reader.plan(files, reader.detect(files))
    assert len(units) == 3

    def refuse(path: str) -> bytes:
        raise AssertionError(path)

    records = [r for unit in units for r in reader.parse(unit, refuse)]
    assert Counter(type(r) for r in records) == {ImageRecord: 12_000, AnnotationRecord: 12_000}


@pytest.mark.data
def test_photographs_beside_a_licence_are_bare_images() -> None:
    path = UPLOADS / "exif-orientation.zip"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {UPLOADS.parent.name}/{UPLOADS.name} beside the checkout")
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/")]
    wrapper = upload_paths.wrapper_folder(names)
    choice = choose(tree(*(n[len(wrapper) :] for n in names)), None)
    assert (choice.reader, choice.detection.score) == ("images", 20)
