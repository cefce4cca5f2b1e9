"""Saves of a labelling tool: from the moment they are saved until a build has them in the draft."""

from __future__ import annotations

import time

import pytest
from tests.spark import helpers

import imagelake
from imagelake.runs import pipeline
from imagelake.runs.landing import run_landing
from imagelake.tables import silver


def box(x: float) -> list[dict[str, object]]:
    return [{"kind": "box", "category": "cat", "bbox": [x, 5.0, 10.0, 10.0]}]


def boxes(ctx, key: str) -> set[float]:
    return {r["bbox"]["x"] for r in ctx.tables.collect(silver.ANNOTATIONS, "pets") if r["image_key"] == key}


@pytest.mark.nightly
def test_saves_are_folded_in_by_the_next_ingest_in_their_order(spark, tmp_path):
    ctx = helpers.begun(spark, tmp_path / "lake")
    lake = imagelake.open(str(tmp_path / "lake"))
    key = "p000.jpg"
    etag = {p.key: p.etag for p in lake.images("pets@draft").images}[key]
    for x in (11.0, 22.0, 11.0):  # X, Y, X ends at X
        etag = lake.save_labels("pets@draft", key, box(x), "ann", base=etag)
    gone = {p.key: p.etag for p in lake.images("pets@draft").images}["p002.jpg"]
    lake.save_labels("pets@draft", "p002.jpg", box(7.0), "ann", base=gone)
    (shown,) = [p for p in lake.images("pets@draft").images if p.key == key]
    assert [a.bbox[0] for a in shown.labels] == [11.0], "a save is seen at once"
    assert boxes(ctx, key) == {5.0, 30.0}, "and is in no table yet"
    pipeline.remove_images(helpers.again(ctx), "pets", ["p002.jpg"])
    time.sleep(2.1)  # younger saves may still be withdrawn

    second = {"p002.jpg": helpers.picture(50), "sub/p002.jpg": helpers.picture(51)}
    more = helpers.Coco({n: second[n] for n in ("sub/p002.jpg",)}, {})
    night = helpers.again(ctx)
    (tmp_path / "lake" / "landing" / "pets").mkdir(parents=True)
    helpers.write_zip(tmp_path / "lake" / "landing" / "pets" / "b.zip", more.files())
    (tmp_path / "lake" / "landing" / "pets" / "b.ready").touch()
    reports = run_landing(night)
    assert [(r.format, r.status) for r in reports] == [("labels", "accepted"), ("coco", "accepted")]
    assert boxes(ctx, key) == {11.0}
    assert boxes(ctx, "sub/p002.jpg") == set(), "a save belongs to its key, not to an image of the same name"
    assert list(ctx.storage.list("labels")) == [], "bronze has them now"
    (after,) = [p for p in lake.images("pets@draft").images if p.key == key]
    assert after.etag == etag, "what was saved is what the draft says"

    etag = lake.save_labels("pets@draft", key, [], "bob", base=etag)
    time.sleep(2.1)
    (report,) = run_landing(helpers.again(ctx))
    assert report.status == "accepted", "saves are taken in without an upload too"
    assert boxes(ctx, key) == set()
    labelled = {r["image_key"]: r["labelled"] for r in ctx.tables.collect(silver.IMAGES, "pets")}
    assert "box" in labelled[key], "labelled with nothing"
