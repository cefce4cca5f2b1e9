from __future__ import annotations

import pytest

from imagelake.keys import IMAGE_SUFFIXES, is_dataset_image, is_image_name, is_junk, is_mask_path, wrapper_folder


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
