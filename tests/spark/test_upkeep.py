"""Compaction beside writers: few files instead of many, the same rows, and a writer never fails for it."""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from tests.lakes import LakeMaker
from tests.spark import helpers
from tests.spark.test_races import driver, wait_until_stopped

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.cli.main import main
from imagelake.config.settings import LeaseSettings
from imagelake.maintenance.compaction import compact_tables
from imagelake.maintenance.partitions import CrowdedPartition, survey_tables
from imagelake.maintenance.vacuum import vacuum_tables
from imagelake.runs import pipeline
from imagelake.runs.context import system_clock
from imagelake.storage.leases.lease import acquire
from imagelake.storage.leases.lease_record import this_process
from imagelake.tables import bronze, gold, ops, silver
from imagelake.tables.delta.store import DeltaStore

MANY = 12
NOTHING = timedelta(0)
AT_ONCE = ("--only", "optimize,vacuum", "--set", "delta.deleted_file_retention=interval 0 hours", "--json")
DRAFT = (silver.IMAGES, silver.ANNOTATIONS)
LOGS = (gold.IMAGE_LOG, gold.ANNOTATION_LOG, gold.SPLIT_LOG, gold.VERSIONS, bronze.BLOBS, bronze.UPLOADS)


def crowded(root, datasets=("pets",)):
    """A lake of MANY versions a dataset, each of which left files of its own in every log and in the draft."""
    maker = LakeMaker(root)
    for number in range(MANY):
        for dataset in datasets:
            maker.image(dataset, f"{number}.png", f"{dataset}{number}".encode(), width=8, height=6)
            maker.box(dataset, f"{number}.png", "cat", (0, 0, 1 + number % 7, 2))
            maker.keep(dataset, [f"{dataset}{number}".encode()])
            maker.deliver(dataset)
            maker.publish(dataset)
        maker.flush()
    for spec in DRAFT:
        scatter(root, spec)


def scatter(root, spec):
    """The rows of a table in a file each, as MERGEs of single rows leave them."""
    log = DeltaTable(str(root / spec.path))
    rows = log.to_pyarrow_table()
    write_deltalake(log, rows.slice(0, 1), mode="overwrite")
    for number in range(1, len(rows)):
        write_deltalake(log, rows.slice(number, 1), mode="append")


def contents(ctx, specs):
    return {spec.name: sorted(map(str, ctx.tables.collect(spec))) for spec in specs}


def digests(root, dataset="pets", numbers=range(1, MANY + 1)):
    lake = imagelake.open(str(root))
    verdicts = [lake.verify(f"{dataset}@v{number}").as_json() for number in numbers]
    assert all(verdict["ok"] for verdict in verdicts), verdicts
    return [verdict["digest"] for verdict in verdicts]


def small_files(ctx, spec):
    """Every file of a table as worth compacting, few as they are."""
    files = survey_tables(ctx.storage).tables[spec.name]
    return [CrowdedPartition(spec, "pets", files, 1 << 20)] if files.files > 1 else []


def maintain(capsys, root, *words):
    capsys.readouterr()
    assert main(["maintain", "--lake", str(root), *(words or AT_ONCE)]) == 0
    return json.loads(capsys.readouterr().out)


def test_many_small_files_become_one_and_versions_and_pinned_builds_stay(spark, tmp_path, capsys):
    root = tmp_path / "lake"
    crowded(root)
    ctx = helpers.context(spark, root)
    rows, before, versions = contents(ctx, (*DRAFT, *LOGS)), digests(root), helpers.versions(ctx)
    plan = f"locks/build-pets.{MANY}.plan"
    ctx.storage.put(plan, json.dumps({"versions": {s.name: versions[s.name] for s in DRAFT}}).encode())
    document = maintain(capsys, root)
    compacted = {table["table"]: table for table in document["optimize"]["tables"]}
    for spec in (*DRAFT, *LOGS):
        table = compacted[spec.name]
        assert (table["files_before"] >= MANY, table["files_after"]) == (True, 1), table
        assert table["bytes_before"] > table["bytes_after"] > 0
    after = helpers.versions(ctx)
    assert {helpers.commits(versions, after)[name] for name in compacted} == {1}
    assert contents(ctx, (*DRAFT, *LOGS)) == rows
    assert digests(root) == before
    vacuumed = {table["table"]: table["files_after"] for table in document["vacuum"]["tables"]}
    assert vacuumed[gold.IMAGE_LOG.name] == 1
    assert vacuumed[silver.IMAGES.name] == MANY + 1, "a build is pinned to the files from before"
    pinned = ctx.tables.read(silver.IMAGES, "pets", versions[silver.IMAGES.name])
    assert pinned.count() == MANY
    ctx.storage.delete(plan)
    again = maintain(capsys, root)
    assert again["optimize"] == {"tables": [], "notices": []}
    assert {t["table"]: t["files_after"] for t in again["vacuum"]["tables"]} == {s.name: 1 for s in DRAFT}
    assert helpers.commits(after, helpers.versions(ctx)) == {}
    assert digests(root) == before


