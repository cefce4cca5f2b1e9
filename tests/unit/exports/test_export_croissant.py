"""`--format croissant`: the description says what lies beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from zoo import HOSTILE, zoo

from imagelake.client import lake as client
from imagelake.exports.layouts.croissant.tables import CLASSES, IMAGES, OBJECTS
from lakes import LakeMaker


def described(out: Path) -> dict[str, Any]:
    return json.loads((out / "croissant.json").read_text("ascii"))


def table(out: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(out / name).to_pylist()


def references(value: Any) -> Iterator[str]:
    """Every {"@id": …} in a document that is nothing but a reference."""
    if isinstance(value, dict):
        if value.keys() == {"@id"}:
            yield value["@id"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_files_are_those_of_their_sums(maker: LakeMaker, tmp_path: Path) -> None:
    zoo(maker).get("zoo", tmp_path / "out", format="croissant")
    objects = [d for d in described(tmp_path / "out")["distribution"] if d["@type"] == "cr:FileObject"]
    assert {d["@id"] for d in objects} == {"images.parquet", "objects.parquet", "classes.parquet"}
    for entry in objects:
        data = (tmp_path / "out" / entry["contentUrl"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        assert entry["contentSize"] == f"{len(data)} B"


def test_fields_are_the_columns_of_their_files(maker: LakeMaker, tmp_path: Path) -> None:
    zoo(maker).get("zoo", tmp_path / "out", format="croissant")
    document = described(tmp_path / "out")
    sets = {record_set["@id"]: record_set for record_set in document["recordSet"]}
    for name in ("images", "objects", "classes"):
        columns = [field["source"]["extract"]["column"] for field in sets[name]["field"]]
        assert columns == pq.read_schema(tmp_path / "out" / f"{name}.parquet").names
        assert [field["@id"] for field in sets[name]["field"]] == [f"{name}/{column}" for column in columns]
        lists = {f.name for f in pq.read_schema(tmp_path / "out" / f"{name}.parquet") if str(f.type).startswith("list")}
        assert {field["name"] for field in sets[name]["field"] if field.get("repeated")} == lists
    ids = [d["@id"] for d in document["distribution"]] + list(sets)
    ids += [field["@id"] for record_set in sets.values() for field in record_set["field"]]
    assert len(ids) == len(set(ids))
    assert set(references(document["recordSet"])) <= set(ids), "every reference leads somewhere"


def test_types_are_those_of_croissant(maker: LakeMaker, tmp_path: Path) -> None:
    zoo(maker).get("zoo", tmp_path / "out", format="croissant")
    document = described(tmp_path / "out")
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert document["@context"]["conformsTo"] == "dct:conformsTo"
    types = {f["@id"]: f["dataType"] for record_set in document["recordSet"] for f in record_set["field"]}
    assert types["objects/bbox"] == "cr:BoundingBox"
    assert "cr:SegmentationMask" in types["objects/polygons"]
    assert "cr:Label" in types["objects/category"]
    assert "cr:Split" in types["images/split"]
    assert types["files/content"] == "sc:ImageObject"
    (bbox,) = [f for s in document["recordSet"] for f in s["field"] if f["@id"] == "objects/bbox"]
    assert bbox["source"]["format"] == "XYWH"
    sets = {record_set["@id"]: record_set for record_set in document["recordSet"]}
    urls = {row["splits/name"]: row["splits/url"] for row in sets["splits"]["data"]}
    assert urls == {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}
    assert [row["categories/name"] for row in sets["categories"]["data"]] == ["cat", HOSTILE, "animal"]


def test_the_description_names_the_version(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    done = lake.get("zoo", tmp_path / "out", format="croissant")
    document = described(tmp_path / "out")
    assert document["name"] == "The <zoo>"
    assert document["version"] == "1.1.0"
    assert document["license"] == "CC-BY-4.0"
    assert document["datePublished"].startswith("2026-")
    assert done.ref in document["citeAs"]
    lake.get("zoo@draft", tmp_path / "draft", format="croissant")
    assert described(tmp_path / "draft")["version"] == "0.0.0-draft"


def test_rows_say_what_the_lake_knows(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    done = lake.get("zoo", tmp_path / "out", format="croissant")
    loaded = {sample.key: sample for sample in lake.load("zoo", unlabelled=True)}
    images = {row["image_key"]: row for row in table(tmp_path / "out", "images.parquet")}
    assert images.keys() == loaded.keys()
    for key, row in images.items():
        sample = loaded[key]
        assert (tmp_path / "out" / row["path"]).read_bytes() == sample.bytes
        assert hashlib.sha256(sample.bytes).hexdigest() == row["content_hash"]
        assert (row["width"], row["height"], row["split"]) == (sample.width, sample.height, sample.split)
        assert tuple(row["labelled"]) == sample.labelled
        assert json.loads(row["attributes"] or "{}") == sample.attributes
    objects, classes = table(tmp_path / "out", "objects.parquet"), table(tmp_path / "out", "classes.parquet")
    expected = [(s.key, a) for s in loaded.values() for a in s.annotations if a.kind != "class"]
    for row, (key, annotation) in zip(objects, expected, strict=True):
        assert (row["image_key"], row["kind"], row["category"]) == (key, annotation.kind, annotation.category)
        assert tuple(map(float, row["bbox"].split(" "))) == annotation.bbox
        parts = [[float(v) for pair in part.split(" ") for v in pair.split(",")] for part in row["polygons"]]
        assert parts == [list(part) for part in annotation.polygons or ()]
        rle = (row["mask_height"], row["mask_width"], row["mask_counts"])
        assert rle == (annotation.rle or (None, None, None))
        assert tuple(row["keypoints"]) == (annotation.keypoints or ())
        assert (row["area"], row["is_crowd"]) == (annotation.area, annotation.is_crowd)
        assert json.loads(row["attributes"] or "{}") == annotation.attributes
    assert [(row["image_key"], row["category"]) for row in classes] == [("=1+1 & 'x'.png", HOSTILE)]
    lost = sum(count for what, count in done.losses.items() if "annotations" in what)
    assert len(objects) + len(classes) + lost == done.annotations == 7
    assert done.unlabelled == 0


def test_tables_that_would_be_empty_are_not_there(maker: LakeMaker, tmp_path: Path) -> None:
    maker.image("d", "a.jpg", b"a", split="train")
    maker.keep("d", [b"a"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    client.open(str(maker.root)).get("d", tmp_path / "out", format="croissant")
    document = described(tmp_path / "out")
    assert {d["@id"] for d in document["distribution"]} == {"images.parquet", "image-files"}
    assert {s["@id"] for s in document["recordSet"]} == {"splits", "categories", "files", "images"}


def test_every_column_is_declared_once() -> None:
    for one in (IMAGES, OBJECTS, CLASSES):
        names = [column.name for column in one.columns]
        assert len(names) == len(set(names))
