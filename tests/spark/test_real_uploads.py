"""The real uploads beside the checkout, the whole way, with the counts people have verified by hand."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from tests.spark import helpers

import imagelake
import raw_uploads
from imagelake.bronze.request import IngestRequest
from imagelake.runs import pipeline
from imagelake.tables import bronze, gold, ops, silver
from report_statistics import counted, said

pytestmark = pytest.mark.data

LATER = (
    silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS,
    gold.IMAGE_LOG, gold.ANNOTATION_LOG, gold.CATEGORY_LOG, gold.SPLIT_LOG, gold.CLOSINGS, gold.VERSIONS,
)  # fmt: skip

EXPECTED = {
    "bccd-voc": (364, 4886, 2, {"train": 205, "val": 87, "test": 72}),
    "raccoon-voc": (200, 217, 0, None),
    "facemask-coco": (848, 4021, 0, {"train": 677, "val": 171}),
    "chess-coco": (289, 2870, 0, {"train": 202, "val": 58, "test": 29}),
    "exif-orientation": (18, 0, 0, None),
}
OFTEN = ("bccd-voc", "exif-orientation")


@pytest.fixture(scope="module")
def ctx(real_uploads):
    return real_uploads.ctx


@pytest.fixture
def lake(real_uploads):
    return imagelake.open(str(real_uploads.path))


def cases(*names):
    """Two of five are enough for every change."""
    for name in names or EXPECTED:
        yield pytest.param(name, marks=[] if name in OFTEN else [pytest.mark.nightly])


@pytest.mark.parametrize("name", list(cases()))
def test_counts_splits_and_rejections_are_as_verified_by_hand(real_uploads, lake, name, capsys):
    images, annotations, rejected, splits = EXPECTED[name]
    report, made = real_uploads.take(name)
    with capsys.disabled():
        print(f"\n{name}: {made} commits beside the two of ops.runs")
    assert made + 2 <= 16
    assert report.status == "accepted"
    assert (report.images.accepted, report.images.read) == (images, images)
    assert (report.annotations.accepted, report.annotations.rejected) == (annotations, rejected)
    shown = lake.show(report.version).as_json()
    assert (shown["images"], shown["annotations"]) == (images, annotations)
    if splits is not None:
        assert {k: v["images"] for k, v in shown["splits"].items()} == splits


@pytest.mark.parametrize("name", list(cases("bccd-voc", "raccoon-voc", "chess-coco", "facemask-coco")))
def test_the_report_says_what_an_independent_count_of_the_files_says(real_uploads, lake, shared_data, name):
    """Of duplicates, imbalance, outliers and split coverage; raccoon-voc names no splits: those are the lake's."""
    report, _ = real_uploads.take(name)
    raw = raw_uploads.read(shared_data / f"{name}.zip")
    if name == "raccoon-voc":
        rows = lake.sql("select image_key, split from images", at=report.version).as_json()["rows"]
        raw = raw.in_splits({Path(key).name: split for key, split in rows})
    expected = counted(raw.pictures, raw.boxes, raw.roots, raw.names)
    assert said(lake, report.version) == expected
    if name == "raccoon-voc":
        assert expected["duplicates"] == (4, 8, 0)
    if name == "chess-coco":
        assert (raw.roots, expected["labels"]) == (("pieces",), (288, 1, 0))
        assert expected["missing"] == {"bishop": {"val", "test"}}
        assert expected["imbalance"] == (659, True)


@pytest.mark.parametrize("name", list(cases("bccd-voc", "raccoon-voc", "chess-coco", "facemask-coco")))
def test_the_gate_has_counted_what_the_report_counts(real_uploads, lake, name):
    """Spark counts the one and DuckDB the other."""
    report, _ = real_uploads.take(name)
    rows = real_uploads.ctx.tables.collect(ops.QUALITY, report.dataset)
    measured = {row["measure"]: row["value"] for row in rows if row["rule"]}
    document = lake.report(report.version).as_json()
    spread = document["distributions"]
    outliers = {name: o["outliers"] for name, o in spread["outliers"].items()}
    sides = [outliers[f"box_{side}"] for side in ("width", "height")]
    assert max(sides) <= measured["size_outliers"] <= sum(sides)
    assert measured["crowded_images"] == outliers["annotations_per_image"]
    assert measured["odd_sizes"] == outliers["image_size"]
    assert measured["class_imbalance"] == (spread["imbalance"]["ratio"] if spread["imbalance"] else 1)
    assert measured["class_scarce"] == len(spread["classes_without_examples"])
    alike = document["duplicates"].get("near_duplicates", {"images": 0, "across_splits": 0})
    assert measured["near_duplicates"] == alike["images"]
    assert (measured["near_duplicates_across"] > 0) == (alike["across_splits"] > 0)
    assert {row["severity"] for row in rows if row["rule"]} == {"warn", "info"}


