"""Pictures that are masks are named, not taken as pictures without a word; classes that are called so are classes."""

from __future__ import annotations

import json
import time

import pytest

from imagelake.errors import UploadRejected
from imagelake.formats.detect import choose
from imagelake.formats.trees import DictTree
from imagelake.formats.unread.masks import MASKS, masks

CERTAIN: dict[str, dict[str, bool]] = {
    "images and masks": {"images/1.jpg": False, "masks/1.png": True},
    "below splits": {
        "train/image/1.jpg": False, "train/label/1.png": True, "val/image/2.jpg": False, "val/label/2.png": True,
    },
    "above splits": {"images/training/a.jpg": False, "annotations/training/a.png": True},
    "as in VOC": {"JPEGImages/1.jpg": False, "Annotations/1.png": True},
    "Carvana": {"train/a.jpg": False, "train_masks/a_mask.gif": True},
    "of images": {"train_images/a.jpg": False, "train_masks/a.png": True, "test_images/b.jpg": False},
    "truth": {"img/1.jpg": False, "gt/1.png": True},
    "truth in two words": {"img/1.jpg": False, "ground_truth/1-gt.png": True},
    "camel case": {"Images/1.jpg": False, "GroundTruth/1.png": True},
    "CamVid": {"train/1.png": False, "trainannot/1.png": True},
    "capitals and ends": {"Images/1.JPG": False, "Labels/1_L.PNG": True},
    "Penn-Fudan": {"PNGImages/F1.png": False, "PedMasks/F1_mask.png": True},
    "DeepGlobe": {"images/100_sat.jpg": False, "masks/100_mask.png": True},
    "Cityscapes": {
        "leftImg8bit/train/ulm/u_1_leftImg8bit.png": False, "gtFine/train/ulm/u_1_gtFine_labelIds.png": True,
    },
    "DAVIS": {"JPEGImages/480p/bear/0.jpg": False, "Annotations/480p/bear/0.png": True},
    "Supervisely": {"ds0/img/a.jpg": False, "ds0/masks_machine/a.png": True},
    "in a folder with such a word": {"segmentation_set/images/1.jpg": False, "segmentation_set/masks/1.png": True},
    "classes": {"cat/images/1.jpg": False, "cat/masks/1.png": True, "dog/images/1.jpg": False, "dog/masks/1.png": True},
    "beside, Roboflow": {"train/a.jpg": False, "train/a_mask.png": True},
}  # fmt: skip


@pytest.mark.parametrize("name", CERTAIN)
def test_masks_refuse_an_upload_that_has_no_other_labels(name: str) -> None:
    files = CERTAIN[name]
    tree = DictTree(dict.fromkeys(files, b""))
    certain = {u.path for u in masks(tree.paths) if u.is_certain}
    assert certain == {path for path, is_mask in files.items() if is_mask}
    with pytest.raises(UploadRejected, match=MASKS) as caught:
        choose(tree, None)
    assert caught.value.rule == "format.unsupported"
    assert "--format images, which takes masks as pictures too" in str(caught.value.hint)
    assert {u.path for u in choose(tree, "images").unread} == certain


@pytest.mark.parametrize(
    "paths",
    [
        ("mask/1.jpg", "no_mask/1.jpg"),
        ("with_mask/1.jpg", "without_mask/1.jpg"),
        ("train/mask/1.jpg", "train/no_mask/1.jpg"),
        ("images/mask/1.jpg", "images/no_mask/1.jpg"),
        ("gt/1.jpg", "mask/1.jpg"),
        ("seg_train/sea/1.jpg", "seg_test/sea/1.jpg", "seg_train/forest/2.jpg"),
        ("label/1.jpg", "bottle/1.jpg"),
        ("images/1.jpg", "images/2.jpg"),
        ("train/1.jpg", "test/1.jpg"),
        ("JPEGImages/1.jpg", "SegmentationClass/1.png"),
        ("shoe.jpg", "shoe_label.jpg"),
        ("a_mask.jpg", "b_mask.jpg"),
    ],
)
def test_classes_named_for_masks_and_masks_known_otherwise_are_not_named(paths: tuple[str, ...]) -> None:
    assert tuple(masks(paths)) == ()


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("s1/images/s1.png", "s1/masks/7f3a.png"),
        ("a.jpg", "masks/a.png"),
        ("train/a.jpg", "train/masks/a.png"),
        ("people/ann.jpg", "people/ann_mask.jpg"),
        ("images/Maine_1.jpg", "annotations/trimaps/Maine_1.png"),
        ("Training_Data/I1.jpg", "Training_GroundTruth/I1_segmentation.png"),
    ],
)
def test_what_may_be_a_mask_is_named_and_refuses_nothing(image: str, mask: str) -> None:
    choice = choose(DictTree({image: b"", mask: b"", "people/bob.jpg": b"", "other/eve.jpg": b""}), None)
    assert [(u.path, u.kind, u.is_certain) for u in choice.unread] == [(mask, MASKS, False)]


def test_masks_beside_labels_that_are_read_are_a_warning() -> None:
    coco = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [], "categories": []}
    files = {"images/1.jpg": b"", "masks/1.png": b"", "coco.json": json.dumps(coco).encode()}
    choice = choose(DictTree(files), None)
    assert (choice.reader, [u.path for u in choice.unread]) == ("coco", ["masks/1.png"])


def test_folders_of_hostile_names_take_linear_time() -> None:
    folders = [f"masks{'-' * n}" for n in range(1, 400)] + [f"images{'_' * n}" for n in range(1, 400)]
    paths = [f"{folder}/{n}.png" for folder in folders for n in range(100)]
    begin = time.monotonic()
    assert sum(1 for _ in masks(paths)) == 399 * 100
    assert time.monotonic() - begin < 10
