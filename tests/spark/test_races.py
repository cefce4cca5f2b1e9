"""Writers at the same time: no work is lost, no number given twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from tests.spark import helpers

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.runs import pipeline
from imagelake.runs.context import system_clock
from imagelake.storage.open_lake import create_lake
from imagelake.tables import bronze, gold, ops, silver
from imagelake.tables.delta.store import DeltaStore

ROOT = Path(__file__).parents[2]
ROUNDS = 4


def driver(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.spark.driver", *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.nightly
def test_two_publishers_without_a_lease_give_each_number_once(spark, tmp_path):
    lake = tmp_path / "lake"
    ctx = helpers.begun(spark, lake)
    both = [driver("publish", lake, "pets", ROUNDS, name) for name in ("left", "right")]
    outputs = [process.communicate(timeout=400)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    rows = ctx.tables.collect(gold.VERSIONS, "pets")
    numbers = sorted(r["number"] for r in rows)
    assert numbers == list(range(1, len(numbers) + 1))
    assert {r["author"] for r in rows} >= {"left", "right"}
    ids = {r["publish_id"] for r in rows}
    names = Counter(r["name"] for r in ctx.tables.collect(gold.CATEGORY_LOG, "pets") if r["publish_id"] in ids)
    assert max(names.values()) == 1
    assert len(names) == 2 + 2 * ROUNDS


@pytest.mark.nightly
def test_four_datasets_build_at_once_and_none_has_to_try_again(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")

    def whole_way(number: int) -> str:
        session = spark.newSession()
        own = replace(helpers.again(ctx), spark=session, tables=DeltaStore(session, ctx.storage, ctx.settings.delta))
        files = helpers.small(2, start=10 * number).files()
        upload = helpers.write_zip(tmp_path / f"{number}.zip", files)
        return pipeline.run_upload(own, IngestRequest(f"set{number}", str(upload))).status

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(whole_way, range(4))) == ["accepted"] * 4
    assert sorted(Counter(r["dataset"] for r in ctx.tables.collect(silver.IMAGES)).values()) == [2, 2, 2, 2]


def test_programs_that_open_a_new_lake_at_once_all_find_its_tables(spark, tmp_path):
    chosen = helpers.settings(tmp_path / "lake")
    lake = create_lake(chosen.lake, system_clock)
    ready = Barrier(4)

    def open_tables(_: int) -> int:
        tables = DeltaStore(spark.newSession(), lake.storage, chosen.delta)
        ready.wait()
        tables.ensure(bronze.UPLOADS, ops.RUNS)
        return len(tables.collect(bronze.UPLOADS))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(open_tables, range(4))) == [0] * 4


def test_what_a_program_left_that_died_while_it_made_a_table_is_in_nobodys_way(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")
    begun = tmp_path / "lake" / bronze.UPLOADS.path
    shutil.rmtree(begun)
    (begun / "_delta_log").mkdir(parents=True)
    (begun / "_delta_log" / f".{0:020d}.json.1f2e.tmp").write_text("{")
    ctx.tables.ensure(bronze.UPLOADS)
    assert ctx.tables.collect(bronze.UPLOADS) == []


@pytest.mark.nightly
def test_a_builder_that_slept_past_its_lease_does_not_overwrite_newer_labels(spark, tmp_path):
    lake = tmp_path / "lake"
    a = helpers.small(3)
    ctx = helpers.begun(spark, lake)
    for name, x in (("old", 11.0), ("new", 22.0)):
        labels = replace(a, boxes={n: [("cat", (x, 1.0, 5.0, 5.0))] for n in a.boxes})
        (tmp_path / f"{name}.json").write_text(json.dumps(labels.document()))
    sleeper = driver("run", lake, "pets", tmp_path / "old.json", "build:rows", "pause")
    wait_until_stopped(sleeper.pid)
    try:
        report = pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(tmp_path / "new.json")))
        assert report.status == "accepted"
    finally:
        os.kill(sleeper.pid, signal.SIGCONT)
    output = sleeper.communicate(timeout=120)[0]
    assert sleeper.returncode == 5, output
    labels = ctx.tables.collect(silver.ANNOTATIONS, "pets")
    assert {r["bbox"]["x"] for r in labels} == {22.0}
    assert imagelake.open(str(lake)).verify("pets").as_json()["ok"]


def wait_until_stopped(pid: int) -> None:
    for _ in range(900):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return
        time.sleep(0.1)
    raise AssertionError("the builder never reached its boundary")
