"""Commits of a Delta log in a bucket: from any number of writers, each is there, once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from tests.integration.buckets import FAULTS, Bucket, settings
from tests.servers.faults import Fault, proxy

from imagelake.session import open_session

pytestmark = pytest.mark.nightly  # not yet proven to end on every machine

ROOT = Path(__file__).parents[2]
RUNS = 20


@pytest.fixture
def between(rgw_server):
    with proxy(rgw_server, tls=True) as spoiled:
        yield spoiled


def through(spark, bucket: Bucket, endpoint: str) -> None:
    """Have the session's Java reach this bucket at that endpoint."""
    chosen = settings(bucket, "lake")
    open_session(chosen.model_copy(update={"s3": chosen.s3.model_copy(update={"endpoint": endpoint})}), "tests")


def add(spark, table: str, *ids: str) -> None:
    rows = spark.createDataFrame([(i,) for i in ids], "id string").coalesce(1)
    rows.write.format("delta").mode("append").save(table)


def rust(bucket: Bucket, path: str) -> DeltaTable:
    return DeltaTable(bucket.uri(path), storage_options=bucket.storage().delta_options())


def add_with_rust(bucket: Bucket, path: str, *ids: str) -> None:
    rows = pa.table({"id": list(ids)})
    write_deltalake(bucket.uri(path), rows, mode="append", storage_options=bucket.storage().delta_options())


def ids_of(bucket: Bucket, path: str) -> list[str]:
    return sorted(rust(bucket, path).to_pyarrow_table()["id"].to_pylist())


def commits(bucket: Bucket, path: str) -> list[str]:
    names = [s.path.rpartition("/")[2] for s in bucket.storage(f"{path}/_delta_log").list()]
    return sorted(name for name in names if name.endswith(".json") and name[0].isdigit())


@pytest.mark.parametrize(("scheme", "lost"), [("s3a", []), ("s3n", ["between"])], ids=["ours", "stock"])
def test_a_commit_that_is_late_takes_the_place_of_no_other(spark, rgw_bucket, between, scheme, lost):
    """With Delta's stock store (nothing is set for s3n) the late one overwrites what was committed meanwhile."""
    through(spark, rgw_bucket, between.endpoint)
    spark._jsc.hadoopConfiguration().set("fs.s3n.impl", "org.apache.hadoop.fs.s3a.S3AFileSystem")
    table = f"{scheme}://{rgw_bucket.name}/lake/own"
    add(spark, table, "first")
    late = Fault(lambda r: r.method == "PUT" and r.path.endswith("1.json"), "held", seconds=4)
    between.rules.append(late)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(add, spark, table, "late")
        while not between.has_fired(late):
            assert not slow.done(), slow.exception()
            time.sleep(0.05)
        add_with_rust(rgw_bucket, "lake/own", "between")
        slow.result(timeout=60)
    assert ids_of(rgw_bucket, "lake/own") == sorted({"first", "late", "between"} - set(lost))
    assert len(commits(rgw_bucket, "lake/own")) == (3 if not lost else 2)


def test_two_drivers_and_a_program_without_spark_lose_nothing_to_each_other(spark, rgw_bucket):
    chosen, count = settings(rgw_bucket, "lake", "spark.master=local[1]"), 50
    open_session(chosen, "tests")
    add(spark, f"s3a://{rgw_bucket.name}/lake/own", "first")
    command = [sys.executable, "-m", "tests.integration.racers", "append", chosen.model_dump_json()]
    both = [
        subprocess.Popen(
            [*command, f"s3a://{rgw_bucket.name}/lake/own", name, str(count)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for name in ("left", "right")
    ]  # fmt: skip
    done = 0
    while any(process.poll() is None for process in both) or done < count:
        if done < count and len(commits(rgw_bucket, "lake/own")) > 1 + done:  # in step with the drivers
            add_with_rust(rgw_bucket, "lake/own", f"rust-{done}")
            done += 1
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    names = [f"{who}-{n}" for who in ("left", "right", "rust") for n in range(count)]
    assert ids_of(rgw_bucket, "lake/own") == sorted(["first", *names]), "each once"
    numbers = [int(name.partition(".")[0]) for name in commits(rgw_bucket, "lake/own")]
    assert numbers == list(range(3 * count + 1)), "without a gap"


@pytest.mark.parametrize(("kind", "status"), FAULTS, ids=[f"{k}-{s or ''}" for k, s in FAULTS])
def test_whatever_happens_to_a_commit_it_is_made_once(spark, rgw_bucket, between, kind, status):
    through(spark, rgw_bucket, between.endpoint)

    def one(number: int) -> list[str]:
        path = f"lake/own{number}"
        mark = f"{path}/_delta_log/{0:020d}.json"
        between.rules.append(Fault(lambda r: r.method == "PUT" and r.path.endswith(mark), kind, status=status))
        add(spark, f"s3a://{rgw_bucket.name}/{path}", str(number))
        return commits(rgw_bucket, path)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(one, range(RUNS)))
    assert made == [[f"{0:020d}.json"]] * RUNS
    assert [ids_of(rgw_bucket, f"lake/own{n}") for n in range(RUNS)] == [[str(n)] for n in range(RUNS)]
    assert sum(1 for seen in between.requests if seen.fault) == RUNS


def test_the_same_race_with_the_stock_log_store_loses_commits(spark, rgw_bucket):
    chosen = settings(rgw_bucket, "lake", "spark.master=local[1]")
    hadoop = json.dumps({"spark.hadoop.fs.s3n.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"})
    stock = settings(rgw_bucket, "lake", "spark.master=local[1]", f"spark.conf={hadoop}")
    open_session(chosen, "tests")
    command = [sys.executable, "-m", "tests.integration.racers", "append", stock.model_dump_json()]
    lost = 0
    for attempt in range(6):
        add(spark, f"s3a://{rgw_bucket.name}/lake/own{attempt}", "first")
        table = f"s3n://{rgw_bucket.name}/lake/own{attempt}"
        both = [subprocess.Popen([*command, table, name, "50"], cwd=ROOT) for name in ("left", "right")]
        assert [process.wait() for process in both] == [0, 0]
        lost += 101 - len(ids_of(rgw_bucket, f"lake/own{attempt}"))
        if lost:
            break
    assert lost > 0


def test_four_programs_take_five_uploads_each_and_none_waits_for_another(spark, rgw_bucket, tmp_path):
    from tests.spark import helpers

    import imagelake
    from imagelake.runtime import open_run

    chosen = settings(rgw_bucket, "lake", "spark.master=local[1]", "lease.wait_seconds=0")
    with open_run(chosen, "run", None, create=True):
        pass
    for number in range(4):
        (tmp_path / f"set{number}").mkdir()
        for upload in range(5):
            files = helpers.small(2, start=100 * number + 10 * upload).files()
            helpers.write_zip(tmp_path / f"set{number}" / f"{upload}.zip", files)
    command = [sys.executable, "-m", "tests.integration.racers", "runs", chosen.model_dump_json()]
    four = [subprocess.Popen([*command, f"set{n}", str(tmp_path / f"set{n}")], cwd=ROOT) for n in range(4)]
    assert [process.wait() for process in four] == [0] * 4, "nobody had to wait for a lease of another dataset"
    with imagelake.open(chosen.lake, chosen.s3) as lake:
        for number in range(4):
            versions = lake.show(f"set{number}").as_json()["versions"]
            assert [v["version"] for v in versions] == [f"set{number}@v{n}" for n in range(1, 6)]
            assert lake.verify(f"set{number}").as_json()["images_checked"] == 10
