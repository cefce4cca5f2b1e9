from __future__ import annotations

from typing import Any

import pytest

from imagelake.core.upload_paths import (
    IMAGE_SUFFIXES,
    KeyParts,
    folder_split,
    is_dataset_image,
    is_image_name,
    is_junk,
    is_mask_path,
    take_apart,
    wrapper_folder,
)


@pytest.mark.parametrize(
    ("path", "is_mask"),
    [
        ("SegmentationClass/a.png", True),
        ("VOC2012/segmentationobject/sub/a.png", True),
        ("train/SEGMENTATIONCLASS/a.png", True),
        ("JPEGImages/SegmentationClass.png", False),
        ("SegmentationClass", False),
        ("SegmentationClassVisualization/a.png", False),
        ("JPEGImages/a.jpg", False),
    ],
)
def test_a_path_in_a_folder_of_masks_is_that_of_a_mask(path: str, is_mask: bool) -> None:
    assert is_mask_path(path) is is_mask
    assert is_dataset_image(path) is (path.endswith((".png", ".jpg")) and not is_mask)


@pytest.mark.parametrize("folder", ["SegmentationClass", "segmentationobject", "JPEGImages", "train"])
def test_a_folder_that_says_something_about_the_images_is_no_wrapper(folder: str) -> None:
    assert wrapper_folder([f"{folder}/a.png", f"{folder}/b.png"]) == ""
    assert wrapper_folder([f"VOC2012/{folder}/a.png", f"VOC2012/{folder}/b.png"]) == "VOC2012/"


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("train2017", "train"),
        ("train_2017", "train"),
        ("training_set", "train"),
        ("test set", "test"),
        ("images_val", "val"),
        ("valid-images", "val"),
        ("train.data", "train"),
        ("test1", "test"),
        ("train_2", "train"),
        ("01_train", "train"),
        ("test_unlabelled", "test"),
        ("Unlabeled Test Images", "test"),
        ("unlabelled", None),
        ("dev1", None),
        ("test100", None),
        ("train_val", None),
        ("trainval", None),
        ("train_cats", None),
        ("test-dev", None),
        ("training_day", None),
        ("images", None),
        ("2017", None),
        ("", None),
    ],
)
def test_a_folder_stands_for_a_split_by_its_word_alone(folder: str, split: str | None) -> None:
    assert folder_split(folder) == split


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a.jpg", ("a.jpg", "a.jpg", None, "a.jpg")),
        ("images/a.jpg", ("a.jpg", "a.jpg", None, "a.jpg")),
        ("cam1/images/a.jpg", ("cam1/images/a.jpg", "cam1/images/a.jpg", None, "cam1/images/a.jpg")),
        ("train/images/a.jpg", ("a.jpg", "train/a.jpg", "train", "a.jpg")),
        ("images/train/cats/a.jpg", ("cats/a.jpg", "train/cats/a.jpg", "train", "cats/a.jpg")),
        ("ds/train/images/a.jpg", ("ds/a.jpg", "ds/train/a.jpg", "train", "a.jpg")),
        ("ds/images/valid/a.jpg", ("ds/a.jpg", "ds/valid/a.jpg", "val", "a.jpg")),
        ("ds/training_set/cats/a.jpg", ("ds/cats/a.jpg", "ds/training_set/cats/a.jpg", "train", "cats/a.jpg")),
        ("cats/test/a.jpg", ("cats/a.jpg", "cats/test/a.jpg", "test", "a.jpg")),
        ("train/Train/cats/a.jpg", ("cats/a.jpg", "train/cats/a.jpg", "train", "cats/a.jpg")),
        ("train/train/a.jpg", ("train/a.jpg", "train/train/a.jpg", "train", "train/a.jpg")),
        ("test_set/test_set/images/a.jpg", ("a.jpg", "test_set/a.jpg", "test", "a.jpg")),
        ("train/training/a.jpg", ("training/a.jpg", "train/training/a.jpg", "train", "training/a.jpg")),
        ("train/val/a.jpg", ("val/a.jpg", "train/val/a.jpg", "train", "val/a.jpg")),
        ("train/test.jpg", ("test.jpg", "train/test.jpg", "train", "test.jpg")),
        ("train.jpg", ("train.jpg", "train.jpg", None, "train.jpg")),
    ],
)
def test_the_first_split_folder_is_left_out_of_the_key_wherever_it_stands(path: str, parts: tuple[Any, ...]) -> None:
    assert take_apart(path) == KeyParts(*parts)


