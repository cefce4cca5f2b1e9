"""The whole way in a bucket: what a lake on a local disk answers, from every kind of upload, on both servers."""

from __future__ import annotations

import pytest
from tests.integration.lakes import settings
from tests.spark import helpers

import imagelake
from imagelake import pipeline
from imagelake.bronze.request import IngestRequest
from imagelake.runtime import open_run


def run(chosen, dataset, upload):
    with open_run(chosen, "run", dataset, create=True) as ctx:
        return pipeline.run_upload(ctx, IngestRequest(dataset, str(upload)))


@pytest.fixture(scope="module")
def expected(spark, tmp_path_factory, shared_data):
    """The report and digest of the same upload on a local disk."""
    lake = tmp_path_factory.mktemp("local") / "lake"
    report = pipeline.run_upload(helpers.context(spark, lake), IngestRequest("bccd", str(shared_data / "bccd-voc.zip")))
    return report, imagelake.open(str(lake)).verify("bccd").as_json()


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
