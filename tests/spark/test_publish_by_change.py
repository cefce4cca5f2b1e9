"""A publish into a large dataset looks only at what changed since the version before, and misses nothing."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from tests.spark import helpers
from tests.spark.drafts import coco

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.gold.drafts import draft
from imagelake.gold.drafts.whole_draft import WholeDraft
from imagelake.gold.plan import PublishRequest
from imagelake.runs import pipeline
from imagelake.silver import draft_source
from imagelake.tables import gold

PICTURES = {f"{name}.jpg": helpers.picture(seed) for seed, name in enumerate("abcdef")}


@pytest.fixture(scope="module")
def published_once(spark, tmp_path_factory):
    """A lake with six images of two boxes each."""
    begun = helpers.context(spark, tmp_path_factory.mktemp("by-change") / "lake")
    run(begun, {**PICTURES, "labels.json": coco({key: [5, 20] for key in PICTURES})})
    return begun.storage.folder


@pytest.fixture
def ctx(spark, tmp_path, monkeypatch, published_once):
    """That lake, and nothing may be compared whole any more."""
    shutil.copytree(published_once, tmp_path / "lake")
    for module in (draft, draft_source):
        monkeypatch.setattr(module, "FEW_DRAFT_ROWS", 0)

    def refuse(*_: Any) -> None:
        raise AssertionError("the draft is compared whole")

    monkeypatch.setattr(WholeDraft, "now", refuse)
    return helpers.context(spark, tmp_path / "lake")


def run(ctx, files, **options):
    path = helpers.write_zip(ctx.storage.folder.parent / f"{len(list(ctx.storage.folder.parent.iterdir()))}.zip", files)
    return pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(path), **options))


def changes(ctx, number) -> dict[str, tuple[int, int, int]]:
    """Added, removed and changed rows of a version whose digest holds and whose content is that of the draft."""
    lake = imagelake.open(ctx.settings.lake)
    assert lake.verify(f"pets@v{number}").as_json()["ok"]
    row = next(r for r in ctx.tables.collect(gold.VERSIONS, "pets") if r["number"] == number)
    assert row["content_digest"] == lake.verify("pets@draft").digest
    counts = {name: of for name, of in json.loads(row["changes"]).items() if isinstance(of, dict)}
    return {name: (of["added"], of["removed"], of["changed"]) for name, of in counts.items() if any(of.values())}


def test_new_images_and_labels_that_change_come_and_go_by_image(ctx):
    run(ctx, {"new.jpg": helpers.picture(50), "labels.json": coco({"new.jpg": [7]})})
    assert changes(ctx, 2) == {"images": (1, 0, 0), "annotations": (1, 0, 0), "splits": (1, 0, 0)}
    run(ctx, {"labels.json": coco({"a.jpg": [5, 21], "b.jpg": [6]})})
    assert changes(ctx, 3) == {"annotations": (2, 3, 0)}


def test_labels_that_only_went_are_noticed_by_their_number(ctx):
    run(ctx, {"labels.json": coco({"a.jpg": [5], "b.jpg": None})})
    assert changes(ctx, 2) == {"annotations": (0, 3, 0)}
    run(ctx, {"labels.json": coco({"a.jpg": [5, 20], "c.jpg": [5]})})
    assert changes(ctx, 3) == {"annotations": (1, 1, 0)}, "as many go from one image as come to another"


def test_images_that_went_take_their_labels_and_splits_along(ctx):
    pipeline.remove_images(helpers.again(ctx), "pets", ["b.jpg", "c.jpg"])
    run(ctx, {"d.jpg": PICTURES["a.jpg"], "labels.json": coco({"d.jpg": [9]})}, mode="update")
    assert changes(ctx, 2)["images"] == (0, 2, 1)
    assert changes(ctx, 2)["annotations"] == (1, 6, 0)
    assert changes(ctx, 2)["splits"][1] == 2
    run(ctx, {"b.jpg": PICTURES["b.jpg"]})
    assert changes(ctx, 3) == {"images": (1, 0, 0), "splits": (1, 0, 0)}


def test_copies_lie_in_the_split_of_the_published_image(ctx):
    splits = {row["image_key"]: row["split"] for row in ctx.tables.collect(gold.SPLIT_LOG, "pets")}
    other = next(name for name in ("train", "val", "test") if name != splits["a.jpg"])
    report = run(ctx, {f"{other}/copy.jpg": PICTURES["a.jpg"]})
    assert report.warnings["split.contradicts"] == 1
    assert changes(ctx, 2) == {"images": (1, 0, 0), "splits": (1, 0, 0)}
    rows = {row["image_key"]: row["split"] for row in ctx.tables.collect(gold.SPLIT_LOG, "pets")}
    assert rows["copy.jpg"] == splits["a.jpg"]


def test_what_is_measured_is_the_whole_draft(ctx):
    run(ctx, {"new.jpg": helpers.picture(50), "labels.json": coco({"new.jpg": [7]}, category="dog")})
    row = next(r for r in ctx.tables.collect(gold.VERSIONS, "pets") if r["number"] == 2)
    assert json.loads(row["class_stats"]) == {
        "cat": {"images": 6, "annotations": 12},
        "dog": {"images": 1, "annotations": 1},
    }
    of_splits = json.loads(row["split_stats"]).values()
    assert [sum(of[name] for of in of_splits) for name in ("images", "annotations")] == [7, 13]
    again = pipeline.publish_draft(helpers.again(ctx), PublishRequest("pets"))
    assert not again.published
