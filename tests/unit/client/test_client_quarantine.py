"""Rejections chosen and counted; and as files that can be mended and delivered again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.client.refused_uploads import deliver, read_folder, records, refuse, refuse_picture

from imagelake.client import lake as client
from imagelake.client.quarantine import sheet
from imagelake.core import receipt
from imagelake.errors import NotFound, UsageError
from imagelake.formats.detect import choose
from imagelake.formats.records import AnnotationRecord, CategoryRecord, ImageRecord, Issue
from imagelake.formats.trees import DictTree
from lakes import LakeMaker
from pet_lake import picture

DOG, CAT = picture((1, 2, 3)), picture((4, 5, 6))


def coco(*boxes: tuple[int, list[float]]) -> bytes:
    """Images 1 to 3; a box a pair of image id and bbox, with ids from 11; a NaN as other tools write it."""
    document: dict[str, Any] = {
        "info": {"year": 2030},
        "images": [{"id": n, "file_name": f"{n}.png", "width": 8, "height": 6} for n in (1, 2, 3)],
        "annotations": [
            {"id": 11 + n, "image_id": image, "category_id": 1, "bbox": box} for n, (image, box) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    return json.dumps(document).encode()


NAN = float("nan")
COCO = {
    "train/labels.json": coco((1, [0, 0, 2, 2]), (2, [1, 1, 2, 2]), (2, [NAN, 1, 2, 2]), (3, [2, 2, 2, 2])),
    "train/1.png": DOG,
    "train/2.png": CAT,
}


def rows_of(folder: Path) -> list[dict[str, str]]:
    text = (folder / "rejections.csv").read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def opened(maker: LakeMaker) -> client.Lake:
    maker.flush()
    return client.open(str(maker.root))


@pytest.fixture
def many(maker: LakeMaker) -> client.Lake:
    one, two = maker.deliver("pets"), maker.deliver("pets")
    for number in range(12):
        place = {"path": "train/a.json", "locator": f"annotations[{number}]", "upload_id": one}
        maker.reject("pets", "annotation.box_degenerate", **place)
    maker.reject("pets", "annotation.bbox_invalid", path="val/b.json", upload_id=two, locator="annotations[0]")
    maker.reject("pets", "image.empty", path="val/x.png", upload_id=two, entity="image", locator="file")
    maker.reject("pets", "image.empty", path="val/y.png", upload_id=two, entity="image", closed=True)
    return opened(maker)


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({}, 14),
        ({"rules": ["annotation.*"]}, 13),
        ({"rules": ["annotation.bbox_invalid", "image.empty"]}, 2),
        ({"paths": ["val/*"]}, 2),
        ({"paths": ["*.json", "*.png"], "entities": ["annotation"]}, 13),
        ({"entities": ["image", "file"]}, 1),
        ({"rules": ["annotation.rle_size"]}, 0),
        ({"closed": True}, 1),
        ({"paths": ["it's"]}, 0),
    ],
)
def test_rejections_are_chosen_by_rule_path_and_entity(many: client.Lake, chosen: dict[str, Any], count: int) -> None:
    answer = many.rejections("pets", **chosen)
    assert (answer.count, len(answer.rejections), sum(rule.count for rule in answer.rules)) == (count, count, count)


def test_an_upload_is_named_by_the_beginning_of_its_id(many: client.Lake) -> None:
    upload = next(r.upload_id for r in many.rejections("pets").rejections if r.rule == "image.empty")
    assert many.rejections("pets", upload=upload[:10]).count == 2
    with pytest.raises(NotFound, match="has no upload 00000"):
        many.rejections("pets", upload="00000")
    with pytest.raises(UsageError, match="is no upload id"):
        many.rejections("pets", upload="' OR 1")


def test_a_limit_bounds_the_rows_and_shows_every_rule_first(many: client.Lake) -> None:
    answer = many.rejections("pets", limit=4)
    assert [(r.rule, r.count, r.files) for r in answer.rules] == [
        ("annotation.box_degenerate", 12, 1),
        ("annotation.bbox_invalid", 1, 1),
        ("image.empty", 1, 1),
    ]
    assert answer.rules[0].doc == "a box side is zero or negative"
    assert [(r.rule, r.locator) for r in answer.rejections] == [
        ("annotation.box_degenerate", "annotations[0]"),
        ("annotation.box_degenerate", "annotations[1]"),
        ("annotation.bbox_invalid", "annotations[0]"),
        ("image.empty", "file"),
    ]
    assert many.rejections("pets", limit=0).rejections == ()
    numbers = [r.locator for r in many.rejections("pets", rules=["annotation.box_degenerate"]).rejections]
    assert numbers == [f"annotations[{n}]" for n in range(12)], "9 comes before 10"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"rules": ["annotation.box_degenerated"]}, "annotation.box_degenerate"),
        ({"rules": ["box.*"]}, "docs/checks.md"),
        ({"entities": ["row"]}, "file, image, annotation, category"),
        ({"limit": -1}, "counts only"),
    ],
)
def test_what_does_not_exist_is_a_usage_error_with_what_does(
    many: client.Lake, wrong: dict[str, Any], hint: str
) -> None:
    with pytest.raises(UsageError) as error:
        many.rejections("pets", **wrong)
    assert hint in (error.value.hint or "")


def test_an_exported_coco_document_has_the_images_concerned_whole(maker: LakeMaker, tmp_path: Path) -> None:
    """The box of image 2 that was accepted comes along: an upload that labels an image replaces its labels."""
    upload = deliver(maker, "pets", COCO)
    out = tmp_path / "mend me"
    done = opened(maker).export_rejections("pets", out)
    assert done.rejections == 1
    (part,) = done.uploads
    assert (part.documents, part.pictures, part.format) == (1, 0, "coco")
    assert part.deliver == f"run '{out}' --dataset pets --format coco"
    files = read_folder(out)
    assert set(files) == {"README.txt", "rejections.csv", receipt.NAME, "train/labels.json"}
    assert b"[NaN, 1, 2, 2]" in files["train/labels.json"], "as it was delivered"
    mended = files | {"train/labels.json": files["train/labels.json"].replace(b"NaN", b"4")}
    made = records(mended)
    assert [(r.image_ref, r.bbox) for r in made if isinstance(r, AnnotationRecord)] == [
        ("2", (1.0, 1.0, 2.0, 2.0)),
        ("2", (4.0, 1.0, 2.0, 2.0)),
    ]
    assert [r.file for r in made if isinstance(r, ImageRecord)] == ["2.png"]
    assert [r.name for r in made if isinstance(r, CategoryRecord)] == ["cat"]
    (row,) = rows_of(out)
    assert (row["file"], row["place"]) == ("train/labels.json", "annotations[1] id 13")
    assert row["delivered_as"] == "train/labels.json annotations[2] id 13"
    assert (row["rule"], row["meaning"]) == (
        "annotation.bbox_not_finite", "a number of the box is null, NaN or infinite",
    )  # fmt: skip
    slip = receipt.from_bytes(files[receipt.NAME])
    assert slip is not None
    assert slip.upload_id == upload
    assert len(slip.rejections) == 1
    assert f"imagelake {part.deliver}" in files["README.txt"].decode()
    choice = choose(DictTree(mended), None)
    assert (choice.reader, choice.unread) == ("coco", ()), "what is beside the document is not taken for labels"


VOC = """<annotation><filename>{0}</filename><size><width>8</width><height>6</height></size>
<object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>{1}</xmax><ymax>4</ymax></bndbox></object>
<object><name>dog</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>5</xmax><ymax>4</ymax></bndbox></object>
</annotation>"""


def test_exported_voc_documents_and_yolo_label_files_are_whole(maker: LakeMaker, tmp_path: Path) -> None:
    voc = {f"Annotations/{n}.xml": VOC.format(f"{n}.png", xmax).encode() for n, xmax in ((1, 3), (2, 1))}
    deliver(maker, "pets", voc | {"JPEGImages/1.png": DOG, "JPEGImages/2.png": CAT})
    yolo = {"data.yaml": b"names: [cat, dog]\n", "labels/a.txt": b"0 .5 .5 .1 .1\n", "labels/b.txt": b"7 .5 .5 .1 .1\n"}
    deliver(maker, "pets", yolo | {"images/a.png": DOG, "images/b.png": CAT})
    done = opened(maker).export_rejections("pets", tmp_path / "out")
    first, second = (read_folder(Path(part.folder)) for part in done.uploads)
    ours = {"README.txt", "rejections.csv", receipt.NAME}
    assert set(first) == {*ours, "Annotations/2.xml"}
    assert set(second) == {*ours, "data.yaml", "labels/b.txt"}
    assert [len([r for r in records(files) if isinstance(r, Issue)]) for files in (first, second)] == [1, 1]
    mended = records(second | {"labels/b.txt": b"1 .5 .5 .1 .1\n"})
    assert [r.category for r in mended if isinstance(r, AnnotationRecord)] == ["dog"]
    overview = (tmp_path / "out" / "README.txt").read_text()
    assert all(Path(part.folder).name in overview for part in done.uploads)


def test_refused_pictures_come_as_bytes_with_the_labels_that_went_with_them(maker: LakeMaker, tmp_path: Path) -> None:
    good = {"labels.json": coco((1, [0, 0, 2, 2]), (2, [1, 1, 2, 2])), "1.png": DOG, "2.png": CAT[:40]}
    upload = deliver(maker, "pets", good)
    refuse_picture(maker, "pets", "image.unreadable", upload, "2.png")
    refuse(maker, "pets", "annotation.image_rejected", upload_id=upload, path="labels.json", entity="annotation",
           locator="annotations[1] id 12", image_key="2.png", kind="box", raw="{}")  # fmt: skip
    done = opened(maker).export_rejections("pets", tmp_path / "out", rules=["image.*"])
    assert done.rejections == 2
    files = read_folder(tmp_path / "out")
    assert files["2.png"] == CAT[:40]
    made = records(files)
    assert [(r.image_ref, r.locator) for r in made if isinstance(r, AnnotationRecord)] == [
        ("2", "annotations[0] id 12")
    ]
    yolo = {"labels/a.txt": b"", "labels/b.txt": b"0 .5 .5 .1 .1\n", "images/a.png": DOG[:9], "images/b.png": CAT}
    upload = deliver(maker, "dogs", yolo)
    refuse_picture(maker, "dogs", "image.unreadable", upload, "images/a.png")
    opened(maker).export_rejections("dogs", tmp_path / "dogs")
    assert {"images/a.png", "labels/a.txt"} < set(read_folder(tmp_path / "dogs")), (
        "that it holds nothing is a label too"
    )
    assert "labels/b.txt" not in read_folder(tmp_path / "dogs")


def test_a_document_that_cannot_be_read_comes_as_it_was(maker: LakeMaker, tmp_path: Path) -> None:
    broken = COCO["train/labels.json"][:-20]
    deliver(
        maker, "pets", {"train/labels.json": broken, "val/labels.json": coco((1, [0, 0, 1, 1])), "train/1.png": DOG}
    )
    opened(maker).export_rejections("pets", tmp_path / "out")
    files = read_folder(tmp_path / "out")
    assert files["train/labels.json"] == broken
    assert "val/labels.json" not in files


def test_a_document_of_another_shape_comes_as_it_was(maker: LakeMaker, tmp_path: Path) -> None:
    odd = b'{"images": {"1": "1.png"}, "annotations": [{"id": 1}], "categories": []}'
    upload = deliver(maker, "pets", {"labels.json": coco((1, [0, 0, 1, 1])), "1.png": DOG})
    maker.keep("pets", [odd])
    for row in maker.pending["bronze.files"]:
        if row["path"] == "labels.json":
            row["content_hash"] = hashlib.sha256(odd).hexdigest()
    refuse(
        maker, "pets", "document.wrong_shape", upload_id=upload, path="labels.json", locator="byte 11", entity="file"
    )
    opened(maker).export_rejections("pets", tmp_path / "out")
    assert read_folder(tmp_path / "out")["labels.json"] == odd


@pytest.mark.parametrize(
    ("files", "key", "comes_along"),
    [
        ({"labels.json": coco((1, [0, 0, 0, NAN]))}, "1.png", False),
        ({"labels.json": coco((1, [0, 0, 0, NAN]))}, "deep/1.png", True),
        ({"deep/labels.json": coco((1, [0, 0, 0, NAN]))}, "deep/1.png", False),
        ({"Annotations/1.xml": VOC.format("1.png", 1).encode()}, "1.png", False),
        ({"Annotations/1.xml": VOC.format("IMG_9.png", 1).encode()}, "1.png", True),
        ({"labels/1.txt": b"7 .5 .5 .1 .1\n", "classes.txt": b"cat\n"}, "1.png", False),
        ({"other/1.txt": b"7 .5 .5 .1 .1\n", "classes.txt": b"cat\n"}, "1.png", True),
    ],
)
def test_a_picture_comes_along_where_its_document_does_not_name_it_by_its_key(
    maker: LakeMaker, tmp_path: Path, files: dict[str, bytes], key: str, comes_along: bool
) -> None:
    """In its own upload a label finds its image in other ways than in the draft."""
    deliver(maker, "pets", files | {key: DOG})
    for row in maker.pending["silver.rejections"]:
        row["image_key"] = key
    (part,) = opened(maker).export_rejections("pets", tmp_path / "out").uploads
    assert (part.documents, part.pictures) == (len(files), int(comes_along))
    assert (key in read_folder(tmp_path / "out")) == comes_along


@pytest.mark.parametrize("hostile", ["../../up.json", "/etc/x.json", "a\nb.json", "C:\\x.json", "README.txt"])
def test_no_name_leaves_the_folder_or_writes_over_ours(maker: LakeMaker, tmp_path: Path, hostile: str) -> None:
    upload = deliver(maker, "pets", {"labels.json": coco((1, [0, 0, 1, 1])), "1.png": DOG})
    for row in maker.pending["bronze.files"]:
        if row["path"] == "1.png":
            row["path"] = hostile
    refuse_picture(maker, "pets", "image.unreadable", upload, hostile)
    done = opened(maker).export_rejections("pets", tmp_path / "deep" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "lake"]
    (made,) = [path for path in read_folder(tmp_path / "deep" / "out") if path.startswith("unsafe-names/")]
    assert rows_of(tmp_path / "deep" / "out")[0]["file"] == made
    assert "other names here" in done.uploads[0].notes[0]
    assert "What was refused" in (tmp_path / "deep" / "out" / "README.txt").read_text()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        (" +1", "' +1"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\\u0009x"),
        ("a\u202egnp.x", "a\\u202egnp.x"),
        ("line\none", "line\\u000aone"),
        ("Größe, 3 px", "Größe, 3 px"),
        (None, ""),
    ],
)
def test_a_cell_is_text_to_a_spreadsheet(value: str | None, shown: str) -> None:
    assert sheet.cell(value) == shown


def test_nothing_is_written_into_a_used_folder_and_nothing_is_left_of_a_failure(
    maker: LakeMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(maker, "pets", COCO)
    lake, used = opened(maker), tmp_path / "used"
    used.mkdir()
    (used / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        lake.export_rejections("pets", used)
    with pytest.raises(UsageError, match="is not a folder"):
        lake.export_rejections("pets", used / "mine.txt")
    with pytest.raises(UsageError, match="no rule"):
        lake.export_rejections("pets", tmp_path / "out", rules=["nothing.*"])
    (tmp_path / "empty").mkdir()
    assert lake.export_rejections("pets", tmp_path / "empty").rejections == 1

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("imagelake.client.quarantine.export.write", full)
    with pytest.raises(Exception, match="No space left"):
        lake.export_rejections("pets", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "lake", "used"]


def test_where_nothing_is_refused_nothing_is_written(pets: Any, tmp_path: Path) -> None:
    done = pets.lake.export_rejections("pets", tmp_path / "out", entities=["category"])
    assert (done.folder, done.rejections) == (None, 0)
    assert not (tmp_path / "out").exists()
    with pytest.raises(NotFound):
        pets.lake.export_rejections("pest", tmp_path / "out")
    listed = pets.lake.export_rejections("pets", tmp_path / "out")
    assert listed.rejections == 1, "a row of an upload that bronze does not know is in the sheet"
    assert listed.uploads[0].deliver is None


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"upload_id": 3, "rejections": []}', b"\xff", b"[" * 2000])
def test_a_file_that_only_is_called_like_a_receipt_is_none(data: bytes) -> None:
    assert receipt.from_bytes(data) is None
