"""`browse: true` gives every file of an upload an object of its own, also bytes that lie in a kept zip or package."""

from __future__ import annotations

import hashlib
import zipfile

from tests.spark import helpers

from imagelake.bronze.request import IngestRequest
from imagelake.runs import pipeline
from imagelake.runs.context import Objects
from imagelake.storage.blobs.local_writer import blob_path
from imagelake.tables import bronze


def take(ctx, dataset, path):
    return pipeline.land_upload(helpers.again(ctx), IngestRequest(dataset, str(path)))


def objects(ctx, dataset):
    """The bytes that the dataset has as objects, by their rows; each is there, whole."""
    rows = [r for r in ctx.tables.collect(bronze.BLOBS, dataset) if r["uri"].startswith("blobs/obj/")]
    found = [ctx.storage.read(row["uri"]) for row in rows]
    for row, data in zip(rows, found, strict=True):
        assert (row["uri"], row["offset"], row["codec"]) == (blob_path(row["content_hash"]), 0, "stored")
        assert len(data) == row["length"] == row["size"]
        assert hashlib.sha256(data).hexdigest() == row["content_hash"]
    return sorted(found)


def test_bytes_in_kept_zips_become_objects_when_their_upload_comes_again_and_for_others(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")
    files = helpers.small(3).files()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert (take(ctx, "pets", tmp_path / "a.zip").status, objects(ctx, "pets")) == ("landed", [])
    for dataset in ("pets", "birds"):
        ctx.storage.put(f"datasets/{dataset}.yaml", b"browse: true\n")

    report = take(ctx, "pets", tmp_path / "a.zip")
    assert (report.status, objects(ctx, "pets")) == ("landed", sorted(files.values())), "it still waits to be built"
    assert report.objects == Objects(len(files), sum(map(len, files.values())))
    before = helpers.versions(ctx)
    assert take(ctx, "pets", tmp_path / "a.zip").objects == Objects(0, 0)
    assert helpers.versions(ctx) == before

    more = {**files, "images/p003.jpg": helpers.picture(3)}
    report = take(ctx, "birds", helpers.write_zip(tmp_path / "more.zip", more))
    assert (report.status, report.objects.count) == ("landed", len(more))
    assert objects(ctx, "birds") == sorted(more.values())
    assert len(objects(ctx, "pets")) == len(files), "pets have no object twice"