def test_the_digest_of_bccd_is_what_it_always_was(real_uploads, lake):
    real_uploads.take("bccd-voc")
    assert lake.verify("bccd@v1").as_json()["digest"] == helpers.BCCD_DIGEST


def test_degenerate_boxes_of_bccd_are_named(real_uploads, lake):
    real_uploads.take("bccd-voc")
    found = lake.rejections("bccd").as_json()["rejections"]
    assert sorted(r["path"] for r in found) == ["Annotations/BloodImage_00338.xml", "Annotations/BloodImage_00343.xml"]
    assert {r["rule"] for r in found} == {"annotation.box_degenerate"}


@pytest.mark.nightly
def test_identical_bytes_of_raccoon_are_flagged_and_share_a_split(real_uploads, lake):
    real_uploads.take("raccoon-voc")
    rows = lake.sql(
        "select content_hash, count(*) n, count(distinct split) splits, "
        "bool_and(list_contains(flags, 'image.duplicate_bytes')) flagged from images where dataset = 'raccoon' "
        "group by 1 having n > 1"
    ).as_json()["rows"]
    assert len(rows) == 4
    assert all(splits == 1 and flagged for _, _, splits, flagged in rows)


@pytest.mark.nightly
def test_facemask_ignores_what_the_mac_left(ctx, real_uploads):
    real_uploads.take("facemask-coco")
    built = [r for r in ctx.tables.collect(bronze.UPLOADS, "facemask") if r["state"] == "built"]
    assert built[0]["files"]["ignored"] == 2


@pytest.mark.nightly
def test_chess_keeps_its_oddities(real_uploads, lake):
    real_uploads.take("chess-coco")
    duplicates = lake.sql(
        "select count(*) from annotations where dataset = 'chess' and list_contains(flags, 'annotation.duplicate')"
    ).as_json()["rows"][0][0]
    assert duplicates == 1, "two equal boxes, of which the second is flagged"
    outside = lake.sql("select name from categories where dataset = 'chess' and train_index is null").as_json()["rows"]
    assert len(outside) == 1
    empty = lake.sql(
        "select count(*) from images i where dataset = 'chess' and not exists "
        "(select 1 from annotations a where a.dataset = 'chess' and a.image_key = i.image_key)"
    ).as_json()["rows"][0][0]
    assert empty == 1


def test_exif_sizes_are_right_raw_and_oriented(real_uploads, lake):
    real_uploads.take("exif-orientation")
    rows = lake.sql(
        "select image_key, width, height, orientation, oriented_width, oriented_height from images "
        "where dataset = 'exif'"
    ).as_json()["rows"]
    for key, width, height, orientation, shown_width, shown_height in rows:
        landscape = key.startswith("Landscape")
        assert (shown_width > shown_height) == landscape, key
        assert ((width, height) == (shown_width, shown_height)) == (orientation < 5), key


def test_the_same_upload_again_changes_nothing(ctx, real_uploads, shared_data):
    real_uploads.take("bccd-voc")
    before = helpers.versions(ctx)
    report = pipeline.run_upload(helpers.again(ctx), IngestRequest("bccd", str(shared_data / "bccd-voc.zip")))
    assert report.status == "unchanged"
    assert not report.published
    assert helpers.commits(before, helpers.versions(ctx)) == {}


@pytest.mark.nightly
def test_a_folder_of_the_same_files_is_the_same_upload_and_elsewhere_the_same_version(
    ctx, real_uploads, lake, shared_data, tmp_path
):
    real_uploads.take("bccd-voc")
    folder = tmp_path / "BCCD"
    with zipfile.ZipFile(shared_data / "bccd-voc.zip") as archive:
        archive.extractall(folder)
    before = helpers.versions(ctx, *LATER)
    report = pipeline.run_upload(helpers.again(ctx), IngestRequest("bccd", str(folder)))
    assert report.status == "unchanged"
    assert helpers.commits(before, helpers.versions(ctx, *LATER)) == {}
    pipeline.run_upload(helpers.again(ctx), IngestRequest("bccd2", str(folder)))
    first, second = (lake.show(f"{d}@v1").as_json() for d in ("bccd", "bccd2"))
    assert first["digest"] == second["digest"]
    objects = [p for p in Path(ctx.settings.lake, "blobs/obj").rglob("*") if p.is_file()]
    assert objects == []


def test_a_copied_lake_verifies_every_version(real_uploads, tmp_path):
    for name in OFTEN:
        real_uploads.take(name)
    copy = tmp_path / "elsewhere"
    shutil.copytree(real_uploads.path, copy)
    moved = imagelake.open(str(copy))
    for dataset in moved.show().as_json()["datasets"]:
        verdict = moved.verify(dataset.get("dataset") or dataset["name"]).as_json()
        assert verdict["ok"], verdict
