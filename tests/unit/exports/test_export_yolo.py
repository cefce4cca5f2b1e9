"""`--format yolo`, `yolo-segment`, `yolo-pose`: rows that trainers read, in the space of the shown image."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from uploaded import images_of, labels_of, put, records_of, unzipped

from folder_tree import FolderTree
from imagelake.client import lake as client
from imagelake.client.data.sample import Annotation
from imagelake.client.lake import Lake
from imagelake.errors import UsageError
from imagelake.exports.entries import ExportEntry
from imagelake.exports.folder import ExportFolder
from imagelake.exports.layouts.yolo.layout import label_path
from imagelake.exports.layouts.yolo.rows import box_row, joined, outline_row, pose_row
from imagelake.formats.records import AnnotationRecord, CategoryRecord, ImageRecord, Issue
from imagelake.geometry.polygons import polygon_area
from lakes import LakeMaker

SIZES = st.integers(10, 60_000)
SHARES = st.floats(0, 1)


def an_entry(width: int, height: int) -> ExportEntry:
    return ExportEntry(0, "a.jpg", "", "train", width, height, 1, ("box",), {}, ())


def an_annotation(**values: Any) -> Annotation:
    fields = dict.fromkeys(("polygons", "rle", "keypoints", "area", "source_id", "bbox"))
    return Annotation(
        **{**fields, "kind": "box", "category": "c", "class_index": 3, "is_crowd": False, "attributes": {}, **values}
    )


def a_folder(root: Path) -> ExportFolder:
    return ExportFolder(root, lambda done, total: None)


def rows_of(path: Path) -> list[list[float]]:
    return [list(map(float, line.split())) for line in path.read_text("ascii").splitlines()]


@given(width=SIZES, height=SIZES, shares=st.tuples(SHARES, SHARES, SHARES, SHARES))
def test_a_row_gives_the_pixels_of_its_box_back(width: int, height: int, shares: tuple[float, ...]) -> None:
    x, y = shares[0] * width, shares[1] * height
    box = (x, y, shares[2] * (width - x), shares[3] * (height - y))
    row = box_row(an_annotation(bbox=box), an_entry(width, height), a_folder(Path()))
    index, cx, cy, w, h = map(float, str(row).split())
    read = ((cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height)
    assert index == 3
    assert read == pytest.approx(box, abs=0.01)
    assert "e" not in str(row)


@given(width=SIZES, height=SIZES, shares=st.lists(st.tuples(SHARES, SHARES), min_size=3, max_size=9))
def test_a_row_gives_the_pixels_of_its_outline_back(width: int, height: int, shares: list[tuple[float, float]]) -> None:
    polygon = tuple(v for x, y in shares for v in (x * width, y * height))
    annotation = an_annotation(kind="polygon", polygons=(polygon,), bbox=(0.0, 0.0, 1.0, 1.0))
    row = outline_row(annotation, an_entry(width, height), a_folder(Path()))
    values = list(map(float, str(row).split()))[1:]
    assert [v * (height if i % 2 else width) for i, v in enumerate(values)] == pytest.approx(polygon, abs=0.01)


def signed_area(points: list[float]) -> float:
    pairs = list(zip(points[::2], points[1::2], strict=True))
    return sum(x * v - u * y for (x, y), (u, v) in zip(pairs, [*pairs[1:], pairs[0]], strict=True)) / 2


COORDINATES = st.integers(0, 50).map(float)
PARTS = st.lists(
    st.lists(COORDINATES, min_size=6, max_size=12).filter(lambda p: len(p) % 2 == 0), min_size=1, max_size=4
)


@given(parts=PARTS)
def test_parts_that_are_joined_enclose_what_they_enclosed(parts: list[list[float]]) -> None:
    points = joined(parts)
    assert signed_area(points) == pytest.approx(sum(map(signed_area, parts)))
    corners = {pair for part in parts for pair in zip(part[::2], part[1::2], strict=True)}
    assert set(zip(points[::2], points[1::2], strict=True)) == corners


@given(polygon=st.lists(st.floats(-20, 40), min_size=6, max_size=6))
def test_no_coordinate_leaves_the_image(polygon: list[float]) -> None:
    folder = a_folder(Path())
    annotation = an_annotation(kind="polygon", polygons=(tuple(polygon),), bbox=(0.0, 0.0, 1.0, 1.0))
    row = outline_row(annotation, an_entry(20, 20), folder)
    assert all(0 <= float(value) <= 1 for value in str(row).split()[1:])
    assert bool(folder.losses) == any(not 0 <= value / 20 <= 1 for value in polygon)


@given(
    points=st.lists(st.tuples(st.floats(-5, 25), st.floats(-5, 25), st.sampled_from([0.0, 1.0, 2.0])), max_size=4),
    more=st.integers(0, 3),
)
def test_a_pose_has_as_many_points_as_every_other(points: list[tuple[float, float, float]], more: int) -> None:
    assume(points or more)
    keypoints = tuple(v for point in points for v in point) or None
    row = pose_row(len(points) + more)(
        an_annotation(bbox=(1.0, 1.0, 2.0, 2.0), keypoints=keypoints), an_entry(20, 20), a_folder(Path())
    )
    values = list(map(float, str(row).split()))[5:]
    read = [tuple(values[i : i + 3]) for i in range(0, len(values), 3)]
    assert len(read) == len(points) + more
    for (x, y, v), point in zip(points, read, strict=False):
        is_there = v > 0 and 0 <= x <= 20 and 0 <= y <= 20
        assert point == pytest.approx((x / 20, y / 20, v) if is_there else (0, 0, 0), abs=1e-6)


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/train/a.jpg", "labels/train/a.txt"),
        ("images/train/cam/images/a.b.jpg", "images/train/cam/labels/a.b.txt"),
        ("images/train/my_images/a.jpg", "labels/train/my_images/a.txt"),
    ],
)
def test_a_label_lies_where_ultralytics_looks_for_it(image: str, label: str) -> None:
    assert label_path(image) == label


def street(maker: LakeMaker) -> Lake:
    """A lake of everything that YOLO can say, and much that it cannot."""
    draft = maker.draft("d")
    draft.category("person: yes", train_index=0)
    draft.category('"\n<script>', train_index=3)
    put_image = maker.image
    put_image("d", "a.jpg", b"a", width=40, height=20, split="train", attributes='{"weather":"dry"}')
    put_image("d", "cam/images/turned.jpg", b"t", width=40, height=20, split="val", orientation=6)
    put_image("d", "none.jpg", b"n", width=40, height=20, split="train")
    put_image("d", "unlabelled.jpg", b"u", width=40, height=20, split="train", labelled=[])
    put_image("d", "a.png", b"p", width=40, height=20, split="fold1")
    maker.box("d", "a.jpg", "person: yes", (4, 2, 8, 10), attributes='{"occluded":1}')
    maker.box("d", "a.jpg", '"\n<script>', (0, 0, 40, 20), is_crowd=True)
    two = [[0.0, 0.0, 4.0, 0.0, 4.0, 4.0], [8.0, 8.0, 12.0, 8.0, 12.0, 12.0]]
    maker.box("d", "a.jpg", '"\n<script>', (0, 0, 12, 12), kind="polygon", polygons=two)
    maker.box("d", "a.png", "person: yes", (0, 0, 2, 2), kind="rle", rle_size=[20, 40], rle_counts="02Ph0")
    maker.box("d", "a.png", "person: yes", None, kind="class")
    keypoints = [4.0, 2.0, 2.0, 0.0, 0.0, 0.0]
    maker.box("d", "cam/images/turned.jpg", "person: yes", (4, 2, 8, 10), keypoints=keypoints)
    maker.box("d", "a.png", "person: yes", (1, 1, 2, 2), attributes='{"keypoints":[1,2,1],"num_keypoints":1}')
    maker.box("d", "cam/images/turned.jpg", "person: yes", (1, 1, 2, 2), attributes='{"keypoints":[1,2,1]}')
    maker.keep("d", [b"a", b"t", b"n", b"u", b"p"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    return client.open(str(maker.root))


@pytest.mark.parametrize("name", ["yolo", "yolo-segment", "yolo-pose"])
def test_every_annotation_is_a_row_or_counted(name: str, maker: LakeMaker, tmp_path: Path) -> None:
    exported = street(maker).get("d", tmp_path / "out", format=name)
    rows = sum(len(rows_of(path)) for path in (tmp_path / "out").rglob("*.txt"))
    lost = sum(count for what, count in exported.losses.items() if "annotations" in what)
    assert rows + lost == exported.annotations == 8
    assert exported.losses["crowd annotations: a row stands for one object"] == 1
    assert exported.losses["attributes of images"] == 1
    assert exported.unlabelled == 1


def test_data_yaml_says_what_trainers_ask_for(maker: LakeMaker, tmp_path: Path) -> None:
    exported = street(maker).get("d", tmp_path / "out", format="yolo")
    declared = yaml.safe_load((tmp_path / "out/data.yaml").read_bytes())
    assert declared == {
        "train": "images/train",
        "val": "images/val",
        "nc": 4,
        "names": {0: "person: yes", 1: "unused_1", 2: "unused_2", 3: '"\n<script>'},
    }
    assert any("fold1" in note for note in exported.notes)
    assert any("EXIF turns 1 images" in note and "as it is shown" in note for note in exported.notes)


def test_boxes_are_those_of_the_shown_image(maker: LakeMaker, tmp_path: Path) -> None:
    street(maker).get("d", tmp_path / "out", format="yolo")
    rows = rows_of(tmp_path / "out/images/val/cam/labels/turned.txt")
    # shown turned by 90 degrees to the right the image is 20 wide and 40 high: x' = 20 - (y + h), y' = x
    boxes = [((cx - w / 2) * 20, (cy - h / 2) * 40, w * 20, h * 40) for _, cx, cy, w, h in rows]
    assert sorted(boxes) == [pytest.approx((8, 4, 10, 8)), pytest.approx((17, 1, 2, 2))]


def test_images_labelled_with_nothing_have_an_empty_file(maker: LakeMaker, tmp_path: Path) -> None:
    street(maker).get("d", tmp_path / "out", format="yolo")
    out = tmp_path / "out"
    assert (out / "labels/train/none.txt").read_bytes() == b""
    assert not (out / "labels/train/unlabelled.txt").exists()
    assert not (out / "images/train/unlabelled.jpg").exists()


def test_images_of_one_stem_have_a_label_file_each(maker: LakeMaker, tmp_path: Path) -> None:
    for key in ("a.jpg", "a.png"):
        maker.image("d", key, key.encode(), split="train")
        maker.box("d", key, "cat", (0, 0, len(key), 1 if key == "a.jpg" else 2))
    maker.keep("d", [b"a.jpg", b"a.png"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    client.open(str(maker.root)).get("d", tmp_path / "out", format="yolo")
    for path in (tmp_path / "out/images").rglob("*.*"):
        (row,) = rows_of(tmp_path / "out/labels/train" / f"{path.stem}.txt")
        assert row[4] * 48 == pytest.approx(1 if path.read_bytes() == b"a.jpg" else 2)


def test_parts_are_one_outline_and_boxes_four_corners(maker: LakeMaker, tmp_path: Path) -> None:
    exported = street(maker).get("d", tmp_path / "out", format="yolo-segment")
    rows = rows_of(tmp_path / "out/labels/train/a.txt")
    outlines = [[v * (20 if i % 2 else 40) for i, v in enumerate(row[1:])] for row in rows]
    areas = {len(points): polygon_area(points) for points in outlines}
    assert areas[8] == pytest.approx(80), "the corners of the box"
    assert areas[16] == pytest.approx(16), "two triangles, joined"
    assert exported.losses["outlines of several parts: written as one, joined by lines"] == 1
    assert exported.losses["annotations that are masks (RLE): the format holds outlines"] == 1


def test_keypoints_follow_their_box(maker: LakeMaker, tmp_path: Path) -> None:
    exported = street(maker).get("d", tmp_path / "out", format="yolo-pose")
    assert yaml.safe_load((tmp_path / "out/data.yaml").read_bytes())["kpt_shape"] == [2, 3]
    rows = [row for path in (tmp_path / "out").rglob("*.txt") for row in rows_of(path)]
    assert {len(row) for row in rows} == {11}
    points = Counter(tuple(round(v, 6) for v in row[5:]) for row in rows)
    assert points[0.9, 0.1, 2, 0, 0, 0] == 1, "turned: x' = 20 - 2, y' = 4"
    assert points[0.025, 0.1, 1, 0, 0, 0] == 1, "from the attributes of an upright image"
    assert exported.losses["keypoints of objects in images that EXIF turns: their space is not known"] == 1


def test_without_keypoints_there_is_no_pose(maker: LakeMaker, tmp_path: Path) -> None:
    maker.image("d", "a.jpg", b"a")
    maker.box("d", "a.jpg", "cat", (0, 0, 1, 1))
    maker.keep("d", [b"a"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    with pytest.raises(UsageError, match="no keypoints"):
        client.open(str(maker.root)).get("d", tmp_path / "out", format="yolo-pose")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["yolo", "yolo-segment"])
def test_this_lakes_own_reader_reads_it_back(name: str, maker: LakeMaker, tmp_path: Path) -> None:
    lake = street(maker)
    lake.get("d", tmp_path / "out", format=name)
    records = records_of("yolo", FolderTree(tmp_path / "out"))
    assert not [record for record in records if isinstance(record, Issue)]
    splits = {record.file: record.split for record in records if isinstance(record, ImageRecord)}
    assert {split for split in splits.values() if split} == {"train", "val"}
    assert len(splits) == 4
    rows = sum(len(rows_of(path)) for path in (tmp_path / "out").rglob("*.txt"))
    assert sum(isinstance(record, AnnotationRecord) for record in records) == rows
    assert {r.name for r in records if isinstance(r, CategoryRecord)} >= {"person: yes", '"\n<script>'}


@pytest.mark.parametrize("name", ["chess-coco", "facemask-coco"])
def test_a_real_upload_keeps_its_boxes(name: str, maker: LakeMaker, tmp_path: Path, shared_data: Path) -> None:
    tree = unzipped(shared_data / f"{name}.zip")
    before = labels_of(records_of("coco", tree))
    put(maker, "d", before, images_of(tree)).get("d", tmp_path / "out", format="yolo")
    names = yaml.safe_load((tmp_path / "out/data.yaml").read_bytes())["names"]
    for key, image in before.images.items():
        (width, height), split = image["size"], image["split"]
        rows = rows_of(tmp_path / "out/labels" / split / f"{key.rpartition('.')[0]}.txt")
        boxes = [((cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height) for _, cx, cy, w, h in rows]
        read = sorted((names[row[0]], *(round(v, 3) for v in box)) for row, box in zip(rows, boxes, strict=True))
        expected = sorted((a["category"], *a["bbox"]) for a in image["annotations"])
        assert [row[0] for row in read] == [row[0] for row in expected]
        for row, written in zip(read, expected, strict=True):
            assert row[1:] == pytest.approx(written[1:], abs=0.01)
