"""Uploads as people have them: what is said of files nobody reads, and where labels lie on turned pictures."""

from __future__ import annotations

import json

import pytest
from tests.spark import helpers
from tests.spark.drafts import annotations, boxes, coco, images, rejections

from imagelake.bronze.request import IngestRequest
from imagelake.config.dataset_settings import settings_path
from imagelake.errors import UploadRejected
from imagelake.runs import pipeline


@pytest.fixture
def ctx(spark, tmp_path):
    return helpers.context(spark, tmp_path / "lake")


def add(ctx, tmp_path, files, **options):
    return helpers.into_draft(ctx, "pets", helpers.write_zip(tmp_path / "a.zip", files), **options)


def yolo(*rows):
    return "".join(f"{row}\n" for row in rows).encode()


def test_what_nobody_reads_is_named_in_the_report(ctx, tmp_path):
    captions = {"images": [], "annotations": [{"id": 1, "image_id": 1, "caption": "a cat"}]}
    files = {
        "images/train/a.jpg": helpers.picture(1),
        "images/val/b.jpg": helpers.picture(2),
        "labels.json": coco({"a.jpg": 1, "b.jpg": 2}),
        "captions.json": json.dumps(captions).encode(),
        "poses.bin": b"poses",
        "README.md": b"pets",
    }
    report = add(ctx, tmp_path, files)
    assert report.status == "accepted"
    assert report.warnings["upload.labels_not_read"] == 1
    assert report.problem == (
        "labels that no reader takes: 1 file looks like COCO captions (captions.json): not supported yet"
    )
    assert report.notices == ("read by no reader: poses.bin", "uploaded splits: train 1, val 1")
    assert report.exit_code == 0


def test_an_upload_of_which_nothing_can_be_used_is_refused_with_the_reasons(ctx, tmp_path):
    files = {"cats/1.jpg": b"", "cats/2.jpg": b"", "dogs/1.jpg": b"no picture", "README.md": b"pets"}
    report = add(ctx, tmp_path, files)
    assert (report.status, report.exit_code) == ("rejected", UploadRejected.exit_code)
    assert "of 4 files 2 image.empty, 1 image.unreadable, 1 meta" in report.problem
    assert images(ctx) == []
    assert rejections(ctx) == []


def test_shares_are_of_the_upright_picture_and_what_six_decimals_round_away_is_no_clipping(ctx, tmp_path):
    turned = helpers.picture(1, (96, 64), exif=_exif(6))
    # upright 64 x 96: the box 24,70 30x20 there is 70,10 20x30 in the raw picture
    row = f"0 {(24 + 15) / 64:.6f} {(70 + 10) / 96:.6f} {30 / 64:.6f} {20 / 96:.6f}"
    edge = helpers.picture(2, (63, 47))
    files = {
        "images/turned.jpg": turned,
        "labels/turned.txt": yolo(row),
        "images/edge.jpg": edge,
        "labels/edge.txt": yolo(f"0 {1 - 10 / 63:.6f} 0.500000 {20 / 63:.6f} 1.000000"),
        "data.yaml": b"names: [cat]",
    }
    add(ctx, tmp_path, files)
    found = {row["image_key"]: row for row in annotations(ctx)}
    assert [round(found["turned.jpg"]["bbox"][side], 3) for side in "xywh"] == [70, 10, 20, 30]
    assert (found["turned.jpg"]["box_space"], found["turned.jpg"]["flags"]) == (
        "oriented",
        ["annotation.box_space_assumed"],
    )
    assert found["edge.jpg"]["flags"] == []
    assert found["edge.jpg"]["bbox"]["x"] + found["edge.jpg"]["bbox"]["w"] <= 63


@pytest.mark.nightly
def test_a_dataset_may_say_that_shares_are_of_the_raw_picture(ctx, tmp_path):
    ctx.storage.put(settings_path("pets"), b"yolo_space: raw\n")
    files = {"images/a.jpg": helpers.picture(1, (96, 64), exif=_exif(6)), "labels/a.txt": yolo("0 0.5 0.5 0.5 0.25")}
    add(ctx, tmp_path, {**files, "data.yaml": b"names: [cat]"})
    (row,) = annotations(ctx)
    assert [row["bbox"][side] for side in "xywh"] == [24, 24, 48, 16]
    assert (row["box_space"], row["flags"]) == ("raw", ["annotation.box_space_assumed"])


@pytest.mark.nightly
def test_a_label_whose_image_row_was_refused_says_so(ctx, tmp_path):
    document = json.loads(coco({"a.jpg": 1, "b.jpg": 2}))
    document["images"][1]["file_name"] = "../b.jpg"
    add(ctx, tmp_path, {"a.jpg": helpers.picture(1), "labels.json": json.dumps(document).encode()})
    assert boxes(ctx) == {"a.jpg": [1.0]}
    refused = {row["rule"]: row["message"] for row in rejections(ctx)}
    assert set(refused) == {"image.path_hostile", "annotation.image_rejected"}
    assert refused["annotation.image_rejected"] == "the row of image 2 was refused"


