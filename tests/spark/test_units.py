"""What an upload does to the labels of an image: which kinds it replaces, what refused labels leave, new bytes."""

from __future__ import annotations

import json

import pytest
from tests.spark import helpers
from tests.spark.drafts import annotations, boxes, coco, flags, images, labelled, open_rules, rejections, rows

from imagelake.formats import reader
from imagelake.tables import bronze, silver


@pytest.fixture
def ctx(spark, tmp_path):
    return helpers.context(spark, tmp_path / "lake")


def add(ctx, tmp_path, name, files, **options):
    return helpers.into_draft(ctx, "pets", helpers.write_zip(tmp_path / name, files), **options)


def say(ctx, tmp_path, document, name="labels.json", **options):
    path = tmp_path / name
    path.write_bytes(document)
    return helpers.into_draft(ctx, "pets", path, **options)


def pictures(*names):
    return {name: helpers.picture(n) for n, name in enumerate(names)}


@pytest.mark.nightly
def test_polygons_leave_boxes_alone(ctx, tmp_path):
    add(ctx, tmp_path, "a.zip", pictures("a.jpg", "b.jpg") | {"boxes.json": coco({"a.jpg": 1, "b.jpg": 2})})
    say(ctx, tmp_path, coco({"a.jpg": 4, "b.jpg": None}, kind="polygon"))
    assert boxes(ctx) == {"a.jpg": [1.0], "b.jpg": [2.0]}
    assert boxes(ctx, "polygon") == {"a.jpg": [4.0]}
    assert labelled(ctx) == {"a.jpg": ["box", "polygon"], "b.jpg": ["box", "polygon"]}
    say(ctx, tmp_path, coco({"b.jpg": None}))
    assert boxes(ctx) == {"a.jpg": [1.0]}, "a document without any annotation speaks of boxes"


@pytest.mark.nightly
def test_refused_labels_make_no_negative_and_leave_what_was_there(ctx, tmp_path):
    names = ("all.jpg", "some.jpg", "none.jpg")
    first = {"all.jpg": -1, "some.jpg": [-1, 5], "none.jpg": None}
    report = add(ctx, tmp_path, "a.zip", pictures(*names) | {"boxes.json": coco(first)})
    assert labelled(ctx) == {"all.jpg": [], "none.jpg": ["box"], "some.jpg": ["box"]}
    assert flags(ctx, "image.labels_rejected") == ["some.jpg"]
    assert report.warnings["image.labels_rejected"] == 1
    say(ctx, tmp_path, coco({"all.jpg": 2, "some.jpg": 6}))
    assert boxes(ctx) == {"all.jpg": [2.0], "some.jpg": [6.0]}
    assert (flags(ctx, "image.labels_rejected"), open_rules(ctx)) == ([], {}), "their own keys were accepted"
    say(ctx, tmp_path, coco({"some.jpg": -7}))
    assert boxes(ctx) == {"all.jpg": [2.0], "some.jpg": [6.0]}, "nobody knows what it says of some.jpg"
    assert labelled(ctx)["some.jpg"] == ["box"]


@pytest.mark.nightly
def test_rejections_close_by_their_own_key_and_not_because_a_document_has_their_name(ctx, tmp_path):
    add(ctx, tmp_path, "a.zip", pictures("a.jpg", "b.jpg") | {"labels.json": coco({"a.jpg": -1, "ghost.jpg": None})})
    assert open_rules(ctx) == {"annotation.box_degenerate": 1, "image.file_missing": 1}
    say(ctx, tmp_path, coco({"b.jpg": 3}))
    assert open_rules(ctx) == {"annotation.box_degenerate": 1, "image.file_missing": 1}
    say(ctx, tmp_path, coco({"a.jpg": 3}))
    assert open_rules(ctx) == {"image.file_missing": 1}
    broken = pictures("c.jpg", "d.jpg") | {"x/one.json": coco({"d.jpg": 1})[:-9], "two.json": coco({"c.jpg": 1})}
    add(ctx, tmp_path, "c.zip", broken)
    assert open_rules(ctx)["document.invalid_json"] == 1
    add(ctx, tmp_path, "other.zip", pictures("e.jpg", "f.jpg") | {"x/one.json": coco({"e.jpg": 1})})
    assert open_rules(ctx)["document.invalid_json"] == 1, "another upload has a document of that name"
    mended = pictures("c.jpg", "d.jpg") | {"x/one.json": coco({"d.jpg": 1}), "two.json": coco({"c.jpg": 1})}
    add(ctx, tmp_path, "c.zip", mended)
    assert "document.invalid_json" not in open_rules(ctx), "the upload of that source, mended"


