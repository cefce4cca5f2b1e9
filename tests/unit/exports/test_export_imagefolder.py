"""`--format imagefolder`: one folder a class, as torchvision reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from uploaded import records_of

from folder_tree import FolderTree
from imagelake.client import lake as client
from imagelake.client.lake import Lake
from imagelake.core.upload_paths import take_apart
from imagelake.errors import UsageError
from imagelake.formats.records import AnnotationRecord, ImageRecord
from lakes import LakeMaker


def classified(maker: LakeMaker, images: dict[str, tuple[str | None, str]]) -> Lake:
    """A lake of images by key, each with a class and a split."""
    for key, (label, split) in images.items():
        maker.image("d", key, key.encode(), split=split, labelled=["class"])
        if label is not None:
            maker.box("d", key, label, None, kind="class")
    maker.keep("d", [key.encode() for key in images])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    return client.open(str(maker.root))


def files(out: Path) -> dict[str, bytes]:
    skipped = ("export.imagelake", "classes.json")
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in skipped
    }


def test_images_lie_in_the_folder_of_their_class(maker: LakeMaker, tmp_path: Path) -> None:
    lake = classified(maker, {"cat/1.jpg": ("cat", "train"), "x/2.jpg": ("dog", "train"), "3.jpg": ("cat", "test")})
    lake.get("d", tmp_path / "out", format="imagefolder")
    assert files(tmp_path / "out") == {
        "train/cat/1.jpg": b"cat/1.jpg",
        "train/dog/x__2.jpg": b"x/2.jpg",
        "test/cat/3.jpg": b"3.jpg",
    }


def test_class_folders_come_back_as_they_were_uploaded(maker: LakeMaker, tmp_path: Path) -> None:
    images = {f"{label}/{n}.jpg": (label, "train" if n else "val") for label in ("cat", "dog") for n in range(3)}
    classified(maker, images).get("d", tmp_path / "out", format="imagefolder")
    records = records_of("imagefolder", FolderTree(tmp_path / "out"))
    labels = {r.image_ref: r.category for r in records if isinstance(r, AnnotationRecord)}
    read = {take_apart(r.file).key: (labels[r.ref], r.split) for r in records if isinstance(r, ImageRecord)}
    assert read == images


def test_the_order_of_the_classes_is_that_of_the_dataset(maker: LakeMaker, tmp_path: Path) -> None:
    classified(maker, {"1.jpg": ("zebra", "train"), "2.jpg": ("ant", "train")}).get(
        "d", tmp_path / "out", format="imagefolder"
    )
    assert json.loads((tmp_path / "out/classes.json").read_bytes()) == [
        {"index": 0, "name": "zebra", "folder": "zebra"},
        {"index": 1, "name": "ant", "folder": "ant"},
    ]


def test_an_image_of_several_classes_refuses_the_export(maker: LakeMaker, tmp_path: Path) -> None:
    lake = classified(maker, {"1.jpg": ("cat", "train"), "2.jpg": ("cat", "train")})
    maker.box("d", "2.jpg", "dog", None, kind="class")
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    with pytest.raises(UsageError, match=r"1 images of .* have several classes, for example '2.jpg'"):
        lake.get("d", tmp_path / "out", format="imagefolder")
    assert not (tmp_path / "out").exists()
    lake.get("d", tmp_path / "out", format="imagefolder", images=["1.jpg"])


def test_boxes_are_no_classes(maker: LakeMaker, tmp_path: Path) -> None:
    lake = classified(maker, {"1.jpg": (None, "train")})
    maker.box("d", "1.jpg", "cat", (0, 0, 1, 1))
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    with pytest.raises(UsageError, match=r"no image of .* has a class"):
        lake.get("d", tmp_path / "out", format="imagefolder")


def test_every_annotation_is_a_folder_or_counted(maker: LakeMaker, tmp_path: Path) -> None:
    lake = classified(maker, {"1.jpg": ("cat", "train"), "2.jpg": (None, "train")})
    maker.box("d", "1.jpg", "dog", (0, 0, 1, 1))
    maker.box("d", "2.jpg", "dog", (0, 0, 1, 1))
    maker.box("d", "1.jpg", "cat", None, kind="class")
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    done = lake.get("d", tmp_path / "out", format="imagefolder")
    assert list(files(tmp_path / "out")) == ["train/cat/1.jpg"]
    assert done.losses == {
        "box annotations: the format holds a class for each image": 2,
        "class annotations that say a class again": 1,
        "images without a class": 1,
    }
    assert done.annotations == 1 + 2 + 1


def test_hostile_and_colliding_classes_stay_inside_and_apart(maker: LakeMaker, tmp_path: Path) -> None:
    labels = ["../up", "..", "a/b", "a__b", "Cat", "cat", "con", "x\n<y>", "=1+1", "."]
    images = {f"{n}.jpg": (label, "train") for n, label in enumerate(labels)}
    classified(maker, images).get("d", tmp_path / "out", format="imagefolder")
    classes = json.loads((tmp_path / "out/classes.json").read_bytes())
    folders = {entry["name"]: entry["folder"] for entry in classes}
    assert [entry["name"] for entry in classes] == labels
    assert len({folder.lower() for folder in folders.values()}) == len(labels)
    assert files(tmp_path / "out") == {
        f"train/{folders[label]}/{key}": key.encode() for key, (label, _) in images.items()
    }
    assert not (tmp_path / "up").exists()
