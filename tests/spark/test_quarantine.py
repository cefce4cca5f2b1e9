"""Refused rows as work: uploads built again under other severities, and exported rejections mended and delivered."""

from __future__ import annotations

import json

import pytest
from tests.spark import helpers
from tests.spark.drafts import annotations, boxes, coco, images, labelled, open_rules, rejections, rows

import imagelake
from imagelake.config.dataset_settings import settings_path
from imagelake.errors import UsageError
from imagelake.runs import pipeline
from imagelake.tables import silver

MASK = {"size": [5, 5], "counts": [0, 25]}
"""Run lengths that are good, of another size than the picture."""


@pytest.fixture
def ctx(spark, tmp_path):
    return helpers.context(spark, tmp_path / "lake")


def into(ctx, path, dataset="pets", **options):
    return helpers.into_draft(ctx, dataset, path, **options)


def exported(ctx, folder, **chosen):
    return imagelake.open(str(ctx.storage.folder)).export_rejections("pets", folder, **chosen)


def mend(folder, path, *changes):
    text = (folder / path).read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / path).write_text(text)


def pictures(*names):
    return {name: helpers.picture(int("".join(filter(str.isdigit, name)))) for name in names}


def test_mended_rejections_come_in_once_and_close(ctx, tmp_path):
    """Also those without an image: a document that could not be read, and an annotation of no image."""
    document = json.loads(coco({"a1.jpg": [1, -2], "a2.jpg": 3}))
    orphan = {"id": 9, "image_id": 77, "category_id": 1, "bbox": [7, 1, 2, 2]}
    document["annotations"].append(orphan)
    files = pictures("a1.jpg", "a2.jpg", "a3.jpg")
    labels = {"one.json": json.dumps(document).encode(), "two.json": coco({"a3.jpg": 5})[:-1]}
    into(ctx, helpers.write_zip(tmp_path / "up.zip", files | labels))
    assert boxes(ctx) == {"a1.jpg": [1.0], "a2.jpg": [3.0]}
    refused = {"annotation.box_degenerate": 1, "annotation.image_orphan": 1, "document.invalid_json": 1}
    assert open_rules(ctx) == refused
    folder = tmp_path / "mend"
    assert exported(ctx, folder).rejections == 3
    unmended = into(ctx, folder, format="coco")
    assert (open_rules(ctx), boxes(ctx)) == (refused, {"a1.jpg": [1.0], "a2.jpg": [3.0]}), "refused anew, and once"
    assert unmended.annotations.accepted == 0
    mend(folder, "one.json", ('"bbox": [2, 1, 2, 0]', '"bbox": [2, 1, 2, 2]'), ('"image_id": 77', '"image_id": 1'))
    mend(folder, "two.json", ('"cat"}]', '"cat"}]}'))
    done = into(ctx, folder, format="coco")
    assert done.problem is None
    assert boxes(ctx) == {"a1.jpg": [1.0, 2.0, 7.0], "a2.jpg": [3.0], "a3.jpg": [5.0]}
    assert open_rules(ctx) == {}
    assert {row["closed_by"] for row in rows(ctx, silver.REJECTIONS)} == {unmended.upload_id, done.upload_id}


@pytest.mark.nightly
def test_a_receipt_ends_only_what_it_names(ctx, tmp_path):
    document = coco({"a1.jpg": [1, -2], "a2.jpg": [-3], "b9.jpg": 4})
    into(ctx, helpers.write_zip(tmp_path / "up.zip", {**pictures("a1.jpg", "a2.jpg", "b8.jpg"), "one.json": document}))
    assert open_rules(ctx) == {
        "annotation.box_degenerate": 2, "annotation.image_unknown": 1, "image.file_missing": 1,
    }  # fmt: skip
    chosen = {"rules": ["image.file_missing", "annotation.image_unknown"]}
    exported(ctx, tmp_path / "names", **chosen)
    mend(tmp_path / "names", "one.json", ("b9.jpg", "b8.jpg"))
    into(ctx, tmp_path / "names", format="coco")
    assert open_rules(ctx) == {"annotation.box_degenerate": 2}
    assert boxes(ctx) == {"a1.jpg": [1.0], "b8.jpg": [4.0]}
    forged = tmp_path / "forged"
    exported(ctx, forged)
    (forged / "one.json").rename(forged / "other.json")
    into(ctx, forged, format="coco")
    places = sorted((r["image_key"], r["path"]) for r in rejections(ctx))
    assert places == [("a1.jpg", "other.json"), ("a2.jpg", "one.json"), ("a2.jpg", "other.json")], (
        "the file it names is not in the upload; of a1 a label was accepted"
    )


