"""`--format cvat`: shapes and tags as CVAT reads them, with what leads back to the lake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo import HOSTILE, zoo

from imagelake.client import lake as client
from imagelake.errors import IntegrityError
from imagelake.exports.layouts.cvat.masks import row_mask
from imagelake.geometry.run_lengths import write_runs
from lakes import LakeMaker


def images_of(out: Path) -> dict[str, Element]:
    root = ElementTree.parse(out / "annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    images = {attributes_of(image.findall("tag")[0])["image_key"]: image for image in root.findall("image")}
    assert len(images) == len(root.findall("image"))
    return images


def attributes_of(element: Element) -> dict[str, Any]:
    return {str(a.get("name")): a.text or "" for a in element.findall("attribute")}


def shapes_of(image: Element) -> list[Element]:
    """The shapes and tags of an image but for the one that leads back to the lake."""
    return [element for element in image if element is not image.findall("tag")[0]]


def points_of(element: Element) -> list[float]:
    return [float(value) for pair in str(element.get("points")).split(";") for value in pair.split(",")]


def test_the_tag_of_an_image_leads_back_to_the_lake(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    done = lake.get("zoo", tmp_path / "out", format="cvat")
    loaded = {sample.key: sample for sample in lake.load("zoo", unlabelled=True, oriented=True)}
    hashes = {
        key: content_hash
        for key, content_hash in zip(
            *(lake.load("zoo", unlabelled=True).rows[c].to_pylist() for c in ("image_key", "content_hash")), strict=True
        )
    }
    images = images_of(tmp_path / "out")
    assert images.keys() == loaded.keys()
    for key, image in images.items():
        sample, attributes = loaded[key], attributes_of(image.findall("tag")[0])
        assert image.findall("tag")[0].get("label") == "imagelake"
        assert attributes["content_hash"] == hashes[key]
        assert attributes["split"] == sample.split
        assert attributes["labelled"] == (",".join(sample.labelled) or "-")
        assert json.loads(attributes["attributes"]) == sample.attributes
        assert (tmp_path / "out/images" / str(image.get("name"))).read_bytes() == sample.bytes
        assert (int(str(image.get("width"))), int(str(image.get("height")))) == (sample.width, sample.height)
    assert done.unlabelled == 0


def test_shapes_are_those_of_the_shown_image(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    lake.get("zoo", tmp_path / "out", format="cvat")
    images = images_of(tmp_path / "out")
    for sample in lake.load("zoo", oriented=True):
        shapes = shapes_of(images[sample.key])
        boxes = [[float(str(s.get(side))) for side in ("xtl", "ytl", "xbr", "ybr")] for s in shapes if s.tag == "box"]
        expected = [a for a in sample.annotations if a.kind == "box" and a.bbox]
        assert [pytest.approx(box) for box in boxes] == [
            (x, y, x + w, y + h) for x, y, w, h in (a.bbox for a in expected if a.bbox)
        ]
        polygons = [points_of(s) for s in shapes if s.tag == "polygon"]
        assert polygons == [list(part) for a in sample.annotations for part in a.polygons or ()]
        points = [v for s in shapes if s.tag == "points" for v in points_of(s)]
        triples = [p for a in sample.annotations for p in zip(*[iter(a.keypoints or ())] * 3, strict=True)]
        assert points == [v for x, y, seen in triples if seen for v in (x, y)]


def test_every_annotation_is_an_element_or_counted(maker: LakeMaker, tmp_path: Path) -> None:
    done = zoo(maker).get("zoo", tmp_path / "out", format="cvat")
    groups: set[tuple[str, str]] = set()
    alone = 0
    for key, image in images_of(tmp_path / "out").items():
        for shape in shapes_of(image):
            assert shape.get("label") in ("cat", HOSTILE)
            if shape.get("group_id"):
                groups.add((key, str(shape.get("group_id"))))
            else:
                alone += 1
    assert alone + len(groups) == done.annotations == 7
    assert len({group for _, group in groups}) == len(groups)
    assert not any("annotations" in what for what in done.losses)


def test_attributes_are_declared_and_written(maker: LakeMaker, tmp_path: Path) -> None:
    maker.image("d", "a.png", b"a", split="train")
    nested = '{"attributes":{"occluded":true,"colour":"</red>"},"score":0.5,"id_list":[1,2]}'
    maker.box("d", "a.png", "cat", (0, 0, 2, 2), attributes=nested)
    maker.box("d", "a.png", "cat", (0, 0, 3, 3), is_crowd=True, attributes='{"occluded":0,"bad\\u0000":"x"}')
    maker.keep("d", [b"a"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    done = client.open(str(maker.root)).get("d", tmp_path / "out", format="cvat")
    (image,) = images_of(tmp_path / "out").values()
    by_size = {shape.get("xbr"): shape for shape in shapes_of(image)}
    assert by_size["2"].get("occluded") == "1"
    assert attributes_of(by_size["2"]) == {"colour": "</red>", "score": "0.5", "id_list": "[1, 2]"}
    assert by_size["3"].get("occluded") == "0"
    assert attributes_of(by_size["3"]) == {"is_crowd": "true", "bad\\u0000": "x"}
    root = ElementTree.parse(tmp_path / "out/annotations.xml").getroot()
    labels = {
        label.findtext("name"): [a.findtext("name") for a in label.iter("attribute")] for label in root.iter("label")
    }
    assert labels["cat"] == ["bad\\u0000", "colour", "id_list", "is_crowd", "score"]
    assert done.losses == {"characters that XML cannot hold: their code is written": 2}


def test_the_tag_takes_no_class_for_itself(maker: LakeMaker, tmp_path: Path) -> None:
    maker.image("d", "a.png", b"a", split="train", labelled=["class"])
    maker.box("d", "a.png", "imagelake", None, kind="class")
    maker.keep("d", [b"a"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    client.open(str(maker.root)).get("d", tmp_path / "out", format="cvat")
    (image,) = images_of(tmp_path / "out").values()
    assert [tag.get("label") for tag in image.findall("tag")] == ["imagelake_", "imagelake"]


MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda side: st.lists(st.integers(0, 1), min_size=side[0] * side[1], max_size=side[0] * side[1]).map(
        lambda bits: np.array(bits, np.uint8).reshape(side)
    )
)


@given(mask=MASKS)
def test_a_mask_covers_the_same_pixels_row_by_row(mask: Any) -> None:
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, len(flat)]).tolist()
    counts = write_runs([0, *runs] if flat[0] else runs)
    cut = row_mask((mask.shape[0], mask.shape[1], counts))
    drawn = np.zeros_like(mask)
    if cut is not None:
        inside = np.repeat(np.arange(len(cut.runs)) % 2, cut.runs).reshape(cut.height, cut.width)
        drawn[cut.top : cut.top + cut.height, cut.left : cut.left + cut.width] = inside
        assert inside[0].any(), "no row or column is for nothing"
        assert inside[-1].any()
        assert inside[:, 0].any()
        assert inside[:, -1].any()
    assert (drawn == mask).all()


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(IntegrityError, match="covers 12 pixels of an image of 5 x 3"):
        row_mask((3, 5, write_runs([6, 6])))
