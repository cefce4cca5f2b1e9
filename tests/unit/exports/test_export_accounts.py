"""No annotation is lost without a count: in every format those that come in are written or counted."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from menagerie import menagerie
from zoo import zoo

from imagelake.exports.formats import NAMES
from lakes import LakeMaker


def in_coco(out: Path) -> int:
    return sum(len(json.loads(path.read_bytes())["annotations"]) for path in (out / "annotations").iterdir())


def in_rows(out: Path) -> int:
    return sum(len(path.read_text("ascii").splitlines()) for path in out.rglob("*.txt"))


def in_voc(out: Path) -> int:
    return sum(len(ElementTree.parse(path).findall("object")) for path in (out / "Annotations").rglob("*.xml"))


def in_folders(out: Path) -> int:
    """An image in a folder stands for the annotation that says its class."""
    return sum(path.is_file() for path in out.glob("*/*/*"))


def in_shards(out: Path) -> int:
    count = 0
    for shard in out.glob("*.tar"):
        with tarfile.open(shard) as archive:
            documents = [archive.extractfile(m) for m in archive.getmembers() if m.name.endswith(".json")]
            count += sum(len(json.loads(document.read())["annotations"]) for document in documents if document)
    return count


def in_hf(out: Path) -> int:
    rows = [row for path in (out / "data").iterdir() for row in pq.read_table(path).to_pylist()]
    return sum(len(row["classes"]) + len(row["objects"]["bbox"]) for row in rows)


def in_tasks(out: Path) -> int:
    """The regions of one annotation share the beginning of their ids."""
    results = [
        (task["data"]["image_key"], result["id"].partition("_")[0])
        for task in json.loads((out / "tasks.json").read_bytes())
        for annotation in task["annotations"]
        for result in annotation["result"]
    ]
    return len(set(results))


def in_cvat(out: Path) -> int:
    """The elements of one annotation are a group."""
    count = 0
    for image in ElementTree.parse(out / "annotations.xml").getroot().findall("image"):
        groups = [element.get("group_id") for element in list(image)[1:]]
        count += groups.count(None) + len(set(groups) - {None})
    return count


def in_tables(out: Path) -> int:
    tables = [out / name for name in ("objects.parquet", "classes.parquet")]
    return sum(pq.read_metadata(path).num_rows for path in tables if path.exists())


COUNTS: dict[str, Callable[[Path], int]] = {
    "files": lambda out: 0,
    "coco": in_coco,
    "yolo": in_rows,
    "yolo-segment": in_rows,
    "yolo-pose": in_rows,
    "voc": in_voc,
    "imagefolder": in_folders,
    "webdataset": in_shards,
    "hf": in_hf,
    "labelstudio": in_tasks,
    "cvat": in_cvat,
    "croissant": in_tables,
    "parquet": lambda out: pq.read_metadata(out / "annotations.parquet").num_rows,
}


def test_every_format_is_counted() -> None:
    assert COUNTS.keys() == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_annotations_are_written_or_counted(name: str, seed: int, maker: LakeMaker, tmp_path: Path) -> None:
    done = menagerie(maker, seed).get("d", tmp_path / "out", format=name)
    lost = sum(count for what, count in done.losses.items() if "annotations" in what)
    assert done.annotations > 60
    assert COUNTS[name](tmp_path / "out") + lost == done.annotations


@pytest.mark.parametrize("name", NAMES)
def test_those_of_a_lake_of_every_kind_too(name: str, maker: LakeMaker, tmp_path: Path) -> None:
    done = zoo(maker).get("zoo", tmp_path / "out", format=name)
    lost = sum(count for what, count in done.losses.items() if "annotations" in what)
    assert COUNTS[name](tmp_path / "out") + lost == done.annotations == 7
