"""Versions: what a publish writes, what diff says, splits, recipes, the gate."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.spark import handmade, helpers
from tests.spark.handmade import Picture

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.errors import Conflict, GateFailed, NotFound, UsageError
from imagelake.gold import publish
from imagelake.gold.plan import PublishRequest
from imagelake.runs import pipeline
from imagelake.runs.writer import writing
from imagelake.tables import gold, silver
from imagelake.tables.build_rows import half_built
from imagelake.tables.delta.commit import Txn


@pytest.fixture(scope="module")
def ctx(spark, tmp_path_factory):
    return helpers.context(spark, tmp_path_factory.mktemp("publish") / "lake")


def run(ctx, dataset, path, **options):
    return pipeline.run_upload(helpers.again(ctx), IngestRequest(dataset, str(path), **options))


def test_diff_names_one_box_changed_one_image_gone_one_come_and_gold_grows_by_that(ctx, tmp_path):
    a = helpers.small(20)
    run(ctx, "pets", helpers.write_zip(tmp_path / "a.zip", a.files()))
    names = list(a.images)
    boxes = {n: b for n, b in a.boxes.items() if n != names[1]}
    boxes[names[0]] = [("cat", (5.5, 6.0, 20.0, 10.0)), *a.boxes[names[0]][1:]]
    boxes["new.jpg"] = [("dog", (1.0, 2.0, 3.0, 4.0))]
    images = {n: d for n, d in a.images.items() if n != names[1]} | {"new.jpg": helpers.picture(99)}
    b = replace(a, images=images, boxes=boxes)
    report = run(ctx, "pets", helpers.write_zip(tmp_path / "b.zip", b.files()), mode="replace")
    assert report.version == "pets@v2"
    lake = imagelake.open(ctx.settings.lake)
    found = lake.diff("pets@v1", "pets@v2").as_json()
    assert found["images"] == {"added": 1, "removed": 1, "changed": 0, "renamed": 0}
    assert found["annotations"] == {"added": 1, "removed": 2, "changed": 1}
    row = next(r for r in ctx.tables.collect(gold.VERSIONS, "pets") if r["number"] == 2)
    assert (row["added"]["images"], row["added"]["annotations"], row["added"]["splits"]) == (1, 2, 1)
    assert row["added"]["closings"] == 1 + 3 + 1
    for number in (1, 2):
        assert lake.verify(f"pets@v{number}").as_json()["ok"]
    again = pipeline.publish_draft(helpers.again(ctx), PublishRequest("pets"))
    assert not again.published


def test_zip_rezipped_and_folder_give_one_digest_and_no_further_commit(ctx, tmp_path):
    files = helpers.small(5, start=40).files()
    first = helpers.write_zip(tmp_path / "a.zip", files)
    run(ctx, "one", first)
    before = helpers.versions(ctx, silver.IMAGES, silver.ANNOTATIONS, gold.IMAGE_LOG, gold.VERSIONS)
    second = run(ctx, "one", helpers.write_zip(tmp_path / "b.zip", files, reverse=True, year=2024))
    third = run(ctx, "one", helpers.write_folder(tmp_path / "folder", files))
    assert (second.status, third.status) == ("unchanged", "unchanged")
    after = helpers.versions(ctx, silver.IMAGES, silver.ANNOTATIONS, gold.IMAGE_LOG, gold.VERSIONS)
    assert helpers.commits(before, after) == {}
    run(ctx, "two", tmp_path / "folder")
    digests = {r["digest"] for d in ("one", "two") for r in ctx.tables.collect(gold.VERSIONS, d)}
    assert len(digests) == 1


@pytest.mark.nightly
def test_identical_bytes_never_lie_in_two_splits_and_splits_stay(ctx, tmp_path):
    picture = helpers.picture(7)
    files = {f"train/t{k}.jpg": helpers.picture(200 + k) for k in range(3)}
    files |= {f"test/e{k}.jpg": helpers.picture(300 + k) for k in range(3)}
    files |= {"train/twin.jpg": picture, "test/copy.jpg": picture}
    run(ctx, "twins", helpers.write_zip(tmp_path / "a.zip", files))
    lake = imagelake.open(ctx.settings.lake)
    rows = lake.sql("select image_key, split from images", at="twins").as_json()["rows"]
    splits = dict(rows)
    assert splits["twin.jpg"] == splits["copy.jpg"]
    assert {splits[f"t{k}.jpg"] for k in range(3)} == {"train"}
    moved = {f"test/t{k}.jpg": files[f"train/t{k}.jpg"] for k in range(3)} | {"test/z.jpg": helpers.picture(400)}
    run(ctx, "twins", helpers.write_zip(tmp_path / "b.zip", moved))
    later = dict(lake.sql("select image_key, split from images", at="twins").as_json()["rows"])
    assert {later[f"t{k}.jpg"] for k in range(3)} == {"train"}
    assert later["z.jpg"] == "test"


@pytest.mark.nightly
def test_a_recipe_is_added_to_a_version_and_keeps_its_splits_later(ctx, tmp_path):
    a = helpers.small(12, start=60)
    run(ctx, "recipes", helpers.write_zip(tmp_path / "a.zip", a.files()))
    half = {"left": 0.5, "right": 0.5}
    report = pipeline.publish_draft(helpers.again(ctx), PublishRequest("recipes", ref_number=1, split=half))
    assert report.version == "recipes@v1.2"
    lake = imagelake.open(ctx.settings.lake)
    first = dict(lake.sql("select image_key, split from images", at="recipes@v1.2").as_json()["rows"])
    assert set(first.values()) == {"left", "right"}
    run(ctx, "recipes", helpers.write_zip(tmp_path / "b.zip", helpers.small(4, start=80).files()))
    report = pipeline.publish_draft(helpers.again(ctx), PublishRequest("recipes", ref_number=2, split=half))
    assert report.version == "recipes@v2.2"
    later = dict(lake.sql("select image_key, split from images", at="recipes@v2.2").as_json()["rows"])
    assert {k: later[k] for k in first} == first
    for version in ("v1", "v1.2", "v2", "v2.2"):
        assert lake.verify(f"recipes@{version}").as_json()["ok"]
    with pytest.raises(UsageError, match="shares"):
        pipeline.publish_draft(helpers.again(ctx), PublishRequest("recipes", ref_number=1, split={"a": 0.7}))


def test_the_gate_refuses_a_draft_that_is_mostly_rejected(ctx, tmp_path):
    a = helpers.small(2, start=90)
    bad = {n: [("cat", (1.0, 1.0, 0.0, 5.0))] * 5 for n in a.images}
    ctx.storage.put("datasets/gated.yaml", b"gate:\n  max_rejected_share: 0.3\n")
    report = run(ctx, "gated", helpers.write_zip(tmp_path / "a.zip", replace(a, boxes=bad).files()))
    assert (report.exit_code, report.published) == (4, False)
    assert "gate.max_rejected_share allows 30.0%" in report.problem
    with pytest.raises(GateFailed, match="gated is not published"):
        pipeline.publish_draft(helpers.again(ctx), PublishRequest("gated"))


def test_an_upload_all_of_whose_boxes_are_bad_is_refused_by_default_and_named(ctx, tmp_path):
    a = helpers.small(6, start=120)
    bad = {n: [("cat", (1.0, 1.0, 0.0, 5.0))] for n in a.images}
    report = run(ctx, "bad", helpers.write_zip(tmp_path / "bad.zip", replace(a, boxes=bad).files()))
    assert (report.images.accepted, report.exit_code, report.published) == (6, 4, False)
    assert "6 of 6 annotations rejected (100.0%), gate.max_rejected_annotations_share allows 50.0%" in report.problem
    source = (tmp_path / "bad.zip").as_uri()
    assert f"upload {report.upload_id[:8]} ({source}): 6 of 6 annotations rejected" in report.problem


def test_one_bad_upload_is_refused_in_a_large_draft_and_waiting_labels_are_no_defect(ctx):
    pictures = [Picture(f"{n}.png", classes=("cat",) * 3) for n in range(20)]
    handmade.add(ctx, "large", pictures)
    refuse(ctx, "large", handmade.upload_row(ctx, "large", annotations=2), "annotation.image_unknown", 2)
    assert handmade.released(ctx, "large").version == "large@v1"
    stored = json.loads(handmade.version(ctx, "large", 1)["quality"])
    assert (stored["images"], stored["annotations"], stored["rejected"], stored["rejected_annotations"]) == (
        20,
        60,
        2,
        0,
    )
    assert [(upload["upload_id"], upload["read"], upload["rejected"]) for upload in stored["uploads"]] == [
        ("upload-1", 60, 0),
        ("upload-2", 2, 0),
    ]
    sequence = handmade.add(ctx, "large", [Picture("new.png")])
    refuse(ctx, "large", handmade.upload_row(ctx, "large", annotations=4), "annotation.box_degenerate", 3)
    problem = (
        r"upload upload-4 \(file:///uploads/4.zip\): 3 of 4 annotations rejected \(75.0%\), gate.max_rejected_upload"
    )
    with pytest.raises(GateFailed, match=problem):
        handmade.released(ctx, "large")
    ctx.storage.put("datasets/large.yaml", b"gate:\n  max_rejected_upload_share: 0.75\n")
    assert handmade.released(ctx, "large").version == "large@v2"
    row = handmade.version(ctx, "large", 2)
    assert (row["upload_ids"], row["last_sequence"]) == (
        [f"upload-{n}" for n in (sequence, sequence + 1)],
        sequence + 1,
    )


def refuse(ctx, dataset, sequence, rule, count):
    rows = [
        {
            "dataset": dataset,
            "rejection_id": f"{sequence} {n}",
            "entity": "annotation",
            "rule": rule,
            "upload_id": f"upload-{sequence}",
            "delivery": sequence,
        }
        for n in range(count)
    ]
    ctx.tables.append(silver.REJECTIONS, ctx.tables.frame(silver.REJECTIONS, rows))


def test_a_half_built_draft_and_an_unknown_dataset_are_not_published(ctx):
    with pytest.raises(NotFound, match="there is no dataset 'nobody' in this lake"):
        handmade.released(ctx, "nobody")
    handmade.add(ctx, "half", [Picture("a.png")])
    sequence = handmade.upload_row(ctx, "half", state="landed")
    assert not half_built(ctx.tables, "half")
    images = ctx.tables.frame(silver.IMAGES, [handmade.image_row("half", Picture("b.png"))])
    ctx.tables.append(silver.IMAGES, images, Txn("build/half", sequence))
    with writing(ctx, "half") as lease, pytest.raises(Conflict, match="half-built") as error:
        publish.run(ctx, PublishRequest("half"), lease)
    assert error.value.hint == "imagelake build half"
    assert ctx.tables.collect(gold.VERSIONS, "half") == []


@pytest.mark.nightly
def test_images_keep_their_splits_when_they_are_removed_and_come_back(ctx, tmp_path):
    picture = helpers.picture(500)
    files = {f"{name}.jpg": helpers.picture(500 + k) for k, name in enumerate("abcdef")} | {"twin.jpg": picture}
    run(ctx, "back", helpers.write_zip(tmp_path / "a.zip", {f"test/{name}": data for name, data in files.items()}))
    pipeline.remove_images(helpers.again(ctx), "back", ["a.jpg", "b.jpg", "twin.jpg"])
    assert handmade.released(ctx, "back").version == "back@v2"
    moved = {f"train/{name}": files[name] for name in ("b.jpg", "twin.jpg")} | {"train/new.jpg": helpers.picture(507)}
    report = run(ctx, "back", helpers.write_zip(tmp_path / "b.zip", moved))
    assert report.version == "back@v3"
    rows = imagelake.open(ctx.settings.lake).sql("select image_key, split from images", at="back").as_json()["rows"]
    assert dict(rows) == {f"{k}.jpg": "test" for k in "bcdef"} | {"twin.jpg": "test", "new.jpg": "train"}


def test_an_alias_names_the_recipe_that_it_is_given_with_also_when_that_exists(ctx):
    handmade.add(ctx, "named", [Picture(f"{n}.png", split="train") for n in range(4)])
    handmade.released(ctx, "named")
    halves = {"left": 0.5, "right": 0.5}
    report = handmade.released(ctx, "named", ref_number=1, split=halves, alias="half")
    assert (report.status, report.version) == ("published", "named@v1.2")
    again = handmade.released(ctx, "named", ref_number=1, split=halves, alias="again")
    assert (again.status, again.version, again.published) == ("unchanged", "named@v1.2", False)
    rows = {row["alias"]: (row["number"], row["recipe"]) for row in ctx.tables.collect(gold.ALIASES, "named")}
    assert rows == {"half": (1, 2), "again": (1, 2)}
    row = handmade.version(ctx, "named", 1, 2)
    assert (row["upload_ids"], row["last_sequence"]) == ([], 1)


def test_an_alias_is_checked_first_and_names_the_current_version_when_nothing_differs(spark, tmp_path):
    ctx = helpers.begun(spark, tmp_path / "lake")
    for reserved in ("latest", "draft", "v1", "Best"):
        with pytest.raises(UsageError, match=reserved):
            pipeline.publish_draft(helpers.again(ctx), PublishRequest("pets", alias=reserved))
    report = pipeline.publish_draft(helpers.again(ctx), PublishRequest("pets", alias="best"))
    assert (report.status, report.version) == ("unchanged", "pets@v1")
    versions = imagelake.open(ctx.settings.lake).show("pets").as_json()["versions"]
    assert [v["aliases"] for v in versions] == [["best"]]
