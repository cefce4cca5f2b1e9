"""Broken and hostile uploads: a clear refusal, or named rejections and the good rows through."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.spark import helpers

from imagelake.tables import silver


@pytest.fixture(scope="module")
def ctx(spark, tmp_path_factory):
    return helpers.context(spark, tmp_path_factory.mktemp("bad") / "lake")


def annotation(name):
    """A VOC document with one cat."""
    return (
        f"<annotation><filename>{name}</filename><size><width>64</width><height>48</height></size><object>"
        "<name>cat</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    ).encode()


def rules(ctx, dataset):
    return {r["rule"] for r in ctx.tables.collect(silver.REJECTIONS, dataset) if r["closed_at"] is None}


@pytest.mark.parametrize(
    ("name", "data"),
    [("text", b"this is not a zip"), ("empty", b"PK\x05\x06" + bytes(18)), ("cut", b"PK\x03\x04" + bytes(40))],
)
def test_what_is_no_zip_is_refused_with_exit_code_three(ctx, tmp_path, name, data):
    path = tmp_path / f"{name}.zip"
    path.write_bytes(data)
    report = helpers.into_draft(ctx, f"bad-{name}", path)
    assert (report.status, report.exit_code) == ("rejected", 3)
    assert report.problem


def test_traversal_is_refused_and_a_refused_upload_is_always_tried_again(ctx, tmp_path):
    path = helpers.write_zip(tmp_path / "t.zip", {"../evil.jpg": helpers.picture(1), "ok.jpg": helpers.picture(2)})
    assert [helpers.into_draft(ctx, "climb", path).status for _ in range(2)] == ["rejected", "rejected"]


def test_every_defect_is_named_and_the_good_rows_come_through(ctx, tmp_path):
    a = helpers.small(4, start=500)
    names = list(a.images)
    whole = a.document()
    good = whole["annotations"][-1]
    broken = [
        {**good, "id": 101, "image_id": 999},
        {**good, "id": 102, "category_id": 77},
        {**good, "id": 103, "bbox": [float("nan"), 1, 2, 3]},
        {**good, "id": 104, "segmentation": [[0, 0, 1e9, 0, 1e9, 1e9]], "bbox": [1, 1, 5, 5]},
        {**good, "id": 105, "bbox": [5, 5, 0, 5]},
        {**good, "id": 106, "bbox": [50, 40, 30, 30]},
        {**good, "id": 1},
    ]
    whole["annotations"] += broken
    whole["images"][0]["width"] = 4000
    whole["images"].append({"id": 50, "file_name": "gone.jpg", "width": 64, "height": 48})
    files = {**a.files(), "annotations.json": json.dumps(whole).encode()}
    files[f"images/{names[1]}"] = a.images[names[1]][:-40]
    report = helpers.into_draft(ctx, "defects", helpers.write_zip(tmp_path / "d.zip", files))
    assert report.status == "accepted"
    assert rules(ctx, "defects") >= {
        "annotation.image_orphan",
        "annotation.category_unknown",
        "annotation.bbox_not_finite",
        "annotation.polygon_out_of_bounds",
        "annotation.box_degenerate",
        "annotation.size_mismatch",
        "annotation.image_rejected",
        "image.unreadable",
        "image.file_missing",
    }
    keys = {i["image_key"] for i in ctx.tables.collect(silver.IMAGES, "defects")}
    assert keys == {names[0], names[2], names[3]}
    assert report.annotations.accepted == 7  # the box of the polygon that is refused is one of them
    (cut,) = [a for a in ctx.tables.collect(silver.ANNOTATIONS, "defects") if "annotation.box_clipped" in a["flags"]]
    assert (cut["bbox"]["w"], cut["bbox"]["h"]) == (14.0, 8.0)
    assert report.images.read == report.images.accepted + report.images.rejected
    assert report.annotations.read == report.annotations.accepted + report.annotations.rejected


def test_a_hostile_document_never_comes_through(ctx, tmp_path):
    bomb = b'<!DOCTYPE a [<!ENTITY x "y">]>' + annotation("p.jpg").replace(b"cat", b"&x;")
    fine = annotation("q.jpg")
    files = {"Annotations/p.xml": bomb, "Annotations/q.xml": fine}
    files |= {"JPEGImages/p.jpg": helpers.picture(601), "JPEGImages/q.jpg": helpers.picture(602)}
    report = helpers.into_draft(ctx, "xml", helpers.write_zip(tmp_path / "x.zip", files))
    assert (report.annotations.accepted, report.files.rejected) == (1, 1)
    assert rules(ctx, "xml") == {"document.xml_forbidden"}
    yaml = b"names: &a [*a]\n"
    files = {"data.yaml": yaml, "images/r.jpg": helpers.picture(603), "labels/r.txt": b"0 0.5 0.5 0.2 0.2\n"}
    report = helpers.into_draft(ctx, "yaml", helpers.write_zip(tmp_path / "y.zip", files))
    assert "document.invalid_yaml" in rules(ctx, "yaml")
    assert report.images.accepted == 1


def test_two_formats_at_once_are_refused_unless_one_is_named(ctx, tmp_path):
    a = helpers.small(1, start=700)
    path = helpers.write_zip(tmp_path / "two.zip", {**a.files(), "Annotations/p700.xml": annotation("p700.jpg")})
    report = helpers.into_draft(ctx, "both", path)
    assert report.status == "rejected"
    assert "coco" in report.problem
    assert "voc" in report.problem
    assert helpers.into_draft(ctx, "both", path, format="coco").status == "accepted"


@pytest.mark.nightly
def test_severities_of_the_dataset_count(ctx, tmp_path):
    a = helpers.small(1, start=800)
    wide = replace(a, boxes={n: [("cat", (50.0, 40.0, 30.0, 30.0))] for n in a.boxes})
    ctx.storage.put("datasets/strict.yaml", b"severities:\n  annotation.box_clipped: quarantine\n")
    report = helpers.into_draft(ctx, "strict", helpers.write_zip(tmp_path / "l.zip", wide.files()))
    assert rules(ctx, "strict") == {"annotation.box_clipped"}
    assert report.annotations.rejected == 1
