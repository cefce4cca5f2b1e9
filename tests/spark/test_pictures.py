"""Pictures of every kind on their way into the draft."""

from __future__ import annotations

import pytest
from tests.spark import helpers
from tests.spark.drafts import boxes, coco, flags, images, open_rules, rejections

from imagelake.quality.near_duplicates import DISTANCE
from imagelake.tables.bronze import STATISTICS

PSD = b"8BPS\0\1" + bytes(range(256))
RAW = b"II*\0\x10\0\0\0CR\2\0" + bytes(range(256))


@pytest.fixture(scope="module")
def ctx(spark, tmp_path_factory):
    return helpers.context(spark, tmp_path_factory.mktemp("pictures") / "lake")


@pytest.mark.nightly
def test_every_kind_that_is_read_comes_in_under_any_name_and_others_are_named(ctx, tmp_path):
    pictures = {
        "a.avif": helpers.picture(1, form="AVIF"),
        "b.jp2": helpers.picture(2, form="JPEG2000"),
        "c.ppm": helpers.picture(3, form="PPM"),
        "d.pnm": helpers.picture(4, form="PPM"),
        "e.j2k": helpers.picture(5, form="AVIF"),
        "license.jpg": helpers.picture(6),
        "notice.1.png": helpers.picture(7, form="PNG"),
    }
    document = coco({**dict.fromkeys(pictures, 5), "f.psd": 5})
    files = {"annotations.json": document, **{f"images/{n}": data for n, data in pictures.items()}, "images/f.psd": PSD}
    files["images/.ipynb_checkpoints/license-checkpoint.jpg"] = helpers.picture(8)
    report = helpers.into_draft(ctx, "kinds", helpers.write_zip(tmp_path / "a.zip", files))
    assert report.status == "accepted"
    assert [row["image_key"] for row in images(ctx, "kinds")] == sorted(pictures)
    assert boxes(ctx, dataset="kinds") == {key: [5.0] for key in sorted(pictures)}
    assert flags(ctx, "image.suffix", "kinds") == ["e.j2k"]
    assert open_rules(ctx, "kinds") == {"image.unsupported_format": 1, "annotation.image_rejected": 1}
    (refused,) = [row for row in rejections(ctx, "kinds") if row["rule"] == "image.unsupported_format"]
    assert refused["message"].startswith("f.psd is a Photoshop document, which is not read; ")
    assert report.files.ignored == 1


@pytest.mark.nightly
def test_a_raw_file_beside_its_developed_picture_leaves_that_its_label(ctx, tmp_path):
    files = {
        "data.yaml": b"names: [cat]\n",
        "images/a.jpg": helpers.picture(11),
        "images/a.cr2": RAW,
        "labels/a.txt": b"0 0.5 0.5 0.2 0.2\n",
    }
    helpers.into_draft(ctx, "raw", helpers.write_zip(tmp_path / "b.zip", files))
    assert list(boxes(ctx, dataset="raw")) == ["a.jpg"]
    assert open_rules(ctx, "raw") == {"image.unsupported_format": 1}


def test_what_a_picture_looks_like_is_a_column_of_the_draft_and_stays_there(ctx, tmp_path):
    files = {"a.jpg": helpers.picture(21, form="JPEG"), "b.png": helpers.picture(21, form="PNG")}
    helpers.into_draft(ctx, "looks", helpers.write_zip(tmp_path / "c.zip", files))
    first, second = images(ctx, "looks")
    assert None not in [first[column.name] for column in STATISTICS]
    assert (int(first["phash"], 16) ^ int(second["phash"], 16)).bit_count() <= DISTANCE
    assert (first["bit_depth"], len(first["phash"])) == (8, 16)
    document = coco({"a.jpg": 5})
    helpers.into_draft(ctx, "looks", helpers.write_zip(tmp_path / "d.zip", {"annotations.json": document}))
    labelled = images(ctx, "looks")[0]
    assert labelled["labelled"] == ["box"]
    assert [labelled[column.name] for column in STATISTICS] == [first[column.name] for column in STATISTICS]
