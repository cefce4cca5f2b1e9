"""Which image a label lands on, and what happens to one that lands on none."""

from __future__ import annotations

import pytest
from tests.spark import helpers
from tests.spark.drafts import boxes, coco, images, open_rules, rejections


@pytest.fixture
def ctx(spark, tmp_path):
    return helpers.context(spark, tmp_path / "lake")


def add(ctx, tmp_path, name, files, **options):
    return helpers.into_draft(ctx, "pets", helpers.write_zip(tmp_path / name, files), **options)


@pytest.mark.nightly
def test_two_cameras_that_both_count_from_one(ctx, tmp_path):
    first = {"cam1/0001.jpg": helpers.picture(1), "cam1/0002.jpg": helpers.picture(2)}
    add(ctx, tmp_path, "a.zip", first | {"annotations.json": coco({"cam1/0001.jpg": 1, "cam1/0002.jpg": 2})})
    was = boxes(ctx)
    second = {"cam2/0001.jpg": helpers.picture(3), "other/x.jpg": helpers.picture(9)}
    report = add(ctx, tmp_path, "b.zip", second | {"annotations.json": coco({"cam2/0001.jpg": 5})})
    assert report.annotations.removed == 0
    assert boxes(ctx) == {**was, "cam2/0001.jpg": [5.0]}
    labels = tmp_path / "cam3.json"
    labels.write_bytes(coco({"cam3/0001.jpg": 7}))
    helpers.into_draft(ctx, "pets", labels)
    assert boxes(ctx) == {**was, "cam2/0001.jpg": [5.0]}, "labels of a third camera wait, and land on nobody"
    assert open_rules(ctx) == {"image.file_missing": 1, "annotation.image_unknown": 1}


def test_an_exact_key_outranks_the_end_of_a_path(ctx, tmp_path):
    files = {"images/n.jpg": helpers.picture(1), "images/copy/n.jpg": helpers.picture(2)}
    report = add(ctx, tmp_path, "a.zip", files | {"annotations.json": coco({"n.jpg": 1, "copy/n.jpg": 2})})
    assert report.annotations.rejected == 0
    assert boxes(ctx) == {"n.jpg": [1.0], "copy/n.jpg": [2.0]}


@pytest.mark.nightly
def test_a_bare_name_is_matched_within_the_upload_and_flagged_but_never_in_the_draft(ctx, tmp_path):
    files = {"day1/deep/a.jpg": helpers.picture(1), "day1/deep/b.jpg": helpers.picture(2), "x.jpg": helpers.picture(3)}
    report = add(ctx, tmp_path, "a.zip", files | {"annotations.json": coco({"a.jpg": 1})})
    assert boxes(ctx) == {"day1/deep/a.jpg": [1.0]}
    assert report.warnings["image.matched_by_name"] == 1
    later = tmp_path / "later.json"
    later.write_bytes(coco({"b.jpg": 4}))
    helpers.into_draft(ctx, "pets", later)
    assert boxes(ctx) == {"day1/deep/a.jpg": [1.0]}
    assert open_rules(ctx) == {"image.file_missing": 1, "annotation.image_unknown": 1}
    ctx.storage.put("datasets/pets.yaml", b"match: name\n")
    later.write_bytes(coco({"b.jpg": 5}))
    helpers.into_draft(ctx, "pets", later)
    assert boxes(ctx) == {"day1/deep/a.jpg": [1.0], "day1/deep/b.jpg": [5.0]}


@pytest.mark.nightly
def test_a_name_that_several_images_bear_is_ambiguous(ctx, tmp_path):
    files = {"p/a.jpg": helpers.picture(1), "images/q/a.jpg": helpers.picture(2)}
    add(ctx, tmp_path, "a.zip", files | {"annotations.json": coco({"a.jpg": 1})})
    assert boxes(ctx) == {}, "a role folder does not make a base name unique"
    assert open_rules(ctx) == {"image.ambiguous": 1, "annotation.image_ambiguous": 1}


@pytest.mark.nightly
def test_an_absolute_path_of_another_machine(ctx, tmp_path):
    files = {"cam1/a.jpg": helpers.picture(1), "cam2/a.jpg": helpers.picture(2), "b.jpg": helpers.picture(3)}
    names = {"/home/ann/set/cam2/a.jpg": 1, "C:\\data\\b.jpg": 2}
    add(ctx, tmp_path, "a.zip", files | {"annotations.json": coco(names)})
    assert boxes(ctx) == {"cam2/a.jpg": [1.0], "b.jpg": [2.0]}


