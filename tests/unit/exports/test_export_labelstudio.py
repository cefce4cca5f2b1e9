"""`--format labelstudio`: tasks in percents of the shown image, with what leads back to the lake."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest
from zoo import HOSTILE, zoo

from imagelake.client.delta.tables import Tables
from imagelake.config.settings import S3Settings
from imagelake.exports import image_urls
from imagelake.exports.export_content import content_of
from imagelake.exports.folder import ExportFolder
from imagelake.exports.layouts.labelstudio import LabelStudio
from imagelake.storage.s3.bucket_storage import S3Storage
from lakes import LakeMaker


def tasks_of(out: Path) -> dict[str, dict[str, Any]]:
    tasks = json.loads((out / "tasks.json").read_text("ascii"))
    by_key = {task["data"]["image_key"]: task for task in tasks}
    assert len(by_key) == len(tasks)
    return by_key


def regions(task: dict[str, Any]) -> list[dict[str, Any]]:
    (annotation,) = task["annotations"]
    return annotation["result"]


def test_a_task_leads_back_to_its_image(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    done = lake.get("zoo", tmp_path / "out", format="labelstudio")
    samples = lake.load("zoo", unlabelled=True)
    tasks = tasks_of(tmp_path / "out")
    hashes = dict(zip(samples.rows["image_key"].to_pylist(), samples.rows["content_hash"].to_pylist(), strict=True))
    assert {key: task["data"]["content_hash"] for key, task in tasks.items()} == hashes
    loaded = {sample.key: sample for sample in samples}
    for key, task in tasks.items():
        name = unquote(task["data"]["image"].removeprefix("/data/local-files/?d="))
        assert (tmp_path / "out" / name).read_bytes() == loaded[key].bytes
        assert task["data"]["split"] == loaded[key].split
    assert any("LOCAL_FILES_DOCUMENT_ROOT" in note for note in done.notes)


def test_unlabelled_images_have_no_annotation_and_empty_ones_an_empty_one(maker: LakeMaker, tmp_path: Path) -> None:
    done = zoo(maker).get("zoo", tmp_path / "out", format="labelstudio")
    tasks = tasks_of(tmp_path / "out")
    assert tasks["new.png"]["annotations"] == []
    assert tasks["none.png"]["annotations"] == [{"result": []}]
    assert done.unlabelled == 0


def test_percents_are_those_of_the_shown_image(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    lake.get("zoo", tmp_path / "out", format="labelstudio")
    loaded = {sample.key: sample for sample in lake.load("zoo", oriented=True)}
    checked = 0
    for key, task in tasks_of(tmp_path / "out").items():
        sample = loaded.get(key)
        if sample is None:
            continue
        boxes = [a.bbox for a in sample.annotations if a.kind == "box"]
        outlines = [part for a in sample.annotations for part in a.polygons or ()]
        points = [p for a in sample.annotations for p in zip(*[iter(a.keypoints or ())] * 3, strict=True) if p[2]]
        width, height = sample.width, sample.height
        for region in regions(task):
            value = region["value"]
            if region["type"] != "choices":
                assert (region["original_width"], region["original_height"]) == (width, height)
            if region["type"] == "rectanglelabels":
                sides = (value["x"] * width, value["y"] * height, value["width"] * width, value["height"] * height)
                assert tuple(side / 100 for side in sides) == pytest.approx(boxes.pop(0))
            elif region["type"] == "polygonlabels":
                pixels = [
                    v * side / 100 for point in value["points"] for v, side in zip(point, (width, height), strict=True)
                ]
                assert pixels == pytest.approx(outlines.pop(0))
            elif region["type"] == "keypointlabels":
                x, y, _ = points.pop(0)
                assert (value["x"] * width / 100, value["y"] * height / 100) == pytest.approx((x, y))
                assert region["parentID"] in {other["id"] for other in regions(task)}
            checked += 1
        assert not boxes
        assert not outlines
        assert not points
    assert checked == 3 + 3 + 2 + 1


def test_every_annotation_is_a_region_or_counted(maker: LakeMaker, tmp_path: Path) -> None:
    done = zoo(maker).get("zoo", tmp_path / "out", format="labelstudio")
    results = [r for task in tasks_of(tmp_path / "out").values() if task["annotations"] for r in regions(task)]
    ids = [(r["type"], r["id"]) for r in results]
    objects = [r for r in results if "_" not in r["id"]]
    assert len(objects) + sum(n for what, n in done.losses.items() if "annotations" in what) == done.annotations
    assert len(ids) == 9
    assert done.losses["outlines of several parts: each part is a region"] == 1
    assert done.losses["annotations that are masks (RLE): Label Studio's brush has run lengths of its own"] == 1
    for task in tasks_of(tmp_path / "out").values():
        own = [r["id"] for a in task["annotations"] for r in a["result"]]
        assert len(own) == len(set(own))


def test_the_interface_knows_every_label_that_tasks_use(maker: LakeMaker, tmp_path: Path) -> None:
    zoo(maker).get("zoo", tmp_path / "out", format="labelstudio")
    view = ElementTree.parse(tmp_path / "out/config.xml").getroot()
    labels = {
        tool.get("name"): [label.get("value") for label in tool] for tool in view if tool.get("toName") == "image"
    }
    assert labels["rectangle"] == labels["polygon"] == labels["class"] == ["cat", HOSTILE]
    assert labels["keypoint"] == ["1", "2", "3"]
    for task in tasks_of(tmp_path / "out").values():
        for result in (r for a in task["annotations"] for r in a["result"]):
            (used,) = result["value"]["choices" if result["type"] == "choices" else result["type"]]
            assert used in labels[result["from_name"]]


def test_images_of_a_bucket_are_urls(maker: LakeMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-0123456789")
    lake = zoo(maker, codec="object")
    content = content_of(lake.storage, lake.load("zoo", unlabelled=True, oriented=True))
    bucket = S3Storage("bucket", "lake", S3Settings(endpoint="http://127.0.0.1:9", region="eu-west-1"))
    monkeypatch.setattr(image_urls, "Tables", lambda storage: Tables(lake.storage))
    folder = ExportFolder(tmp_path / "out", lambda done, total: None)
    folder.root.mkdir()
    LabelStudio().write(replace(content, samples=replace(content.samples, storage=bucket)), folder)
    tasks = tasks_of(tmp_path / "out")
    assert len(tasks) == 6
    for task in tasks.values():
        url, content_hash = urlsplit(task["data"]["image"]), task["data"]["content_hash"]
        assert url.path == f"/bucket/lake/blobs/obj/{content_hash[:2]}/{content_hash}"
        assert parse_qs(url.query)["X-Amz-Expires"] == ["604800"]
    assert not (tmp_path / "out/images").exists()
    assert any("whoever has them" in note for note in folder.notes)
    assert not any("X-Amz" in note for note in folder.notes)
