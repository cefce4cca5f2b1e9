"""Programs that write to one lake in a bucket at the same time: nothing is lost, and with the stock log store it is."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from tests.integration.buckets import Bucket, add_with_rust, commits, ids_of, new_bucket, reach, rust, settings
from tests.integration.racers import Racer, racing
from tests.spark import helpers

import imagelake
from imagelake.runs.context import system_clock
from imagelake.storage.open_lake import create_lake

COUNT = 50


@pytest.fixture(scope="module")
def lake(rgw_server) -> Bucket:
    """A bucket with a lake in it."""
    bucket = new_bucket(rgw_server)
    chosen = settings(bucket, "lake")
    create_lake(chosen.lake, system_clock, chosen.s3)
    return bucket


@pytest.fixture(scope="module")
def four(lake) -> Iterator[list[Racer]]:
    """Four programs that never wait for a lease."""
    hadoop = json.dumps({"spark.hadoop.fs.s3n.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"})
    with racing(
        settings(lake, "lake", "spark.master=local[1]", "lease.wait_seconds=0", f"spark.conf={hadoop}"), 4
    ) as all_:
        yield all_


@pytest.fixture(scope="module")
def two(four) -> list[Racer]:
    return four[:2]


def race(bucket: Bucket, racers: list[Racer], table: str, count: int, with_rust: int = 0) -> int:
    """Two drivers append so many rows each, and delta-rs some between them; how many commits came before its last."""
    path = table.partition(f"{bucket.name}/")[2]
    add_with_rust(bucket, path, "first")
    for racer, name in zip(racers, ("left", "right"), strict=True):
        racer.tell("append", table, name, count)
    before, held = 0, rust(bucket, path)
    for number in range(with_rust):
        while (before := len(commits(bucket, path))) < 2 + number:  # in step with the drivers
            time.sleep(0.1)
        write_deltalake(held, pa.table({"id": [f"rust-{number}"]}), mode="append")
    assert [racer.answer() for racer in racers] == ["done"] * 2
    return before


def test_two_drivers_and_a_program_without_spark_lose_nothing_to_each_other(lake, two):
    before = race(lake, two, f"s3a://{lake.name}/lake/own", COUNT, with_rust=COUNT)
    assert before < 3 * COUNT, "they ran side by side"
    names = [f"{who}-{n}" for who in ("left", "right", "rust") for n in range(COUNT)]
    assert ids_of(lake, "lake/own") == sorted(["first", *names]), "each once"
    numbers = [int(name.partition(".")[0]) for name in commits(lake, "lake/own")]
    assert numbers == list(range(3 * COUNT + 1)), "without a gap"


def test_the_same_race_with_the_stock_log_store_loses_commits(lake, two):
    """Nothing is set for s3n, so Delta takes its own. Few races end well, the longer the fewer."""
    for count in (10, COUNT, COUNT, COUNT):
        table = f"lake/stock-{uuid.uuid4().hex[:8]}"
        race(lake, two, f"s3n://{lake.name}/{table}", count)
        if len(ids_of(lake, table)) < 1 + 2 * count:
            return
    pytest.fail("nothing was lost: this race proves nothing")


def taken_by(four: list[Racer], verb: str, folder: Path) -> None:
    """Each of them takes five uploads of a dataset of its own; all of them at the same time."""
    for number, racer in enumerate(four):
        (folder / f"{verb}{number}").mkdir()
        for upload in range(5):
            files = helpers.small(2, start=100 * number + 10 * upload).files()
            helpers.write_zip(folder / f"{verb}{number}" / f"{upload}.zip", files)
        racer.tell(verb, f"{verb}{number}", str(folder / f"{verb}{number}"))
    assert [racer.answer() for racer in four] == ["done"] * 4, "nobody had to wait for the lease of another dataset"


def test_four_programs_ingest_five_uploads_each_into_one_lake(lake, four, tmp_path):
    taken_by(four, "ingest", tmp_path)
    with imagelake.open(settings(lake, "lake").lake, reach(lake.server)) as opened:
        landed = opened.sql("select dataset, sequence from uploads where state = 'landed' and dataset like 'ingest%'")
        runs = opened.sql("select run_id from runs where verb = 'ingest' and status = 'done'")
    expected = [(f"ingest{number}", sequence) for number in range(4) for sequence in range(1, 6)]
    assert sorted(landed.rows) == expected, "all of them, each once"
    assert len(runs.rows) == 4
    for table in ("bronze/uploads", "bronze/files", "bronze/blobs", "ops/runs"):
        numbers = [int(name.partition(".")[0]) for name in commits(lake, f"lake/tables/{table}")]
        assert numbers == list(range(len(numbers))), "without a gap"


@pytest.mark.nightly
def test_four_programs_take_five_uploads_each_the_whole_way(lake, four, tmp_path):
    taken_by(four, "run", tmp_path)
    with imagelake.open(settings(lake, "lake").lake, reach(lake.server)) as opened:
        for number in range(4):
            versions = opened.show(f"run{number}").as_json()["versions"]
            assert [v["version"] for v in versions] == [f"run{number}@v{n}" for n in range(1, 6)]
            assert opened.verify(f"run{number}").as_json()["images_checked"] == 10
