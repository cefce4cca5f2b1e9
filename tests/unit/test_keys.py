from __future__ import annotations

import pytest

from imagelake.keys import is_dataset_image, is_mask_path, wrapper_folder


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
