"""Versions: what a publish writes, what diff says, splits, recipes, the gate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.spark import helpers

import imagelake
from imagelake import pipeline
from imagelake.bronze.request import IngestRequest
from imagelake.errors import GateFailed, UsageError
from imagelake.gold.plan import PublishRequest
from imagelake.tables import gold, silver


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
    assert "max_rejected_share" in report.problem
    with pytest.raises(GateFailed, match="gated is not published"):
        pipeline.publish_draft(helpers.again(ctx), PublishRequest("gated"))


def test_an_alias_is_checked_first_and_names_the_current_version_when_nothing_differs(spark, tmp_path):
    ctx = helpers.begun(spark, tmp_path / "lake")
    for reserved in ("latest", "draft", "v1", "Best"):
        with pytest.raises(UsageError, match=reserved):
            pipeline.publish_draft(helpers.again(ctx), PublishRequest("pets", alias=reserved))
    report = pipeline.publish_draft(helpers.again(ctx), PublishRequest("pets", alias="best"))
    assert (report.status, report.version) == ("unchanged", "pets@v1")
    versions = imagelake.open(ctx.settings.lake).show("pets").as_json()["versions"]
    assert [v["aliases"] for v in versions] == [["best"]]