def test_a_dataset_that_has_a_writer_is_skipped_and_the_others_are_compacted(spark, tmp_path, capsys):
    root = tmp_path / "lake"
    crowded(root, ("birds", "pets"))
    ctx = helpers.context(spark, root)
    run_id = uuid.uuid4().hex
    with acquire(ctx.storage, "birds", this_process(run_id), LeaseSettings(), system_clock) as lease:
        document = maintain(capsys, root)
        lease.check()
    (notice,) = document["optimize"]["notices"]
    assert notice.startswith(f"birds not compacted: birds is held by run {run_id}")
    assert document["vacuum"]["tables"] == [], "the writer may read what was used when it began"
    left = {partition.dataset for partition in survey_tables(ctx.storage).crowded}
    assert left == {"birds"}
    (text,) = [row["report"] for row in ctx.tables.collect(ops.RUNS) if row["report"]]
    assert {report["dataset"]: report["status"] for report in json.loads(text)} == {
        "birds": "skipped",
        "pets": "compacted",
    }
    document = maintain(capsys, root)
    assert document["optimize"]["notices"] == []
    assert {t["files_after"] for t in document["optimize"]["tables"] if t["table"] != ops.RUNS.name} == {2}
    for dataset in ("birds", "pets"):
        digests(root, dataset)


@pytest.mark.nightly
def test_a_conflict_skips_the_partition_and_leaves_its_rows(spark, tmp_path):
    """The writer here has no lease: OPTIMIZE takes longer than it needs to rewrite the partition."""
    root = tmp_path / "lake"
    crowded(root)
    ctx = helpers.context(spark, root)
    rows = contents(ctx, (silver.IMAGES,))
    done = threading.Event()

    def rewrite():
        while not done.is_set():
            try:
                scatter(root, silver.IMAGES)
            except DeltaError:  # it may lose as well
                continue

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        skipped = [compact_tables(ctx, small_files(ctx, silver.IMAGES)).notices for _ in range(10)]
    finally:
        done.set()
        writer.join()
    assert ["pets not compacted: silver.images: another writer changed its files meanwhile"] in skipped
    scatter(root, silver.IMAGES)
    assert contents(ctx, (silver.IMAGES,)) == rows


@pytest.mark.nightly
def test_uploads_are_published_while_everything_is_compacted_and_vacuumed_again_and_again(spark, tmp_path):
    root = tmp_path / "lake"
    ctx = helpers.begun(spark, root)
    session = spark.newSession()
    keeper = replace(helpers.again(ctx), spark=session, tables=DeltaStore(session, ctx.storage, ctx.settings.delta))
    done, compacted = threading.Event(), []

    def keep_fast():
        while not done.is_set():
            crowded_now = [
                partition
                for spec in (*DRAFT, *LOGS, bronze.FILES, gold.CLOSINGS)
                for partition in small_files(ctx, spec)
            ]
            compacted.append(compact_tables(keeper, crowded_now))
            vacuum_tables(ctx.storage, NOTHING, system_clock)

    thread = threading.Thread(target=keep_fast)
    thread.start()
    try:
        for number in range(4):
            upload = helpers.write_zip(tmp_path / f"{number}.zip", helpers.small(3, start=10 * number + 1).files())
            report = pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(upload), mode="update"))
            assert report.status == "accepted", report
    finally:
        done.set()
        thread.join()
    assert sum(len(one.rewritten) for one in compacted) > 0
    digests(root, numbers=range(1, 6))


@pytest.mark.nightly
def test_a_writer_asleep_past_its_lease_is_not_compacted_away(spark, tmp_path, capsys):
    root = tmp_path / "lake"
    helpers.begun(spark, root)
    scatter(root, silver.IMAGES)
    upload = helpers.write_zip(tmp_path / "b.zip", helpers.small(3, start=20).files())
    sleeper = driver("run", root, "pets", upload, "build:rows", "pause")
    wait_until_stopped(sleeper.pid)
    try:
        ctx = helpers.context(spark, root)
        partitions = small_files(ctx, silver.IMAGES)
        notices = compact_tables(ctx, partitions).notices
        vacuum_tables(ctx.storage, NOTHING, system_clock)
    finally:
        os.kill(sleeper.pid, signal.SIGCONT)
    output = sleeper.communicate(timeout=120)[0]
    assert len(notices) == 1, notices
    assert sleeper.returncode in (0, 5), output
    assert pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(upload))).exit_code == 0
    digests(root, numbers=(1, 2))