@pytest.mark.nightly
def test_labels_that_are_all_refused_before_their_image_comes_make_no_negative(ctx, tmp_path):
    document = json.loads(coco({"a.jpg": 1, "b.jpg": None}))
    document["annotations"][0]["bbox"] = [1, 1, None, 2]
    say(ctx, tmp_path, json.dumps(document).encode())
    assert open_rules(ctx) == {"image.file_missing": 2, "annotation.bbox_not_finite": 1}
    add(ctx, tmp_path, "a.zip", pictures("a.jpg", "b.jpg"))
    assert labelled(ctx) == {"a.jpg": [], "b.jpg": ["box"]}
    assert open_rules(ctx) == {"annotation.bbox_not_finite": 1}


@pytest.mark.nightly
def test_a_document_that_comes_corrected_before_its_images_counts_with_what_it_says_now(ctx, tmp_path):
    document = json.loads(coco({"a.jpg": 1}))
    for patient in ("p1", "p2"):
        document["images"][0]["patient"] = patient
        say(ctx, tmp_path, json.dumps(document).encode())
    add(ctx, tmp_path, "a.zip", pictures("a.jpg"))
    assert boxes(ctx) == {"a.jpg": [1.0]}
    assert [json.loads(row["attributes"]) for row in images(ctx)] == [{"patient": "p2"}]


@pytest.mark.nightly
def test_new_bytes_of_another_size_take_the_labels_along_and_of_the_same_size_are_flagged(ctx, tmp_path):
    names = ("wide.jpg", "same.jpg", "both.jpg")
    add(ctx, tmp_path, "a.zip", pictures(*names) | {"boxes.json": coco(dict.fromkeys(names, 40))})
    new = {
        "wide.jpg": helpers.picture(11, (30, 30)),
        "same.jpg": helpers.picture(12),
        "both.jpg": helpers.picture(13, (30, 30)),
    }
    document = coco({"both.jpg": 3}, size=(30, 30))
    report = add(ctx, tmp_path, "b.zip", new | {"boxes.json": document}, mode="update")
    assert boxes(ctx) == {"both.jpg": [3.0], "same.jpg": [40.0]}
    assert labelled(ctx) == {"both.jpg": ["box"], "same.jpg": ["box"], "wide.jpg": []}
    assert report.annotations.removed == 2
    assert report.warnings["image.labels_dropped"] == 1
    assert flags(ctx, "image.bytes_changed") == ["same.jpg"]
    say(ctx, tmp_path, coco({"same.jpg": 41}))
    assert flags(ctx, "image.bytes_changed") == []


def test_a_damaged_file_is_a_rejection_and_reaches_no_reader(ctx, tmp_path):
    files = pictures("a.jpg", "b.jpg") | {
        "README.md": b"read me",
        "one.json": coco({"a.jpg": 1}),
        "two.json": coco({"b.jpg": 2}),
    }
    path = helpers.write_zip(tmp_path / "a.zip", files)
    data = path.read_bytes()
    for content in (b"read me", files["two.json"]):
        at = data.index(content)
        data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    path.write_bytes(data)
    report = helpers.into_draft(ctx, "pets", path)
    assert report.status == "accepted"
    assert sorted((r["entity"], r["path"], r["rule"]) for r in rejections(ctx)) == [
        ("file", "README.md", "file.crc_mismatch"),
        ("file", "two.json", "file.crc_mismatch"),
    ]
    assert boxes(ctx) == {"a.jpg": [1.0]}
    assert (report.files.read, report.files.rejected, report.files.accepted) == (5, 2, 3)