@pytest.mark.parametrize(
    ("paths", "wrapper"),
    [
        (["pets/a.jpg", "pets/b/c.jpg"], "pets/"),
        (["pets/a.jpg", "b.jpg"], ""),
        (["README.md", "pets/train/a.jpg"], "pets/"),
        (["LICENSE", "readme.txt", "pets/a.jpg"], "pets/"),
        (["README.md", "pets/README.md", "pets/a.jpg"], ""),
        (["readme.jpg", "pets/a.jpg"], ""),
        (["data.yaml", "ds/train/images/a.jpg", "ds/valid/images/b.jpg"], "ds/"),
        (["train.json", "ds/train/a.jpg"], "ds/"),
        (["data.yaml", "ds/images/a.jpg"], ""),
        (["data.yaml", "runs/b.txt", "ds/train/images/a.jpg"], ""),
        (["cover.jpg", "ds/train/images/a.jpg"], ""),
        (["data.yaml", "ds/data.yaml", "ds/train/images/a.jpg"], ""),
        (["pets/pets/a.jpg", "pets/pets/b.jpg"], "pets/pets/"),
        (["Pets/pets/Pets/a.jpg"], "Pets/pets/Pets/"),
        (["archive/pets/train/cats/a.jpg", "archive/pets/test/dogs/b.jpg"], "archive/pets/"),
        (["archive/pets/images/a.jpg", "archive/pets/labels/a.txt"], "archive/pets/"),
        (["archive/pets/pets/train/a.jpg", "archive/pets/pets/test/b.jpg"], "archive/pets/pets/"),
        (["archive/1/pets/images/a.jpg"], "archive/1/pets/"),
        (["animals/cats/a.jpg", "animals/cats/b.jpg"], "animals/"),
        (["archive/README.md", "archive/pets/train/a.jpg"], "archive/pets/"),
        (["archive/notes.txt", "archive/pets/cats/a.jpg"], "archive/"),
        (["README.md"], ""),
        ([], ""),
    ],
)
def test_the_folder_that_holds_everything_is_no_part_of_a_path(paths: list[str], wrapper: str) -> None:
    assert wrapper_folder(paths) == wrapper


@pytest.mark.parametrize(
    "path",
    [
        "train/images/.ipynb_checkpoints/a-checkpoint.jpg",
        ".thumbnails/a.jpg",
        ".git/objects/ab/cdef",
        "a/.cache/b/c/d.png",
        ".Trashes/501/a.jpg",
        ".Trash-1000/files/a.jpg",
        "a/.svn/entries",
        "a/.@__thumb/b.jpg",
        ".../a.jpg",
        "cats/@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "#recycle/a.jpg",
        "@Recycle/a.jpg",
        "#snapshot/daily/a.jpg",
        "$RECYCLE.BIN/S-1-5-21/$R1.jpg",
        "$Recycle.Bin/a.jpg",
        "System Volume Information/tracking.log",
        "scripts/__pycache__/convert.cpython-311.pyc",
        "lost+found/#12345",
        "__MACOSX/a/._b.jpg",
        "__macosx/a/b.jpg",
        "__MACOSX",
        "a/._b.jpg",
        "a/.DS_Store",
        "a/Thumbs.db",
        "a/",
    ],
)
def test_what_systems_and_tools_leave_behind_is_junk(path: str) -> None:
    assert is_junk(path)


@pytest.mark.parametrize(
    "path",
    [
        "a.jpg",
        ".hidden.jpg",
        "./a.jpg",
        "a/./b.jpg",
        "a/../b.jpg",
        "a.b/c.jpg",
        "eaDir/a.jpg",
        "recycle/a.jpg",
        "lost and found/a.jpg",
        "cache/a.jpg",
        "git/a.jpg",
        "__pycache__.jpg",
        "a/@eaDir",
        "thumbnails/a.jpg",
    ],
)
def test_other_files_and_folders_are_no_junk(path: str) -> None:
    assert not is_junk(path)


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_a_suffix_of_an_image_makes_an_image_in_any_case_and_a_dot_alone_does_not(suffix: str) -> None:
    assert is_image_name(f"a/license{suffix}")
    assert is_image_name(f"a/notice.1{suffix.upper()}")
    assert not is_image_name(f"a/{suffix}")
    assert not is_image_name(f"a{suffix}/b")


@pytest.mark.parametrize("name", ["a.dng", "a.psd", "a.svg", "a.exr", "a.hdr", "a.pfm", "a.jxl", "a.txt", "jpg"])
def test_other_suffixes_make_none(name: str) -> None:
    assert not is_image_name(name)
