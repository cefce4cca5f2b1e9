"""The gate of a publish: its numbers are those of the rows, every judgement is kept, and force is recorded."""

from __future__ import annotations

import json

import pytest
from tests.spark import handmade, helpers
from tests.spark.drafts import coco
from tests.spark.handmade import Picture

import imagelake
from imagelake.errors import GateFailed
from imagelake.quality.expectations.project import docs_path
from imagelake.tables import ops

COUNTS = """
SELECT (SELECT count(*) FROM images), (SELECT count(*) FROM annotations),
    (SELECT count(*) FROM images WHERE image_key NOT IN (SELECT image_key FROM annotations)),
    (SELECT count(DISTINCT category) FROM annotations)
"""


@pytest.fixture(scope="module")
def ctx(spark, tmp_path_factory):
    return helpers.context(spark, tmp_path_factory.mktemp("gate") / "lake")


def judgements(ctx, dataset):
    return ctx.tables.collect(ops.QUALITY, dataset)


def test_the_gate_has_the_numbers_of_the_rows_and_force_is_recorded(ctx):
    pictures = [Picture(f"{n}.png", classes=("cat", "dog")[: n % 3]) for n in range(9)]
    handmade.add(ctx, "pets", pictures)
    ctx.storage.put("datasets/pets.yaml", b"gate: {max_unannotated_images_share: 0.25}\n")
    with pytest.raises(GateFailed, match=r"3 of 9 images without annotations \(33.3%\)") as caught:
        handmade.released(ctx, "pets")
    assert "--force --note WHY" in caught.value.hint
    refused = judgements(ctx, "pets")
    report = handmade.released(ctx, "pets", note="first look", force=True)
    assert report.version == "pets@v1"
    assert report.warnings["publish.forced"] == 1
    assert report.notices[-1].startswith("published by force, although the gate refuses it: 3 of 9 images without")
    row = handmade.version(ctx, "pets", 1)
    quality = json.loads(row["quality"])
    (counted,) = imagelake.open(ctx.settings.lake).sql(COUNTS, at="pets@v1").as_json()["rows"]
    assert (row["note"], quality["forced"], quality["passed"]) == ("first look", True, False)
    assert [quality[n] for n in ("images", "annotations", "unannotated_images", "classes")] == list(counted)
    assert {j["verdict"] for j in refused} == {"refused"}
    forced = [j for j in judgements(ctx, "pets") if j["publish_id"] == row["publish_id"]]
    assert {j["verdict"] for j in forced} == {"forced"}
    bare = {j["measure"]: (j["value"], j["most"], j["holds"]) for j in forced}["unannotated_images_share"]
    assert bare == (3 / 9, 0.25, False)
    assert ctx.storage.stat(docs_path("pets")) is not None


@pytest.mark.nightly
def test_classes_that_come_and_go_and_rules_have_thresholds(ctx, tmp_path):
    def deliver(number, classes, mode="append"):
        document = json.loads(coco({f"{name}.jpg": 1 for name in classes}))
        document["categories"] = [{"id": n, "name": name} for n, name in enumerate(classes)]
        for n, row in enumerate(document["annotations"]):
            row["category_id"] = n
        files = {f"{name}.jpg": helpers.picture(number + n) for n, name in enumerate(classes)}
        files["labels.json"] = json.dumps(document).encode()
        helpers.into_draft(ctx, "cats", helpers.write_zip(tmp_path / f"{number}.zip", files), mode=mode)

    deliver(40, ("cat", "cow"))
    assert handmade.released(ctx, "cats").version == "cats@v1"
    deliver(50, ("dog",), mode="replace")
    gate = "{max_new_classes: 0, max_vanished_classes: 1, rules: {image.unlisted: {max_count: 0}}}"
    ctx.storage.put("datasets/cats.yaml", f"gate: {gate}\n".encode())
    with pytest.raises(GateFailed) as caught:
        handmade.released(ctx, "cats")
    assert caught.value.message == (
        "cats is not published: 1 new classes (dog), gate.max_new_classes allows 0; "
        "2 vanished classes (cat, cow), gate.max_vanished_classes allows 1"
    )


@pytest.mark.nightly
def test_a_suite_of_the_datasets_own_can_shut_the_gate(ctx):
    suite = {"expectations": [{"type": "expect_column_values_to_be_between", "kwargs": {"column": "images"}}]}
    suite["expectations"][0]["kwargs"]["min_value"] = 100
    handmade.add(ctx, "own", [Picture("a.png", classes=("cat",))])
    ctx.storage.put("datasets/own.gx/measures.size.json", json.dumps(suite).encode())
    with pytest.raises(GateFailed, match=r"suite measures.size.own: expect_column_values_to_be_between on images does"):
        handmade.released(ctx, "own")
    (row,) = [j for j in judgements(ctx, "own") if j["measure"] == "measures.size.own"]
    assert (row["value"], row["holds"], row["setting"]) == (1, False, None)
