"""`--format voc`: what a VOC upload says comes out again, and any XML parser reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uploaded import Labels, images_of, labels_of, put, records_of, unzipped

from folder_tree import FolderTree
from imagelake.client import lake
from imagelake.exports.layouts.voc import _number
from imagelake.formats.base import Tree
from imagelake.formats.records import ImageRecord, Issue
from imagelake.geometry.boxes import voc_to_bbox
from lakes import LakeMaker

GOLDEN = Path(__file__).parents[2] / "golden" / "voc"


def read(tree: Tree) -> Labels:
    """The labels of an upload with the splits of its lists, which are documents of their own."""
    records = records_of("voc", tree)
    labelling = [r for r in records if not isinstance(r, ImageRecord) or r.kinds]
    labels = labels_of(labelling)
    by_stem = {key.rpartition(".")[0]: image for key, image in labels.images.items()}
    for record in records:
        if isinstance(record, ImageRecord) and not record.kinds:
            key = record.file.removeprefix("JPEGImages/")
            image = labels.images.get(key) or by_stem.get(key) or by_stem.get(key.rpartition(".")[0])
            if image is not None and record.split:
                image["split"] = record.split
    return labels


def content(labels: Labels) -> dict[str, Any]:
    """Images and annotations without what publishing gives (splits) and what the lake computes (areas)."""
    return {
        key: {
            "size": image["size"],
            "attributes": image["attributes"],
            "annotations": [{**annotation, "area": None} for annotation in image["annotations"]],
        }
        for key, image in labels.images.items()
    }


def exported(out: Path) -> Labels:
    assert not [r for r in records_of("voc", FolderTree(out)) if isinstance(r, Issue)]
    return read(FolderTree(out))


def refused(case: Path) -> bool:
    return not any(
        r["type"] == "AnnotationRecord" for r in json.loads((case / "expected.json").read_text()).get("records", ())
    )


@pytest.mark.parametrize("case", sorted(p.name for p in GOLDEN.iterdir() if not refused(p)))
def test_a_golden_upload_comes_out_as_it_went_in(case: str, maker: LakeMaker, tmp_path: Path) -> None:
    before = read(FolderTree(GOLDEN / case / "upload"))
    for image in before.images.values():
        width, height = image["size"]
        image["size"] = (width or 640, height or 480)
    put(maker, "d", before, {}).get("d", tmp_path / "out", format="voc")
    after = exported(tmp_path / "out")
    assert content(after) == content(before)
    splits = {key: image["split"] for key, image in before.images.items() if image["split"]}
    assert {key: after.images[key]["split"] for key in splits} == splits


@pytest.mark.parametrize("name", ["bccd-voc", "raccoon-voc"])
def test_a_real_upload_comes_out_as_it_went_in(name: str, maker: LakeMaker, tmp_path: Path, shared_data: Path) -> None:
    tree = unzipped(shared_data / f"{name}.zip")
    before, contents = read(tree), images_of(tree)
    done = put(maker, "d", before, contents).get("d", tmp_path / "out", format="voc")
    after = exported(tmp_path / "out")
    assert done.losses == {}
    assert content(after) == content(before)
    if name == "bccd-voc":
        assert {k: i["split"] for k, i in after.images.items()} == {k: i["split"] for k, i in before.images.items()}
    assert {key: (tmp_path / "out/JPEGImages" / key).read_bytes() for key in before.images} == {
        key: contents[key] for key in before.images
    }


@given(
    x=st.integers(0, 10**7).map(lambda n: n / 1000),
    y=st.integers(0, 10**7).map(lambda n: n / 1000),
    w=st.integers(1, 10**7).map(lambda n: n / 1000),
)
def test_corners_come_back_with_the_digits_they_had(x: float, y: float, w: float) -> None:
    from imagelake.geometry.boxes import bbox_to_voc

    corners = [round(v, 3) for v in (x, y, x + w, y + w)]
    assert [float(_number(v)) for v in bbox_to_voc(voc_to_bbox(*corners))] == corners


HOSTILE = '<cat> & "dog"\n]]></object>\x00../=1'


def test_hostile_text_is_text(maker: LakeMaker, tmp_path: Path) -> None:
    maker.image(
        "d", "a&b<c>.png", b"a", split="train", attributes='{"owner":{"name":"<x>"},"bad name":"1","object":"x"}'
    )
    attributes = '{"pose":"</pose>","truncated":1,"bndbox":"x","part":["a","b"],"note":null,"seen":true}'
    maker.box("d", "a&b<c>.png", HOSTILE, (0, 0, 4, 4), attributes=attributes)
    maker.keep("d", [b"a"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    done = lake.open(str(maker.root)).get("d", tmp_path / "out", format="voc")
    (path,) = (tmp_path / "out/Annotations").iterdir()
    root = ElementTree.parse(path).getroot()
    (element,) = root.findall("object")
    assert element.findtext("name") == HOSTILE.replace("\x00", "\\u0000")
    assert element.findtext("pose") == "</pose>"
    assert element.findtext("truncated") == "1"
    assert element.findtext("seen") == "1"
    assert [part.text for part in element.findall("part")] == ["a", "b"]
    assert root.findtext("owner/name") == "<x>"
    assert (tmp_path / "out/JPEGImages" / str(root.findtext("filename"))).read_bytes() == b"a"
    assert done.losses == {
        "attributes named like elements of VOC": 2,
        "attributes whose names XML cannot hold": 1,
        "characters that XML cannot hold: their code is written": 1,
    }


def test_every_annotation_is_an_object_or_counted(maker: LakeMaker, tmp_path: Path) -> None:
    maker.image("d", "x/a.png", b"a", split="train")
    maker.image("d", "a.png", b"b", split="test", orientation=3)
    maker.image("d", "n.png", b"n", split="test", labelled=[])
    maker.box("d", "x/a.png", "cat", (1, 2, 3, 4), is_crowd=True)
    maker.box("d", "x/a.png", "cat", (1, 2, 1, 4))
    maker.box("d", "x/a.png", "cat", None, kind="class")
    maker.box("d", "a.png", "cat", (0, 0, 2, 2), kind="polygon", polygons=[[0.0, 0.0, 2.0, 0.0, 2.0, 2.0]])
    maker.box("d", "a.png", "cat", (0, 0, 2, 2), keypoints=[1.0, 1.0, 2.0])
    maker.keep("d", [b"a", b"b", b"n"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    done = lake.open(str(maker.root)).get("d", tmp_path / "out", format="voc")
    roots = [ElementTree.parse(path).getroot() for path in (tmp_path / "out/Annotations").rglob("*.xml")]
    written = sum(len(root.findall("object")) for root in roots)
    assert written + sum(n for what, n in done.losses.items() if "annotations" in what) == done.annotations == 5
    assert done.losses["crowd marks"] == done.losses["keypoints"] == 1
    assert done.losses["outlines: only their box is written"] == 1
    assert (tmp_path / "out/ImageSets/Main/train.txt").read_text() == "x/a\n"
    assert (tmp_path / "out/ImageSets/Main/test.txt").read_text() == "a\n"
    assert done.unlabelled == 1
    assert any("not turned" in note for note in done.notes)