@pytest.mark.nightly
def test_refused_pictures_and_their_labels_come_in_together(ctx, tmp_path):
    whole = helpers.picture(2)
    files = {**pictures("a1.jpg"), "a2.jpg": whole[: len(whole) // 2], "one.json": coco({"a1.jpg": 1, "a2.jpg": 2})}
    into(ctx, helpers.write_zip(tmp_path / "up.zip", files))
    assert set(open_rules(ctx)) == {"image.unreadable", "annotation.image_rejected"}
    exported(ctx, tmp_path / "mend", rules=["image.*"])
    (tmp_path / "mend" / "a2.jpg").write_bytes(whole)
    into(ctx, tmp_path / "mend", format="coco")
    assert boxes(ctx) == {"a1.jpg": [1.0], "a2.jpg": [2.0]}
    assert open_rules(ctx) == {}


def masks():
    """A picture with a mask of the wrong size, whose box is good, and one with a polygon: no document holds boxes."""
    document = json.loads(coco({"a1.jpg": 1, "a2.jpg": 2}, kind="polygon"))
    document["annotations"][0]["bbox"] = [1, 1, 2, 2]
    document["annotations"][0]["segmentation"] = MASK
    return {**pictures("a1.jpg", "a2.jpg"), "one.json": json.dumps(document).encode()}


def as_read(ctx, dataset):
    """The rows of a draft, without where they came from."""
    labels = sorted((r["kind"], r["annotation_key"], r["row_hash"]) for r in annotations(ctx, dataset))
    return labels, [(r["image_key"], r["labelled"], r["row_hash"]) for r in images(ctx, dataset)]


@pytest.mark.nightly
def test_an_upload_built_again_under_other_severities_says_what_a_first_build_says(ctx, tmp_path):
    """A mask of another size is refused, and its box saved; once it is taken, the box does not stay beside it."""
    upload = helpers.write_zip(tmp_path / "up.zip", masks())
    first = into(ctx, upload)
    assert open_rules(ctx) == {"annotation.rle_size": 1}
    assert boxes(ctx) == {"a1.jpg": [1.0]}
    for dataset in ("pets", "clean"):
        ctx.storage.put(settings_path(dataset), b"severities: {annotation.rle_size: warn}\n")
    (report,) = pipeline.build_dataset(helpers.again(ctx), "pets", first.upload_id[:10])
    into(ctx, upload, "clean")
    assert as_read(ctx, "pets") == as_read(ctx, "clean")
    assert rejections(ctx) == []
    assert (report.status, report.rejections, report.annotations.removed) == ("built", 0, 1)
    assert report.before is not None
    assert (report.before.state, report.before.rejections, report.before.annotations.accepted) == ("built", 1, 2)
    (again,) = pipeline.build_dataset(helpers.again(ctx), "pets", first.upload_id)
    assert (again.status, again.before.sequence) == ("unchanged", report.sequence)
    into(ctx, helpers.write_zip(tmp_path / "b.zip", pictures("b1.jpg")))
    with pytest.raises(UsageError, match="begin with ''"):
        pipeline.build_dataset(helpers.again(ctx), "pets", "")


@pytest.mark.nightly
def test_boxes_of_others_stay_when_an_outline_comes_in(ctx, tmp_path):
    first = into(ctx, helpers.write_zip(tmp_path / "up.zip", masks()))
    (tmp_path / "boxes.json").write_bytes(coco({"a1.jpg": [1, 6]}))
    into(ctx, tmp_path / "boxes.json")
    ctx.storage.put(settings_path("pets"), b"severities: {annotation.rle_size: warn}\n")
    pipeline.build_dataset(helpers.again(ctx), "pets", first.upload_id, again=True)
    assert boxes(ctx)["a1.jpg"] == [1.0, 6.0]
    assert boxes(ctx, "rle")["a1.jpg"] == [1.0]
    assert labelled(ctx)["a1.jpg"] == ["box", "polygon", "rle"]
