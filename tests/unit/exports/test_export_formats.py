"""What holds for every export format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from zoo import zoo

from imagelake.client import lake as client
from imagelake.errors import UsageError
from imagelake.exports.folder import ExportFolder
from imagelake.exports.formats import FORMATS, NAMES
from lakes import LakeMaker

ROOT = Path(__file__).parents[3]
NEEDING = {"yolo-pose": "no keypoints", "imagefolder": "no image of"}
"""Formats that refuse a selection without what they are for."""
WITHOUT_IMAGES = {"parquet"}
"""Formats that hold rows only."""


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_version_gives_the_same_files(name: str, maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    first = lake.get("zoo", tmp_path / "one", format=name)
    lake.get("zoo", tmp_path / "two", format=name)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert not lake.get("zoo", tmp_path / "one", format=name).is_new
    record = json.loads((tmp_path / "one/export.imagelake").read_bytes())
    assert record["losses"] == first.losses
    assert {p.name for p in tmp_path.iterdir()} == {"one", "two", "lake"}, "no name leads out of the folder"


@pytest.mark.parametrize("name", NAMES)
def test_images_without_annotations_are_exported(name: str, maker: LakeMaker, tmp_path: Path) -> None:
    maker.image("d", "a.jpg", b"the bytes of a", split="train")
    maker.image("d", "b.jpg", b"the bytes of b", split="train", labelled=[])
    maker.keep("d", [b"the bytes of a", b"the bytes of b"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    lake = client.open(str(maker.root))
    if name in NEEDING:
        with pytest.raises(UsageError, match=NEEDING[name]):
            lake.get("d", tmp_path / "out", format=name)
        return
    done = lake.get("d", tmp_path / "out", format=name)
    tells = next(each.has_unlabelled for each in FORMATS if each.name == name)
    assert (done.images, done.unlabelled) == ((2, 0) if tells else (1, 1))
    whole = b"".join(files(tmp_path / "out").values())
    has_images = name not in WITHOUT_IMAGES
    assert (b"the bytes of a" in whole) == has_images
    assert (b"the bytes of b" in whole) == (tells and has_images)


@pytest.mark.parametrize("name", NAMES)
def test_a_selection_of_nothing_is_an_export_of_nothing(name: str, maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    if name == "yolo-pose":
        with pytest.raises(UsageError, match="no keypoints"):
            lake.get("zoo", tmp_path / "out", format=name, where="false")
        return
    done = lake.get("zoo", tmp_path / "out", format=name, where="false")
    assert (done.images, done.annotations) == (0, 0)
    assert not any(path.endswith((".png", ".tar", ".txt")) for path in files(tmp_path / "out"))


@pytest.mark.parametrize("name", NAMES)
def test_a_draft_with_images_of_no_split_is_exported(name: str, maker: LakeMaker, tmp_path: Path) -> None:
    maker.image("d", "a.jpg", b"the bytes of a", labelled=["box", "class"])
    maker.box("d", "a.jpg", "cat", (0, 0, 4, 4), keypoints=[1.0, 1.0, 2.0])
    maker.box("d", "a.jpg", "cat", None, kind="class")
    maker.keep("d", [b"the bytes of a"])
    maker.deliver("d")
    maker.flush()
    done = client.open(str(maker.root)).get("d@draft", tmp_path / "out", format=name)
    assert done.images == 1
    assert (b"the bytes of a" in b"".join(files(tmp_path / "out").values())) == (name not in WITHOUT_IMAGES)


def test_the_page_describes_every_format() -> None:
    page = (ROOT / "docs/exports.md").read_text("utf-8")
    _, *sections = page.split("\n## ")
    titles = ", ".join(section.partition("\n")[0] for section in sections).split(", ")
    assert set(NAMES) - {"files"} <= set(titles)
    table = [line for line in page.splitlines() if line.startswith("| `")]
    assert all(any(f"`{name}`" in line for line in table) for name in NAMES)


def test_files_of_long_names_are_written_side_by_side(tmp_path: Path) -> None:
    folder = ExportFolder(tmp_path, lambda done, total: None)
    one, other = ("x" * 240 + end for end in ("1.jpg", "2.jpg"))
    with folder.open(one) as first, folder.open(other) as second:
        first.write(b"1")
        second.write(b"2")
    assert files(tmp_path) == {one: b"1", other: b"2"}
