"""References name the same version in Spark as in the client; tables of one's own lie as they were asked to."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from tests.unit.documents import ROOT, blocks

from imagelake.client import lake
from imagelake.errors import IntegrityError, NotFound, UsageError
from imagelake.spark import Lakehouse
from lakes import LakeMaker
from pet_lake import Pets


@pytest.fixture
def pets(tmp_path: Path) -> Pets:
    return Pets(LakeMaker(tmp_path / "lake"))


def test_a_snapshot_is_what_the_client_reads(spark: SparkSession, pets: Pets) -> None:
    pets.maker.image("pets", "new.png", split="test")
    pets.maker.image("pets", "a.png", pets.bytes["a2"], width=8, height=6, split="test")
    pets.maker.deliver("pets")
    pets.maker.state("pets", 3, "retired")
    pets.maker.flush()
    lakehouse, reader = Lakehouse(spark, os.fspath(pets.maker.root)), lake.open(str(pets.maker.root))
    for ref in ("pets", "pets@v1", "pets@best", "pets@draft"):
        snapshot = lakehouse.snapshot(ref)
        splits = reader.sql("select image_key, split from splits order by 1", at=ref).rows
        assert (
            tuple((row["image_key"], row["split"]) for row in snapshot.splits.orderBy("image_key").collect()) == splits
        )
        assert snapshot.images.count() == len(splits)
    assert ("new.png", "unassigned") in splits
    with pytest.raises(NotFound, match="retired"):
        lakehouse.snapshot("pets@v3")
    with pytest.raises(NotFound, match="no version pets@v9"):
        lakehouse.snapshot("pets@v9")
    with pytest.raises(IntegrityError):
        lakehouse.snapshot("pets@v1#d1:" + "0" * 64)


def _files(root: Path) -> list[dict[str, Any]]:
    """What Delta's log says of each file of silver.features."""
    table = DeltaTable(str(root / "tables/own/silver/features"))
    return sorted(pa.table(table.get_add_actions(flatten=True)).to_pylist(), key=lambda file: file["path"])


@pytest.mark.nightly
def test_own_tables_are_partitioned_as_the_first_write_said(spark: SparkSession, pets: Pets) -> None:
    lakehouse = Lakehouse(spark, os.fspath(pets.maker.root))
    frame = spark.createDataFrame([("a", "x", 1), ("b", "y", 2)], "image_key string, day string, n int")
    lakehouse.write_silver("features", frame, partition_by="day")
    assert {file["partition.day"] for file in _files(pets.maker.root)} == {"x", "y"}
    lakehouse.write_silver("features", frame)
    lakehouse.write_silver("features", frame, "overwrite", partition_by=["day"])
    assert lakehouse.read("silver", "features").count() == 2
    with pytest.raises(UsageError, match=r"silver\.features is partitioned by day, not by day, n"):
        lakehouse.write_silver("features", frame, partition_by=["day", "n"])
    with pytest.raises(UsageError, match="partition_by: the frame has no column hour"):
        lakehouse.write_silver("other", frame, partition_by=["hour"])
    with pytest.raises(UsageError, match="cluster_by: the frame has no column hour"):
        lakehouse.write_silver("other", frame, cluster_by=["hour"])


@pytest.mark.nightly
def test_clustered_rows_lie_in_files_of_their_ranges(spark: SparkSession, pets: Pets) -> None:
    lakehouse = Lakehouse(spark, os.fspath(pets.maker.root))
    rows = [(f"{n * 7919 % 1000:03}", "xy"[n % 2], n) for n in range(1000)]
    frame = spark.createDataFrame(rows, "image_key string, day string, n int").repartition(4)
    adaptive = "spark.sql.adaptive.coalescePartitions.enabled"  # so few rows would be put into one file
    before = spark.conf.get(adaptive)
    spark.conf.set(adaptive, "false")
    try:
        lakehouse.write_silver("features", frame, partition_by=["day"], cluster_by=["image_key"])
        first = _files(pets.maker.root)
        lakehouse.write_silver("features", frame, cluster_by=["image_key"])
    finally:
        spark.conf.set(adaptive, before)
    assert lakehouse.read("silver", "features").count() == 2000
    second = [file for file in _files(pets.maker.root) if file not in first]
    for files in (first, second):
        assert {file["partition.day"] for file in files} == {"x", "y"}
        assert len(files) < 8, "no more files than ranges and folders"
        for day in "xy":
            bounds = sorted((f["min.image_key"], f["max.image_key"]) for f in files if f["partition.day"] == day)
            assert all(left[1] < right[0] for left, right in pairwise(bounds)), "a key lies in one file"
    for file in (*first, *second):
        data = pq.read_table(pets.maker.root / "tables/own/silver/features" / str(file["path"]), partitioning=None)
        assert data["image_key"].to_pylist() == sorted(data["image_key"].to_pylist())


@pytest.mark.nightly
def test_spark_reads_snapshots_and_only_the_folders_it_needs(spark: SparkSession, pets: Pets, tmp_path: Path) -> None:
    made = pets.lake.snapshot("pets")
    rows = spark.read.parquet(made.images).orderBy("image_key").select("image_key", "split", "labelled").collect()
    expected = pets.lake.sql("select image_key, split, labelled from images order by 1", at="pets").rows
    assert tuple((row.image_key, row.split, row.labelled) for row in rows) == expected
    pets.maker.box("pets", "c.png", "big/dog: 50%", (0, 0, 1, 1))
    pets.maker.deliver("pets")
    pets.maker.publish("pets")
    pets.maker.flush()
    pets.lake.get("pets", tmp_path / "out", format="parquet", partition_by="split,category")
    annotations = spark.read.parquet(str(tmp_path / "out" / "annotations"))
    one = annotations.where("split = 'train' AND category = 'big/dog: 50%'")
    assert [row.image_key for row in one.collect()] == ["c.png"]
    assert annotations.count() == 5
    for path in (tmp_path / "out" / "annotations").rglob("*.parquet"):
        if "big%2Fdog" not in path.as_posix():
            path.write_bytes(b"not to be opened")
    assert [row.image_key for row in one.collect()] == ["c.png"]


@pytest.mark.nightly
def test_the_example_of_the_page_runs(spark: SparkSession, pets: Pets, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [block for block in blocks(ROOT / "docs" / "snapshots.md", "python") if "spark.read" in block]
    exec(code, {"spark": spark, "snapshot": pets.lake.snapshot("pets@v3")})
    shown = re.findall(r"\|\s*(\w+)\|\s*(\d+)\|", capsys.readouterr().out)
    assert sorted(shown) == [("bird", "1"), ("cat", "1"), ("dog", "1")]
