"""What deliveries do to the draft: modes, keys, waiting labels, superseded and repeated uploads."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from tests.spark import helpers

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.runs import pipeline
from imagelake.tables import gold, silver


@pytest.fixture
def ctx(spark, tmp_path):
    return helpers.context(spark, tmp_path / "lake")


@pytest.fixture
def begun(spark, tmp_path):
    """A lake with small(3) in it."""
    return helpers.begun(spark, tmp_path / "lake")


def run(ctx, path, **options):
    return pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(path), **options))


def add(ctx, path, **options):
    return helpers.into_draft(ctx, "pets", path, **options)


def draft(ctx, spec=silver.IMAGES):
    return ctx.tables.collect(spec, "pets")


def boxes(ctx):
    return sorted(
        (a["image_key"], a["category"], a["bbox"]["x"], a["bbox"]["w"]) for a in draft(ctx, silver.ANNOTATIONS)
    )


@pytest.mark.nightly
def test_the_third_of_a_b_a_is_superseded_and_again_restores_a(begun, tmp_path):
    ctx, a = begun, helpers.small(3)
    b = replace(a, boxes={n: [("dog", (1.0, 1.0, 9.0, 9.0))] for n in a.boxes})
    first = helpers.write_zip(tmp_path / "a.zip", a.files())
    second = helpers.write_zip(tmp_path / "b.zip", b.files())
    was = boxes(ctx)
    other = add(ctx, second)
    assert boxes(ctx) != was
    third = add(ctx, first)
    assert third.status == "superseded"
    assert other.upload_id[:12] in third.problem
    assert boxes(ctx) != was
    fourth = add(ctx, first, again=True)
    assert fourth.status == "accepted"
    assert boxes(ctx) == was


def test_two_exports_that_number_from_one_do_not_overwrite_each_other(begun, tmp_path):
    add(begun, helpers.write_zip(tmp_path / "b.zip", helpers.small(2, start=10).files()))
    assert len(draft(begun)) == 5
    assert len(draft(begun, silver.ANNOTATIONS)) == 10


@pytest.mark.nightly
def test_new_bytes_under_a_known_key_are_refused_with_their_labels_unless_updating(begun, tmp_path):
    ctx, a = begun, helpers.small(3)
    was, labels = {i["image_key"]: i["content_hash"] for i in draft(ctx)}, boxes(ctx)
    other = replace(
        a,
        images={n: helpers.picture(100 + k) for k, n in enumerate(a.images)},
        boxes={n: [("cat", (2.0, 2.0, 4.0, 4.0))] for n in a.boxes},
    )
    path = helpers.write_zip(tmp_path / "b.zip", other.files())
    report = add(ctx, path)
    assert report.images.rejected == 3
    assert {i["image_key"]: i["content_hash"] for i in draft(ctx)} == was
    assert boxes(ctx) == labels
    rules = {r["rule"] for r in draft(ctx, silver.REJECTIONS)}
    assert rules == {"image.key_taken", "annotation.image_rejected"}
    report = add(ctx, path, mode="update")
    assert report.images.accepted == 3
    assert {i["content_hash"] for i in draft(ctx)}.isdisjoint(was.values())
    assert [b[1:] for b in boxes(ctx)] == [("cat", 2.0, 4.0)] * 3
    assert all(r["closed_at"] is not None for r in draft(ctx, silver.REJECTIONS))


@pytest.mark.nightly
def test_replace_makes_the_upload_the_whole_dataset(begun, tmp_path):
    report = add(begun, helpers.write_zip(tmp_path / "b.zip", helpers.small(2, start=2).files()), mode="replace")
    assert sorted(i["image_key"] for i in draft(begun)) == ["p002.jpg", "p003.jpg"]
    assert report.images.removed == 2


@pytest.mark.nightly
def test_labels_wait_for_their_image_and_enter_when_it_arrives(ctx, tmp_path):
    a = helpers.small(3)
    document = tmp_path / "labels.json"
    document.write_text(json.dumps(a.document()))
    first = helpers.small(1)
    add(ctx, helpers.write_zip(tmp_path / "one.zip", {f"images/{n}": d for n, d in first.images.items()}))
    waiting = add(ctx, document)
    assert waiting.annotations.accepted == 2
    assert {r["rule"] for r in draft(ctx, silver.REJECTIONS)} == {"image.file_missing", "annotation.image_unknown"}
    add(ctx, helpers.write_zip(tmp_path / "rest.zip", {f"images/{n}": d for n, d in a.images.items()}))
    assert len(boxes(ctx)) == 6
    assert all(r["closed_at"] is not None for r in draft(ctx, silver.REJECTIONS))


@pytest.mark.nightly
def test_what_waiting_labels_say_of_their_image_holds_though_newer_labels_come_with_it(ctx, tmp_path):
    a = helpers.small(1)
    document = a.document()
    document["images"][0]["patient"] = "p7"
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(document))
    add(ctx, labels)
    add(ctx, helpers.write_zip(tmp_path / "a.zip", a.files()))
    assert [json.loads(i["attributes"] or "{}") for i in draft(ctx)] == [{"patient": "p7"}]


@pytest.mark.nightly
def test_an_annotation_only_upload_replaces_exactly_the_boxes_it_names(begun, tmp_path):
    ctx, a = begun, helpers.small(3)
    name = "p001.jpg"
    only = replace(a, boxes={name: [("cat", (7.0, 7.0, 3.0, 3.0))]})
    document = tmp_path / "fix.json"
    document.write_text(json.dumps(only.document()))
    report = add(ctx, document)
    assert (report.annotations.accepted, report.annotations.removed) == (1, 2)
    assert [b for b in boxes(ctx) if b[0] == name] == [(name, "cat", 7.0, 3.0)]
    assert len(boxes(ctx)) == 5


@pytest.mark.nightly
def test_an_image_listed_without_objects_is_labelled_and_an_unlisted_one_is_not(ctx, tmp_path):
    a = helpers.small(2)
    files = replace(a, boxes={"p000.jpg": []}).files()
    add(ctx, helpers.write_zip(tmp_path / "a.zip", files))
    labelled = {i["image_key"]: i["labelled"] for i in draft(ctx)}
    assert labelled == {"p000.jpg": ["box"], "p001.jpg": []}


@pytest.mark.nightly
def test_many_new_loose_files_share_a_package_and_known_bytes_are_not_kept_again(spark, tmp_path):
    path = tmp_path / "lake"
    ctx = helpers.context(spark, path, settings=helpers.settings(path, "ingest.package_files=4"))
    run(ctx, helpers.write_folder(tmp_path / "a", helpers.small(4).files()))
    assert [len(list((path / "blobs" / kind).rglob("*.*"))) for kind in ("zip", "obj")] == [1, 0]
    run(ctx, helpers.write_folder(tmp_path / "b", helpers.small(5).files()))
    kept = [p for p in (path / "blobs").rglob("*") if p.is_file()]
    assert len(kept) == 3, "the package, and one new image and one new document"
    assert imagelake.open(str(path)).verify("pets@v2").as_json()["ok"]


@pytest.mark.nightly
def test_a_file_that_bronze_knows_by_place_size_and_time_is_not_read_again(ctx, tmp_path):
    folder = helpers.write_folder(tmp_path / "a", helpers.small(3).files())
    for file in folder.rglob("*.*"):
        os.utime(file, (1_600_000_000, 1_600_000_000))
    run(ctx, folder)
    image = next(folder.rglob("p001.jpg"))
    image.write_bytes(image.read_bytes()[:-1] + b"!")  # same size, and the time is set back: nobody can tell
    os.utime(image, (1_600_000_000, 1_600_000_000))
    assert run(ctx, folder).status == "unchanged"
    assert run(ctx, folder, rehash=True).status != "unchanged"


@pytest.mark.nightly
def test_removed_images_go_and_come_back_and_every_version_stays(begun, tmp_path):
    ctx, path = begun, helpers.write_zip(tmp_path / "a.zip", helpers.small(3).files())
    report = pipeline.remove_images(helpers.again(ctx), "pets", ["p001.jpg"])
    assert (report.images.removed, report.annotations.removed) == (1, 2)
    pipeline.publish_draft(helpers.again(ctx), pipeline.PublishRequest("pets"))
    assert run(ctx, path).status == "superseded"
    back = run(ctx, path, again=True)
    assert back.version == "pets@v3"
    rows = {r["number"]: r for r in ctx.tables.collect(gold.VERSIONS, "pets")}
    assert [rows[n]["images"] for n in (1, 2, 3)] == [3, 2, 3]
    assert rows[1]["digest"] == rows[3]["digest"]
