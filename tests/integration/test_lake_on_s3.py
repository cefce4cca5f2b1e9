"""The whole way in a bucket: what a lake on a local disk answers, from every kind of upload, on both servers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from deltalake import write_deltalake
from tests.integration.buckets import asked, rust, settings
from tests.spark import helpers

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.maintenance.compaction import compact_tables
from imagelake.maintenance.partitions import survey_tables
from imagelake.maintenance.suites import judge_datasets
from imagelake.maintenance.unjudged import due
from imagelake.maintenance.vacuum import vacuum_tables
from imagelake.quality.expectations.project import project_path
from imagelake.runs import pipeline
from imagelake.runs.context import system_clock
from imagelake.runs.landing import run_landing
from imagelake.runs.open_run import run_verb
from imagelake.storage.open_lake import open_lake
from imagelake.tables import silver


def run(chosen, dataset, upload):
    request = IngestRequest(dataset, str(upload))
    (report,) = run_verb(chosen, "run", dataset, lambda ctx: [pipeline.run_upload(ctx, request)], create=True)
    return report


def facts(report):
    found = report.as_json()
    return {name: found[name] for name in found if name not in ("seconds", "hint")}


def test_a_local_zip_gives_the_same_counts_and_digest_as_on_a_local_disk(spark, bucket, expected, shared_data):
    chosen = settings(bucket, "lake")
    upload = shared_data / "bccd-voc.zip"
    report = run(chosen, "bccd", upload)
    assert facts(report) == facts(expected[0])
    with imagelake.open(chosen.lake, chosen.s3) as lake:
        assert lake.verify("bccd").as_json() == expected[1]
        assert len(lake.load("bccd", split="train")[0].annotations) > 0
    assert run(chosen, "bccd", upload).status == "unchanged"
    kept = [s for s in bucket.storage("lake").list("blobs/")]
    assert len(kept) == 1
    assert kept[0].length == upload.stat().st_size


def small_files(count=3, start=0):
    return helpers.small(count, start=start).files()


def reads_of(requests):
    """What was read of the uploads: not looked at, not listed."""
    return [r for r in requests if r.method == "GET" and "/drops/" in r.path.partition("?")[0]]


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_an_upload_in_the_same_store_is_read_in_ranges_and_copied_by_the_server(spark, rgw_bucket, tmp_path, kind):
    files = small_files(6)
    drops = rgw_bucket.storage("drops")
    if kind == "zip":
        drops.put_file(helpers.write_zip(tmp_path / "up.zip", files), "up.zip")
        upload = rgw_bucket.uri("drops/up.zip")
    else:
        for name, data in files.items():
            drops.put(f"up/{name}", data)
        upload = rgw_bucket.uri("drops/up")
    chosen, server = settings(rgw_bucket, "lake"), rgw_bucket.server
    before = len(asked(server))
    report = run(chosen, "pets", upload)
    assert (report.status, report.images.accepted) == ("accepted", 6)
    first = asked(server, before)
    copies = [r for r in first if r.method == "PUT" and "/lake/blobs/" in r.path]
    assert len(copies) == (1 if kind == "zip" else 7), "each object is copied once, by the server"
    assert len(reads_of(first)) <= (8 if kind == "zip" else 2 * 7), "members come together"
    again = len(asked(server))
    assert run(chosen, "pets", upload).status == "unchanged"
    # of a zip its directory, to know that it is one; of a folder nothing
    assert len(reads_of(asked(server, again))) == (2 if kind == "zip" else 0)
    with imagelake.open(chosen.lake, chosen.s3) as lake:
        assert lake.verify("pets").as_json()["images_checked"] == 6


def test_a_night_takes_what_waits_in_the_buckets_landing(spark, rgw_bucket, tmp_path):
    chosen = settings(rgw_bucket, "lake")
    lake = rgw_bucket.storage("lake")
    upload = helpers.write_zip(tmp_path / "a.zip", small_files())
    lake.put_file(upload, "landing/pets/monday.zip")
    for name, data in small_files(2, start=10).items():
        lake.put(f"landing/birds/all/{name}", data)
    lake.put_file(upload, "landing/birds/late.zip")
    for marker in ("pets/monday", "birds/all"):
        lake.put(f"landing/{marker}.ready", b"")
    lake.put("datasets/pets.yaml", b"publish: auto\nbrowse: true\nreport: true\n")
    found = run_verb(chosen, "run", None, run_landing, create=True)
    assert sorted((r.dataset, r.status) for r in found) == [("birds", "accepted"), ("pets", "accepted")]
    assert {r.dataset: r.report_path for r in found} == {"birds": None, "pets": "reports/pets/v1.html"}
    assert b"<symbol" in lake.read("reports/pets/v1.html"), "with pictures"
    kept = {r.dataset: r.objects for r in found}
    assert kept["birds"] is None
    assert kept["pets"] is not None
    assert kept["pets"].count == 4
    left = {s.path.removeprefix("landing/").split("-")[0] for s in lake.list("landing")}
    assert "birds/late.zip" in left
    assert not any(path.startswith(("pets/", "birds/all")) for path in left)
    assert [s.path for s in lake.list("blobs/zip")] == [], "browse keeps single objects, not the zip"
    with imagelake.open(chosen.lake, chosen.s3) as client:
        assert client.verify("pets@v1").as_json()["ok"]


@pytest.mark.nightly
def test_a_damaged_project_stops_no_night(spark, rgw_bucket, tmp_path):
    chosen, lake = settings(rgw_bucket, "lake"), rgw_bucket.storage("lake")
    lake.put("datasets/pets.yaml", b"publish: auto\n")
    project = f"{project_path('pets')}/gx/great_expectations.yml"

    def night(name, start):
        upload = helpers.write_zip(tmp_path / f"{name}.zip", small_files(3, start=start))
        lake.put_file(upload, f"landing/pets/{name}.zip")
        lake.put(f"landing/pets/{name}.ready", b"")
        (report,) = run_verb(chosen, "run", None, run_landing, create=True)
        return report

    assert night("monday", 0).version == "pets@v1"
    lake.put(project, lake.read(project)[:100])
    second = night("tuesday", 10)
    assert second.version == "pets@v2"
    assert second.notices[-1].startswith("reports/gx/pets was damaged (")


@pytest.mark.nightly
def test_whole_tables_are_judged_in_a_bucket(spark, bucket, tmp_path):
    chosen, lake = settings(bucket, "lake"), bucket.storage("lake")
    assert run(chosen, "pets", helpers.write_zip(tmp_path / "a.zip", small_files())).version == "pets@v1"
    assert due(lake).datasets == ("pets",)
    (report,) = run_verb(chosen, "maintain", None, lambda ctx: judge_datasets(ctx, due(ctx.storage).datasets))
    assert (report.status, report.problem, report.notices) == ("passed", None, ())
    assert due(lake).datasets == ()
    pages = [stat.path for stat in lake.list(project_path("pets")) if "silver/images" in stat.path]
    assert [path for path in pages if path.endswith(".html")]


def test_tables_are_compacted_and_vacuumed_in_a_bucket(spark, bucket, made):
    """The draft's rows in a file each, as many small uploads leave them."""
    chosen, lake = settings(bucket, "lake"), bucket.storage("lake")
    for stat in (opened := open_lake(str(made.root)).storage).list():
        lake.put(stat.path, opened.read(stat.path))
    log = rust(bucket, f"lake/{silver.IMAGES.path}")
    rows = log.to_pyarrow_table()
    write_deltalake(log, rows.slice(0, len(rows) - 12), mode="overwrite")
    for number in range(len(rows) - 12, len(rows)):
        write_deltalake(log, rows.slice(number, 1), mode="append")
    survey = survey_tables(lake)
    assert [(p.spec.name, p.dataset) for p in survey.crowded] == [("silver.images", "pets")]
    compactions = []

    def work(ctx):
        compactions.append(compact_tables(ctx, survey.crowded))
        return compactions[0].reports()

    (report,) = run_verb(chosen, "maintain", None, work)
    assert (report.dataset, report.status, report.notices) == ("pets", "compacted", ())
    (table,) = compactions[0].tables(survey)
    assert (table.before.files, table.after.files) == (13, 1)
    vacuumed = {table.table: table.after for table in vacuum_tables(lake, timedelta(0), system_clock).tables}
    assert vacuumed["silver.images"] == table.after
    assert survey_tables(lake).crowded == ()
    read = rust(bucket, f"lake/{silver.IMAGES.path}").to_pyarrow_table()
    assert sorted(read["image_key"].to_pylist()) == sorted(rows["image_key"].to_pylist())
    with imagelake.open(chosen.lake, chosen.s3) as client:
        assert client.verify("pets@v1").as_json()["ok"]
