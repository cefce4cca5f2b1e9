"""Uploads that come again, and labels that come before their image: rows decide, and the newest labels count."""

from __future__ import annotations

import json

import pytest
from tests.spark import helpers
from tests.spark.drafts import boxes, coco, images, open_rules

from imagelake.config.dataset_settings import settings_path
from imagelake.runs import pipeline
from imagelake.tables import bronze, silver


@pytest.fixture
def ctx(spark, tmp_path):
    return helpers.context(spark, tmp_path / "lake")


@pytest.fixture
def add(ctx, tmp_path):
    def upload(name, files, **options):
        return helpers.into_draft(ctx, "pets", helpers.write_zip(tmp_path / name, files), **options)

    return upload


@pytest.fixture
def say(ctx, tmp_path):
    def labels(name, xs, **options):
        path = tmp_path / name
        path.write_bytes(coco(xs))
        return helpers.into_draft(ctx, "pets", path, **options)

    return labels


def pictures(*names):
    return {name: helpers.picture(int("".join(filter(str.isdigit, name)) or 0)) for name in names}


@pytest.mark.nightly
def test_replace_is_applied_whenever_the_draft_differs_and_an_addition_to_nothing_supersedes(ctx, add, say):
    first = pictures("a1.jpg", "a2.jpg") | {"labels.json": coco({"a1.jpg": 1, "a2.jpg": None})}
    add("a.zip", first, mode="replace")
    add("b.zip", pictures("b3.jpg", "b4.jpg"))
    again = add("a.zip", first, mode="replace")
    assert again.status == "accepted"
    assert [i["image_key"] for i in images(ctx)] == ["a1.jpg", "a2.jpg"]
    before = helpers.versions(ctx, silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS)
    assert add("a.zip", first, mode="replace").status == "unchanged"
    nothing = say("nothing.json", {"a2.jpg": None})
    assert nothing.status == "accepted"
    after = helpers.versions(ctx, silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS)
    assert helpers.commits(before, after) == {}
    other = say("something.json", {"a2.jpg": 7})
    late = say("nothing.json", {"a2.jpg": None})
    assert late.status == "superseded", "somebody has added a box"
    assert other.upload_id[:12] in late.problem
    assert boxes(ctx) == {"a1.jpg": [1.0], "a2.jpg": [7.0]}
    assert say("untouched.json", {"a1.jpg": 1}).annotations.unchanged == 1
    assert say("something.json", {"a2.jpg": 7}).status == "unchanged", "nobody has touched what it brings"
    upload_id = nothing.upload_id
    (told,) = pipeline.build_dataset(helpers.again(ctx), "pets", upload_id)
    assert told.status == "superseded"
    (applied,) = pipeline.build_dataset(helpers.again(ctx), "pets", upload_id, again=True)
    assert applied.status == "built"
    assert boxes(ctx) == {"a1.jpg": [1.0]}


@pytest.mark.nightly
def test_an_upload_whose_key_a_newer_one_has_taken_is_superseded_and_not_refused(ctx, add):
    """`train/dog/1.jpg` means the draft's `dog/1.jpg` until another upload has both."""
    first = {name: helpers.picture(n) for n, name in enumerate(("cat/2.jpg", "dog/2.jpg", "train/dog/1.jpg"))}
    add("a.zip", first)
    newer = add("b.zip", {"dog/1.jpg": helpers.picture(7), "train/dog/1.jpg": helpers.picture(8)})
    assert [i["image_key"] for i in images(ctx)] == ["cat/2.jpg", "dog/1.jpg", "dog/2.jpg", "train/dog/1.jpg"]
    before = helpers.versions(ctx, silver.IMAGES, silver.REJECTIONS)
    late = add("a.zip", first)
    assert late.status == "superseded"
    assert newer.upload_id[:12] in late.problem
    assert helpers.commits(before, helpers.versions(ctx, silver.IMAGES, silver.REJECTIONS)) == {}


@pytest.mark.nightly
def test_a_defect_that_newer_labels_have_mended_does_not_come_back_with_the_old_upload(ctx, add, say):
    add("p.zip", pictures("a1.jpg", "a2.jpg"))
    say("one.json", {"a1.jpg": -1, "a2.jpg": 2})
    assert open_rules(ctx) == {"annotation.box_degenerate": 1}
    newer = say("two.json", {"a1.jpg": 5})
    assert open_rules(ctx) == {}
    late = say("one.json", {"a1.jpg": -1, "a2.jpg": 2})
    assert late.status == "superseded"
    assert newer.upload_id[:12] in late.problem
    assert open_rules(ctx) == {}