def test_a_voc_devkit(ctx, tmp_path):
    files = {}
    for n in range(4):
        files[f"VOC2012/JPEGImages/2007_{n}.jpg"] = helpers.picture(n)
        files[f"VOC2012/SegmentationClass/2007_{n}.png"] = helpers.picture(50 + n, form="PNG")
        files[f"VOC2012/Annotations/2007_{n}.xml"] = voc(f"2007_{n}.jpg", n + 1)
    lists = {"train": "2007_0\n2007_1\n", "val": "2007_2\nnobody\n"}
    files |= {f"VOC2012/ImageSets/Main/{name}.txt": text.encode() for name, text in lists.items()}
    report = add(ctx, tmp_path, "a.zip", files)
    assert report.format == "voc"
    splits = {i["image_key"]: i["split"] for i in images(ctx)}
    assert splits == {"2007_0.jpg": "train", "2007_1.jpg": "train", "2007_2.jpg": "val", "2007_3.jpg": None}
    assert boxes(ctx) == {f"2007_{n}.jpg": [float(n)] for n in range(4)}
    assert open_rules(ctx) == {"split.member_unknown": 1}, "a line that matched nothing is reported"
    assert report.warnings["file.mask"] == 4
    assert report.images.read == 4


def voc(name: str, x: int) -> bytes:
    return (
        f"<annotation><filename>{name}</filename><size><width>64</width><height>48</height><depth>3</depth></size>"
        f"<object><name>cat</name><bndbox><xmin>{x}</xmin><ymin>5</ymin><xmax>{x + 9}</xmax><ymax>14</ymax></bndbox>"
        "</object></annotation>"
    ).encode()


@pytest.mark.nightly
def test_three_names_of_an_image_are_checked_against_each_other_and_the_draft(ctx, tmp_path):
    paths = ("train/a.jpg", "train/train/a.jpg", "val/a.jpg")
    add(ctx, tmp_path, "a.zip", {path: helpers.picture(n) for n, path in enumerate(paths)})
    assert [i["image_key"] for i in images(ctx)] == ["train/a.jpg", "train/train/a.jpg", "val/a.jpg"]
    add(ctx, tmp_path, "b.zip", {"train/a.jpg": helpers.picture(4), "other/b.jpg": helpers.picture(5)}, mode="update")
    keys = {i["image_key"]: i["content_hash"] for i in images(ctx)}
    assert sorted(keys) == ["other/b.jpg", "train/a.jpg", "train/train/a.jpg", "val/a.jpg"], "no third image"


@pytest.mark.nightly
def test_many_frames_of_equal_names_cost_no_more_than_their_number(ctx, tmp_path):
    names = [f"clip{n:03d}/frame.jpg" for n in range(40)]
    files = {name: helpers.picture(n, (8, 8)) for n, name in enumerate(names)}
    documents = {f"clip{n:03d}/labels.json": coco({"frame.jpg": n % 6}, size=(8, 8)) for n in range(40)}
    report = add(ctx, tmp_path, "a.zip", files | documents)
    assert (report.annotations.accepted, report.annotations.rejected) == (40, 0)
    assert {key: len(rows) for key, rows in boxes(ctx).items()} == dict.fromkeys(names, 1)


@pytest.mark.nightly
def test_saves_and_labels_wait_for_the_exact_key_only(ctx, tmp_path):
    document = tmp_path / "labels.json"
    document.write_bytes(coco({"sub/p1.jpg": 3}))
    add(ctx, tmp_path, "a.zip", {"x/y.jpg": helpers.picture(1), "p1.jpg": helpers.picture(2)})
    helpers.into_draft(ctx, "pets", document)
    assert boxes(ctx) == {}, "p1.jpg is not sub/p1.jpg"
    add(ctx, tmp_path, "b.zip", {"sub/p1.jpg": helpers.picture(3), "z/z.jpg": helpers.picture(4)})
    assert boxes(ctx) == {"sub/p1.jpg": [3.0]}
    assert rejections(ctx) == []


@pytest.mark.nightly
def test_two_waiting_names_of_one_document_that_mean_one_image_are_both_refused_when_it_comes(ctx, tmp_path):
    """`test/5.jpg` is no more exact than `train/images/5.jpg`, though it may mean fewer keys."""
    add(ctx, tmp_path, "a.zip", {"val/labels.json": coco({"train/images/5.jpg": 1, "test/5.jpg": 2, "1.jpg": 3})})
    assert open_rules(ctx) == {"image.file_missing": 3, "annotation.image_unknown": 3}
    add(ctx, tmp_path, "b.zip", {"5.jpg": helpers.picture(5), "6.jpg": helpers.picture(6)})
    assert boxes(ctx) == {}
    assert open_rules(ctx) == {
        "image.duplicate_file_name": 2,
        "annotation.image_ambiguous": 2,
        "image.file_missing": 1,
        "annotation.image_unknown": 1,
    }
