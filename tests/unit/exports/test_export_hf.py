"""`--format hf`: Parquet files and a card as the Hugging Face libraries look for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from zoo import HOSTILE, zoo

from imagelake.client import lake as client
from imagelake.exports.layouts import hf_parquet
from lakes import LakeMaker


def rows_of(out: Path) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((out / "data").iterdir()):
        rows.setdefault(path.name.partition("-")[0], []).extend(pq.read_table(path).to_pylist())
    return rows


def card_of(out: Path) -> tuple[dict[str, Any], str]:
    _, head, text = (out / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(head), text


def test_a_row_is_an_image_with_its_objects_and_classes(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    done = lake.get("zoo", tmp_path / "out", format="hf")
    loaded = {sample.key: sample for sample in lake.load("zoo", oriented=True)}
    rows = {row["image_key"]: (split, row) for split, own in rows_of(tmp_path / "out").items() for row in own}
    assert rows.keys() == loaded.keys()
    written = 0
    for key, (split, row) in rows.items():
        sample = loaded[key]
        assert split == sample.split
        assert row["image"]["bytes"] == sample.bytes
        assert (row["width"], row["height"]) == (sample.width, sample.height)
        assert json.loads(row["attributes"] or "{}") == sample.attributes
        objects = [
            dict(zip(row["objects"], values, strict=True)) for values in zip(*row["objects"].values(), strict=True)
        ]
        expected = [a for a in sample.annotations if a.kind != "class"]
        for read, annotation in zip(objects, expected, strict=True):
            assert tuple(read["bbox"]) == annotation.bbox
            assert read["category"] == annotation.class_index
            assert (read["kind"], read["is_crowd"], read["area"]) == (
                annotation.kind,
                annotation.is_crowd,
                annotation.area,
            )
            assert tuple(map(tuple, read["polygons"])) == (annotation.polygons or ())
            assert (*read["mask_size"], read["mask_counts"]) == (annotation.rle or (None,))
            assert tuple(read["keypoints"]) == (annotation.keypoints or ())
            assert json.loads(read["attributes"] or "{}") == annotation.attributes
        assert row["classes"] == [a.class_index for a in sample.annotations if a.kind == "class"]
        written += len(objects) + len(row["classes"])
    assert written + sum(n for what, n in done.losses.items() if "annotations" in what) == done.annotations
    assert done.losses == {}
    assert any("as it is shown" in note for note in done.notes)


def test_the_files_say_their_features(maker: LakeMaker, tmp_path: Path) -> None:
    zoo(maker).get("zoo", tmp_path / "out", format="hf")
    schema = pq.read_schema(tmp_path / "out/data/train-00000-of-00001.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features.keys() == set(schema.names)
    assert features["image"] == {"_type": "Image"}
    assert schema.field("image").type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    label = {"_type": "ClassLabel", "names": ["cat", HOSTILE]}
    assert features["objects"]["category"] == {"_type": "Sequence", "feature": label}
    assert [field.name for field in schema.field("objects").type] == list(features["objects"])


def test_the_card_names_files_features_and_counts(maker: LakeMaker, tmp_path: Path) -> None:
    zoo(maker).get("zoo", tmp_path / "out", format="hf")
    head, text = card_of(tmp_path / "out")
    (config,) = head["configs"]
    assert {entry["split"]: entry["path"] for entry in config["data_files"]} == {
        "train": "data/train-*",
        "val": "data/val-*",
        "test": "data/test-*",
    }
    assert {entry["name"]: entry["num_examples"] for entry in head["dataset_info"]["splits"]} == {
        "train": 2,
        "val": 2,
        "test": 1,
    }
    (objects,) = [entry for entry in head["dataset_info"]["features"] if entry["name"] == "objects"]
    (category,) = [entry for entry in objects["struct"] if entry["name"] == "category"]
    assert category["sequence"]["class_label"]["names"] == {"0": "cat", "1": HOSTILE}
    assert head["pretty_name"] == "The <zoo>"
    assert "<zoo>" not in text


def test_files_and_row_groups_are_bounded(maker: LakeMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [bytes([n]) * 10 for n in range(7)]
    for n, data in enumerate(contents):
        maker.image("d", f"{n}.jpg", data, split="train")
    maker.keep("d", contents)
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    monkeypatch.setattr(hf_parquet, "_FILE_BYTES", 45)
    monkeypatch.setattr(hf_parquet, "_ROW_GROUP_BYTES", 15)
    client.open(str(maker.root)).get("d", tmp_path / "out", format="hf")
    files = [pq.ParquetFile(path) for path in sorted((tmp_path / "out/data").iterdir())]
    groups = [[file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] for file in files]
    assert groups == [[2, 2], [2, 1]]
    keys = [row["image_key"] for row in rows_of(tmp_path / "out")["train"]]
    assert keys == [f"{n}.jpg" for n in range(7)]


def test_splits_have_names_that_the_hub_takes(maker: LakeMaker, tmp_path: Path) -> None:
    for n, split in enumerate(["fold-1", "fold_1", "../x", "=a b"]):
        maker.image("d", f"{n}.jpg", str(n).encode(), split=split)
    maker.keep("d", [str(n).encode() for n in range(4)])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    client.open(str(maker.root)).get("d", tmp_path / "out", format="hf")
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 4
    assert all(split.replace("_", "").isalnum() for split in rows)
    assert sum(map(len, rows.values())) == 4
