"""Packages of a lake in a bucket: versions stay what they are while their bytes move and what is left is removed."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from tests.integration.buckets import settings
from tests.spark import helpers

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.maintenance.packing.collect import collect_objects
from imagelake.maintenance.packing.pack import pack_dataset, unpack_dataset
from imagelake.runs import pipeline
from imagelake.runs.context import system_clock
from imagelake.runs.open_run import run_verb
from imagelake.runs.writer import writing
from imagelake.storage.open_lake import open_lake

pytestmark = pytest.mark.nightly


def in_run(chosen, work):
    """Work under the lease of pets."""

    def verb(ctx):
        with writing(ctx, "pets") as lease:
            work(ctx, lease)
        return ()

    run_verb(chosen, "maintain", "pets", verb)


def test_bytes_move_into_packages_and_back_in_a_bucket(spark, rgw_bucket, tmp_path):
    chosen = settings(rgw_bucket, "lake")
    folder = tmp_path / "upload"
    for name, data in helpers.small(6).files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    request = IngestRequest("pets", str(folder))
    run_verb(chosen, "run", "pets", lambda ctx: [pipeline.run_upload(ctx, request)], create=True)
    lake = imagelake.open(chosen.lake, chosen.s3)
    before = lake.verify("pets@v1").as_json()
    assert before["ok"]
    storage = open_lake(chosen.lake, chosen.s3).storage

    in_run(chosen, lambda ctx, lease: pack_dataset(ctx, "pets", lease, label="pets@v1", force=True))
    (package,) = [stat.path for stat in storage.list("blobs/zip")]
    assert package == f"blobs/zip/{hashlib.sha256(storage.read(package)).hexdigest()}.zip"
    assert len(collect_objects(storage, timedelta(0), system_clock).paths) == 6
    assert lake.verify("pets@v1").as_json() == before
    assert lake.get("pets@v1", tmp_path / "out").images == 6

    in_run(chosen, lambda ctx, lease: unpack_dataset(ctx, "pets", lease))
    assert collect_objects(storage, timedelta(0), system_clock).paths == (package,)
    assert lake.verify("pets@v1").as_json() == before
    assert len(lake.urls("pets@v1").rows) == 6
