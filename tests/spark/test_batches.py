"""Batches of a night: cut short at a boundary, with an upload that fails, of a dataset that publishes by itself."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from tests.spark import helpers
from tests.spark.drafts import annotations, boxes, coco, images, labelled, rejections

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.errors import Conflict
from imagelake.gold import publish
from imagelake.runs import pipeline
from imagelake.runs.landing import run_landing
from imagelake.runs.writer import writing
from imagelake.tables import upload_rows

PICTURES = {f"p{n}.jpg": helpers.picture(n) for n in range(3)}


class Killed(BaseException):
    """The process ends here."""


def killed_at(ctx, boundary):
    def reached(name):
        if name == boundary:
            raise Killed(name)

    return replace(helpers.again(ctx), reached=reached)


def drop(lake, name, data, options=""):
    folder = lake / "landing" / "pets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    (folder / f"{name.rpartition('.')[0]}.ready").write_text(options)


def content(ctx):
    keys = [a["annotation_key"] for a in annotations(ctx)]
    return keys, labelled(ctx), sorted((r["rule"], r["path"]) for r in rejections(ctx))


def night(lake):
    """Labels before their images, the images, and a replacement of one image's labels."""
    drop(lake, "a.json", coco({"p0.jpg": 1, "p1.jpg": [2, 3], "p2.jpg": -4}))
    files = PICTURES | {"b.json": coco({"p0.jpg": 5})}
    helpers.write_zip(lake / "landing" / "pets" / "b.zip", files)
    (lake / "landing" / "pets" / "b.ready").touch()
    drop(lake, "c.json", coco({"p1.jpg": [2, 6]}))


BOUNDARIES = ("build:silver.images", "build:silver.annotations", "build:mark", "build:done")
OFTEN = "build:silver.annotations"


@pytest.mark.parametrize(
    "boundary", [pytest.param(b, marks=[] if b == OFTEN else [pytest.mark.nightly]) for b in BOUNDARIES]
)
def test_a_batch_cut_short_ends_as_undisturbed_whatever_the_settings_have_become(spark, tmp_path, boundary):
    calm, cut = (helpers.context(spark, tmp_path / name) for name in ("calm", "cut"))
    night(tmp_path / "calm")
    run_landing(helpers.again(calm))
    night(tmp_path / "cut")
    with pytest.raises(Killed):
        run_landing(killed_at(cut, boundary))
    cut.storage.put("datasets/pets.yaml", b"renames: {cat: tiger}\n")
    with writing(cut, "pets") as lease:
        if boundary in ("build:silver.annotations", "build:mark"):
            with pytest.raises(Conflict, match="pets"):
                publish.run(helpers.again(cut), pipeline.PublishRequest("pets"), lease)
    run_landing(helpers.again(cut))
    assert content(cut) == content(calm)
    assert not list(cut.storage.list("landing/pets/"))
    if boundary != "build:done":  # all was marked: what is left of its plan goes with the next build
        assert not [stat for stat in cut.storage.list("locks/") if stat.path.endswith(".plan")]