@pytest.mark.nightly
def test_a_box_stays_where_its_outline_is_refused_and_makes_no_negative_of_the_outline(ctx, tmp_path):
    document = json.loads(coco({"a.jpg": 1, "b.jpg": 2}, kind="polygon"))
    document["annotations"][0] |= {"bbox": [1, 1, 2, 2], "segmentation": [[1, 1]]}
    files = {"a.jpg": helpers.picture(1), "b.jpg": helpers.picture(2), "labels.json": json.dumps(document).encode()}
    report = add(ctx, tmp_path, files)
    assert (report.annotations.accepted, report.annotations.rejected) == (2, 1)
    assert {row["image_key"]: row["labelled"] for row in images(ctx)} == {"a.jpg": ["box"], "b.jpg": ["box", "polygon"]}
    assert [row["rule"] for row in rejections(ctx)] == ["annotation.polygon_invalid"]


@pytest.mark.nightly
def test_a_box_and_its_outline_are_judged_apart_where_one_lies_nowhere_near_the_image(ctx, tmp_path):
    near, far = [1, 1, 5, 1, 1, 5], [1, 1, 9000, 1, 1, 5]
    document = json.loads(coco({name: 1 for name in ("far.jpg", "half.jpg", "off.jpg")}))
    shapes = (
        {"bbox": [1, 1, 2, 2], "segmentation": [far]},
        {"bbox": [1, 1, 3, 2], "segmentation": {"size": [2, 2], "counts": [0, 4]}},
        {"bbox": [-90, -90, 2, 2], "segmentation": [near]},
    )
    for row, shape in zip(document["annotations"], shapes, strict=True):
        row |= shape
    pictures = {name: helpers.picture(seed) for seed, name in enumerate(("far.jpg", "half.jpg", "off.jpg"))}
    add(ctx, tmp_path, {**pictures, "labels.json": json.dumps(document).encode()})
    rows = {row["image_key"]: row for row in annotations(ctx)}
    shape = {key: (row["kind"], [row["bbox"][side] for side in "xywh"], row["area"]) for key, row in rows.items()}
    assert shape == {
        "far.jpg": ("box", [1, 1, 2, 2], 4),
        "half.jpg": ("box", [1, 1, 3, 2], 6),
        "off.jpg": ("polygon", [1, 1, 4, 4], 8),
    }
    assert [key for key, row in rows.items() if "annotation.bbox_dropped" in row["flags"]] == ["off.jpg"]
    refused = {row["rule"]: (row["image_key"], row["kind"]) for row in rejections(ctx)}
    assert refused == {
        "annotation.polygon_out_of_bounds": ("far.jpg", "polygon"),
        "annotation.rle_size": ("half.jpg", "rle"),
    }


@pytest.mark.nightly
def test_lines_of_split_lists_may_be_stems_that_end_like_a_picture(ctx, tmp_path):
    pictures = {"photo.webp.jpg": 1, "2021.01.mp4_7.jpg": 2, "whole.jpg": 3, "x.webp": 4, "x.webp.jpg": 5}
    files = {f"JPEGImages/{name}": helpers.picture(seed) for name, seed in pictures.items()}
    xml = "<annotation><filename>whole.jpg</filename></annotation>"
    lists = {"train": "photo.webp\n2021.01.mp4_7\n", "val": "whole.jpg\nx.webp\n"}
    lines = {f"ImageSets/Main/{name}.txt": text.encode() for name, text in lists.items()}
    add(ctx, tmp_path, {**files, **lines, "Annotations/whole.xml": xml.encode()})
    assert {row["image_key"]: row["split"] for row in images(ctx)} == {
        "photo.webp.jpg": "train",
        "2021.01.mp4_7.jpg": "train",
        "whole.jpg": "val",
        "x.webp": "val",
        "x.webp.jpg": None,
    }


@pytest.mark.nightly
def test_of_equal_rows_all_but_the_first_are_flagged_wherever_the_first_came_from(ctx, tmp_path):
    files = {"a.jpg": helpers.picture(1), "one.json": coco({"a.jpg": [1, 1]}), "two.json": coco({"a.jpg": [1]})}
    add(ctx, tmp_path, files)
    assert sorted("annotation.duplicate" in row["flags"] for row in annotations(ctx)) == [False, True, True]
    labels = tmp_path / "again.json"
    labels.write_bytes(coco({"a.jpg": [1, 1]}))
    pipeline.take_uploads(helpers.again(ctx), "pets", [IngestRequest("pets", str(labels))], auto=False)
    assert sorted("annotation.duplicate" in row["flags"] for row in annotations(ctx)) == [False, True]


def _exif(orientation):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
