"""`--format webdataset`: shards that any reader of tar files takes apart."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from zoo import HOSTILE, zoo

from imagelake.client import lake as client
from imagelake.exports.layouts import webdataset
from lakes import LakeMaker


def samples_of(shard: Path) -> dict[str, dict[str, bytes]]:
    """Members by sample and suffix, as the webdataset library groups them: neighbours with one name up to the dot."""
    samples: dict[str, dict[str, bytes]] = {}
    with tarfile.open(shard) as archive:
        last = None
        for member in archive:
            key, _, suffix = member.name.partition(".")
            assert key == last or key not in samples, "the members of a sample lie together"
            samples.setdefault(key, {})[suffix] = archive.extractfile(member).read()  # type: ignore[union-attr]
            last = key
    return samples


def all_samples(out: Path) -> list[tuple[str, dict[str, Any], bytes]]:
    samples = []
    for shard in sorted(out.glob("*.tar")):
        for members in samples_of(shard).values():
            (suffix,) = members.keys() - {"json"}
            samples.append((shard.name, json.loads(members["json"]), members[suffix]))
    return samples


def test_a_sample_is_an_image_and_all_that_is_known_of_it(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    done = lake.get("zoo", tmp_path / "out", format="webdataset")
    loaded = {sample.key: sample for sample in lake.load("zoo")}
    samples = all_samples(tmp_path / "out")
    assert {document["key"] for _, document, _ in samples} == set(loaded)
    assert len(samples) == len(loaded)
    assert sum(len(document["annotations"]) for _, document, _ in samples) == done.annotations
    assert done.losses == {}
    for shard, document, data in samples:
        sample = loaded[document["key"]]
        assert shard == f"{sample.split}-000000.tar"
        assert data == sample.bytes
        assert hashlib.sha256(data).hexdigest() == document["content_hash"]
        assert (document["width"], document["height"]) == (sample.width, sample.height)
        assert document["attributes"] == sample.attributes
        assert document["oriented"] is False
        assert tuple(document["labelled"]) == sample.labelled
        for read, annotation in zip(document["annotations"], sample.annotations, strict=True):
            assert read["category"] == annotation.category
            assert read["class_index"] == annotation.class_index
            assert read.get("attributes", {}) == annotation.attributes
            assert read.get("bbox") == (None if annotation.bbox is None else list(annotation.bbox))
            assert read.get("keypoints") == (None if annotation.keypoints is None else list(annotation.keypoints))
            assert ("rle" in read, "polygons" in read) == (annotation.rle is not None, annotation.polygons is not None)
            assert read["is_crowd"] == annotation.is_crowd


def test_the_classes_keep_their_order(maker: LakeMaker, tmp_path: Path) -> None:
    zoo(maker).get("zoo", tmp_path / "out", format="webdataset")
    classes = json.loads((tmp_path / "out/classes.json").read_bytes())
    assert [(entry["index"], entry["name"]) for entry in classes] == [(0, "cat"), (1, HOSTILE), (None, "animal")]


def test_equal_content_gives_equal_bytes(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    for name in ("one", "other"):
        lake.get("zoo", tmp_path / name, format="webdataset")
    shards = sorted((tmp_path / "one").glob("*.tar"))
    assert shards
    assert all(shard.read_bytes() == (tmp_path / "other" / shard.name).read_bytes() for shard in shards)
    with tarfile.open(shards[0]) as archive:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in archive} == {(0, 0, 0, "", 0o644)}


@pytest.mark.parametrize(("limit", "value"), [("_MOST_SAMPLES", 2), ("_MOST_BYTES", 30)])
def test_shards_are_cut_by_count_and_by_size(
    limit: str, value: int, maker: LakeMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [bytes([n]) * 15 for n in range(5)]
    for n, data in enumerate(contents):
        maker.image("d", f"{n}.jpg", data, split="train")
    maker.image("d", "5.jpg", contents[0] + b"x", split="val")
    maker.keep("d", [*contents, contents[0] + b"x"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    monkeypatch.setattr(webdataset, limit, value)
    client.open(str(maker.root)).get("d", tmp_path / "out", format="webdataset")
    counts = {shard.name: len(samples_of(shard)) for shard in (tmp_path / "out").glob("*.tar")}
    assert counts == {"train-000000.tar": 2, "train-000001.tar": 2, "train-000002.tar": 1, "val-000000.tar": 1}


def test_images_with_the_same_bytes_are_samples_of_their_own(maker: LakeMaker, tmp_path: Path) -> None:
    for key in ("a.b.jpg", "a.c.JPEG", "x/a.b.jpg"):
        maker.image("d", key, b"same", split="train")
    maker.keep("d", [b"same"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    client.open(str(maker.root)).get("d", tmp_path / "out", format="webdataset")
    samples = samples_of(tmp_path / "out/train-000000.tar")
    assert len(samples) == 3
    assert sorted(sorted(members) for members in samples.values()) == [
        ["jpeg", "json"],
        ["jpg", "json"],
        ["jpg", "json"],
    ]


def test_samples_do_not_lie_in_the_order_of_their_keys(maker: LakeMaker, tmp_path: Path) -> None:
    for n in range(20):
        maker.image("d", f"{n:02}.jpg", str(n).encode(), split="train")
    maker.keep("d", [str(n).encode() for n in range(20)])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    client.open(str(maker.root)).get("d", tmp_path / "out", format="webdataset")
    documents = [document for _, document, _ in all_samples(tmp_path / "out")]
    assert [d["content_hash"] for d in documents] == sorted(d["content_hash"] for d in documents)
    assert [d["key"] for d in documents] != sorted(d["key"] for d in documents)