def test_a_replacement_cut_short_before_it_was_moved_is_not_applied_again(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")
    files = {name: PICTURES[name] for name in ("p0.jpg", "p1.jpg")}
    helpers.write_zip(tmp_path / "a.zip", files)
    drop(tmp_path / "lake", "a.zip", (tmp_path / "a.zip").read_bytes(), '{"mode": "replace"}')
    helpers.write_zip(tmp_path / "b.zip", {"p2.jpg": PICTURES["p2.jpg"], "q.jpg": helpers.picture(9)})
    drop(tmp_path / "lake", "b.zip", (tmp_path / "b.zip").read_bytes())
    with pytest.raises(Killed):
        run_landing(killed_at(ctx, "build:done"))
    reports = run_landing(helpers.again(ctx))
    assert [report.status for report in reports] == ["accepted", "accepted"]
    assert [i["image_key"] for i in images(ctx)] == ["p0.jpg", "p1.jpg", "p2.jpg", "q.jpg"]


@pytest.mark.nightly
def test_an_upload_dropped_again_with_an_old_marker_is_taken_again(spark, tmp_path):
    """`cp -p` and `rsync -a` keep the mtime of the marker, which then says nothing of when it was dropped."""
    ctx = helpers.context(spark, tmp_path / "lake")

    def night(name, *pictures):
        data = helpers.write_zip(tmp_path / name, {p: PICTURES[p] for p in pictures}).read_bytes()
        drop(tmp_path / "lake", name, data, '{"mode": "replace"}')
        marker = tmp_path / "lake/landing/pets" / name.replace(".zip", ".ready")
        os.utime(marker, (1_600_000_000, 1_600_000_000))
        (report,) = run_landing(helpers.again(ctx))
        return report.status, [i["image_key"] for i in images(ctx)]

    assert night("a.zip", "p0.jpg", "p1.jpg") == ("accepted", ["p0.jpg", "p1.jpg"])
    assert night("b.zip", "p2.jpg") == ("accepted", ["p2.jpg"])
    assert night("a.zip", "p0.jpg", "p1.jpg") == ("accepted", ["p0.jpg", "p1.jpg"])


@pytest.mark.nightly
def test_what_a_night_closes_and_refuses_again_is_open(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")
    refused = {"p0.jpg": PICTURES["p0.jpg"], "labels.json": coco({"p0.jpg": [-1, 1]})}
    first = helpers.write_zip(tmp_path / "a.zip", refused)
    other = helpers.write_zip(tmp_path / "b.zip", {"p1.jpg": PICTURES["p1.jpg"]})
    third = helpers.write_zip(tmp_path / "c.zip", {**refused, "p2.jpg": PICTURES["p2.jpg"]})

    def night(*uploads):
        requests = [IngestRequest("pets", str(upload), mode="replace") for upload in uploads]
        pipeline.take_uploads(helpers.again(ctx), "pets", requests, auto=False)
        return [(row["rule"], row["delivery"]) for row in rejections(ctx)]

    assert night(first) == [("annotation.box_degenerate", 1)]
    assert night(other, first) == [("annotation.box_degenerate", 3)]
    assert night(other, third) == [("annotation.box_degenerate", 5)]
    assert night(other) == []


@pytest.mark.nightly
def test_one_upload_that_fails_is_set_aside_and_the_dataset_goes_on(spark, tmp_path, monkeypatch):
    from imagelake.silver import build

    ctx = helpers.context(spark, tmp_path / "lake")
    apply = build.apply

    def failing(ctx, draft, delivery, files, rules):
        if delivery.sequence == 1:
            raise RuntimeError("a worker is in pieces")
        return apply(ctx, draft, delivery, files, rules)

    monkeypatch.setattr(build, "apply", failing)
    drop(tmp_path / "lake", "a.json", coco({"p0.jpg": 1}))
    helpers.write_zip(tmp_path / "b.zip", PICTURES)
    drop(tmp_path / "lake", "b.zip", (tmp_path / "b.zip").read_bytes())
    failed, accepted = run_landing(helpers.again(ctx))
    assert (failed.status, failed.exit_code, accepted.status) == ("failed", 1, "accepted")
    assert "a worker is in pieces" in failed.problem
    assert "build pets --upload" in failed.hint
    assert [p["state"] for p in imagelake.open(str(tmp_path / "lake")).show("pets").as_json()["problems"]] == ["failed"]
    monkeypatch.undo()
    (again,) = pipeline.build_dataset(helpers.again(ctx), "pets", failed.upload_id)
    assert (again.status, boxes(ctx)) == ("built", {"p0.jpg": [1.0]})


@pytest.mark.nightly
def test_a_dataset_set_to_auto_is_published_when_its_draft_differs_and_a_shut_gate_stays_shut(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")
    helpers.write_zip(tmp_path / "a.zip", PICTURES | {"a.json": coco(dict.fromkeys(PICTURES, -1))})
    helpers.into_draft(ctx, "pets", tmp_path / "a.zip")
    ctx.storage.put("datasets/pets.yaml", b"publish: auto\n")
    for _ in range(2):
        (shut,) = run_landing(helpers.again(ctx))
        assert (shut.exit_code, shut.version) == (4, None)
    (tmp_path / "fix.json").write_bytes(coco(dict.fromkeys(PICTURES, 2)))
    helpers.into_draft(ctx, "pets", tmp_path / "fix.json")
    (published,) = run_landing(helpers.again(ctx))
    assert (published.version, published.published) == ("pets@v1", True)
    pipeline.remove_images(helpers.again(ctx), "pets", ["p0.jpg"])
    (later,) = run_landing(helpers.again(ctx))
    assert later.version == "pets@v2"
    assert run_landing(helpers.again(ctx)) == ()


def test_sequence_numbers_are_given_one_by_one(spark, tmp_path):
    """The first of two numbers is taken between looking and committing."""
    ctx = helpers.context(spark, tmp_path / "lake")
    row = {"dataset": "pets", "upload_id": "a", "state": "landed", "mode": "append"}
    append, other = ctx.tables.append_rows, helpers.again(ctx)
    raced = []

    def racing(spec, rows, txn=None):
        if not raced:
            raced.append(True)
            upload_rows.deliver(other, [row | {"upload_id": "other"}])
        append(spec, rows, txn)

    ctx.tables.append_rows = racing
    ours = upload_rows.deliver(helpers.again(ctx), [row, row | {"upload_id": "b"}])
    assert [r["sequence"] for r in ours] == [2, 3]
    newest = upload_rows.newest(ctx.tables, "pets")
    assert [(r["sequence"], r["upload_id"]) for r in newest] == [(1, "other"), (2, "a"), (3, "b")]


@pytest.mark.nightly
def test_saves_are_taken_in_by_build_and_publish(spark, tmp_path):
    import time

    ctx = helpers.begun(spark, tmp_path / "lake")
    lake = imagelake.open(str(tmp_path / "lake"))
    etag = {page.key: page.etag for page in lake.images("pets@draft").images}["p000.jpg"]
    entry = {"kind": "box", "category": "cat", "bbox": [11.0, 5.0, 10.0, 10.0]}
    lake.save_labels("pets@draft", "p000.jpg", [entry], "ann", base=etag)
    assert imagelake.open(str(tmp_path / "lake")).show("pets").as_json()["waiting_saves"] == 1
    time.sleep(2.1)  # younger saves may still be withdrawn
    report = pipeline.publish_draft(helpers.again(ctx), pipeline.PublishRequest("pets"))
    assert report.version == "pets@v2"
    assert boxes(ctx)["p000.jpg"] == [11.0]
    assert pipeline.run_upload(
        helpers.again(ctx), IngestRequest("pets", str(helpers.write_zip(tmp_path / "n.zip", PICTURES)))
    ).published