@pytest.mark.nightly
def test_a_category_that_is_its_own_parent_is_trained_and_attributes_alone_are_updated(ctx, tmp_path):
    document = json.loads(coco({"a.jpg": 1}))
    document["categories"] = [
        {"id": 1, "name": " cat ", "supercategory": "animals"},
        {"id": 2, "name": "animals", "supercategory": "none"},
        {"id": 3, "name": "person", "supercategory": "person"},
        {"id": 4, "name": "Per son"},
    ]
    report = add(ctx, tmp_path, "a.zip", pictures("a.jpg", "b.jpg") | {"labels.json": json.dumps(document).encode()})
    index = {row["name"]: row["train_index"] for row in rows(ctx, silver.CATEGORIES)}
    assert index == {"cat": 0, "animals": None, "person": 1, "Per son": 2}
    assert report.infos["category.root"] == 1
    assert report.warnings["category.similar_name"] == 1
    document["categories"][0]["colour"] = "red"
    document["annotations"][0]["area"] = 3.5
    say(ctx, tmp_path, json.dumps(document).encode())
    cat = next(row for row in rows(ctx, silver.CATEGORIES) if row["name"] == "cat")
    assert json.loads(cat["attributes"]) == {"colour": "red"}
    assert [a["area"] for a in annotations(ctx)] == [3.5]


@pytest.mark.nightly
def test_equal_annotations_can_be_refused_and_images_that_no_document_lists(ctx, tmp_path):
    ctx.storage.put("datasets/pets.yaml", b"severities: {annotation.duplicate: quarantine}\nunlisted_images: reject\n")
    report = add(ctx, tmp_path, "a.zip", pictures("a.jpg", "b.jpg") | {"labels.json": coco({"a.jpg": [1, 1, 2]})})
    assert boxes(ctx) == {"a.jpg": [1.0, 2.0]}
    assert [i["image_key"] for i in images(ctx)] == ["a.jpg"]
    assert open_rules(ctx) == {"annotation.duplicate": 1, "image.unlisted": 1}
    assert (report.annotations.rejected, report.images.rejected) == (1, 1)
    uploads = ctx.tables.collect(bronze.UPLOADS, "pets")
    assert {row["reader_version"] for row in uploads} == {reader("coco").version}


def test_counts_that_do_not_add_up_fail_the_upload(ctx, tmp_path, monkeypatch):
    from imagelake.silver import counts

    monkeypatch.setattr(counts, "_accepted", lambda applied: [])
    report = add(ctx, tmp_path, "a.zip", pictures("a.jpg", "b.jpg") | {"labels.json": coco({"a.jpg": 1})})
    assert (report.status, report.exit_code) == ("failed", 1)
    assert "read" in report.problem
    assert images(ctx) == [], "nothing of it is in the draft"
    monkeypatch.undo()
    again = helpers.into_draft(ctx, "pets", tmp_path / "a.zip")
    assert (again.status, len(images(ctx))) == ("accepted", 2), "a failed upload is tried again"


def test_labels_that_waited_enter_where_all_newer_ones_are_refused(ctx, tmp_path):
    say(ctx, tmp_path, coco({"a.jpg": 7, "b.jpg": 3, "c.jpg": None}))
    add(
        ctx,
        tmp_path,
        "b.zip",
        pictures("a.jpg", "b.jpg", "c.jpg") | {"own.json": coco({"a.jpg": -1, "b.jpg": 5, "c.jpg": -1})},
    )
    assert boxes(ctx) == {"a.jpg": [7.0], "b.jpg": [5.0]}, "refused labels leave alone what was said before"
    assert labelled(ctx) == {"a.jpg": ["box"], "b.jpg": ["box"], "c.jpg": ["box"]}
    assert flags(ctx, "image.labels_rejected") == ["a.jpg", "c.jpg"]