@pytest.mark.nightly
def test_removed_images_do_not_come_back_with_an_old_upload_whoever_has_labelled_them_since(ctx, add, say):
    first = pictures("a1.jpg", "a2.jpg")
    add("a.zip", first)
    say("labels.json", {"a1.jpg": 1})
    pipeline.remove_images(helpers.again(ctx), "pets", ["a1.jpg"])
    assert add("a.zip", first).status == "superseded"
    assert [i["image_key"] for i in images(ctx)] == ["a2.jpg"]
    assert add("a.zip", first, again=True).status == "accepted"
    assert [i["image_key"] for i in images(ctx)] == ["a1.jpg", "a2.jpg"]


@pytest.mark.nightly
def test_labels_of_another_kind_and_attributes_supersede_nothing(ctx, add, say, tmp_path):
    add("p.zip", pictures("a1.jpg"))

    def told(name, patient, kind):
        document = json.loads(coco({"a1.jpg": 1}, kind=kind))
        document["images"][0]["patient"] = patient
        (tmp_path / name).write_text(json.dumps(document))
        return helpers.into_draft(ctx, "pets", tmp_path / name)

    told("one.json", "p1", "polygon")
    told("two.json", "p2", "box")
    assert told("one.json", "p1", "polygon").status == "accepted"
    (row,) = images(ctx)
    assert (json.loads(row["attributes"]), row["labelled"]) == ({"patient": "p1"}, ["box", "polygon"])


@pytest.mark.nightly
def test_images_that_the_settings_refuse_now_have_nobody_in_their_way(ctx, add, say):
    files = pictures("a1.jpg", "a2.jpg") | {"labels.json": coco({"a1.jpg": 1})}
    add("a.zip", files)
    say("later.json", {"a2.jpg": 2})
    ctx.storage.put(settings_path("pets"), b"unlisted_images: reject\n")
    assert add("a.zip", files).status == "accepted"
    assert open_rules(ctx) == {"image.unlisted": 1}
    assert boxes(ctx) == {"a1.jpg": [1.0], "a2.jpg": [2.0]}


@pytest.mark.nightly
def test_labels_that_waited_do_not_overrule_who_said_since_that_nothing_is_there(ctx, add, say):
    say("one.json", {"a1.jpg": 1})
    newer = add("a.zip", pictures("a1.jpg", "a2.jpg") | {"labels.json": coco({"a1.jpg": None, "a2.jpg": 2})})
    assert boxes(ctx) == {"a2.jpg": [2.0]}
    late = say("one.json", {"a1.jpg": 1})
    assert late.status == "superseded"
    assert newer.upload_id[:12] in late.problem


@pytest.mark.nightly
def test_of_labels_that_wait_the_newest_count_and_replace_drops_them(ctx, add, say):
    say("one.json", {"p1.jpg": 1, "p2.jpg": 2, "p3.jpg": 3})
    say("two.json", {"p1.jpg": [4, 5]})
    say("three.json", {"p2.jpg": None})
    assert open_rules(ctx)["annotation.image_unknown"] == 3, "two for p1, none for p2, one for p3"
    add("p.zip", pictures("p1.jpg", "p2.jpg"))
    assert boxes(ctx) == {"p1.jpg": [4.0, 5.0]}
    assert {i["image_key"]: i["labelled"] for i in images(ctx)} == {"p1.jpg": ["box"], "p2.jpg": ["box"]}
    say("one.json", {"p1.jpg": 1, "p2.jpg": 2, "p3.jpg": 3})
    assert boxes(ctx) == {"p1.jpg": [4.0, 5.0]}, "it came before, and newer ones changed what it brings"
    add("q.zip", pictures("q7.jpg", "q8.jpg"), mode="replace")
    assert open_rules(ctx) == {}
    add("p3.zip", pictures("p3.jpg", "r9.jpg"))
    assert boxes(ctx) == {}


def test_the_same_upload_twice_in_one_night(ctx, tmp_path):
    from imagelake.runs.landing import run_landing

    folder = tmp_path / "lake" / "landing" / "pets"
    folder.mkdir(parents=True)
    files = pictures("a1.jpg", "a2.jpg") | {"labels.json": coco({"a1.jpg": 1})}
    for name in ("a", "b"):
        helpers.write_zip(folder / f"{name}.zip", files)
        (folder / f"{name}.ready").touch()
    first, second = run_landing(helpers.again(ctx))
    assert (first.status, second.status) == ("accepted", "unchanged")
    assert (second.images.accepted, second.images.unchanged) == (0, 2)
    rows = [row for row in ctx.tables.collect(bronze.UPLOADS, "pets") if row["state"] != "landed"]
    assert sorted((row["sequence"], row["state"]) for row in rows) == [(1, "built"), (2, "unchanged")]
