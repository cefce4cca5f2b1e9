from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pictures import encoded, ftyp, tiff

from imagelake.bronze import bronze_rows
from imagelake.bronze.probe import probe_image
from imagelake.bronze.probe.probe_files import PROBE_ROWS, ProbeLimits, describe, probe_members
from imagelake.bronze.probe.probe_unread import UNSUPPORTED
from imagelake.config.settings import load
from imagelake.formats.detect import choose
from imagelake.runs.context import Counts
from imagelake.uploads.open_source import open_source

if TYPE_CHECKING:
    from imagelake.runs.context import Context

VOC = b"<annotation><filename>a.jpg</filename><object><name>cat</name></object></annotation>"
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}],
    "categories": [{"id": 1, "name": "cat"}],
}
PANOPTIC = {**COCO, "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": []}]}


def landed(tmp_path: Path, files: dict[str, bytes], problems: dict[str, str]) -> pa.Table:
    """The rows of bronze.files of a zip with these files, of which some break a rule."""
    upload = tmp_path / "upload.zip"
    with zipfile.ZipFile(upload, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    source = open_source(str(upload), load().ingest)
    facts = [
        {"path": m.path, "uri": "u", "stored": 0, "codec": "stored", "problem_rule": problems.get(m.path)}
        for m in source.members
    ]
    table = pa.Table.from_pylist(facts, schema=PROBE_ROWS)
    return bronze_rows.files(cast("Context", None), "d", "attempt", source, choose(source.tree, None), table)


def roles(table: pa.Table) -> dict[str, str]:
    return dict(zip(table["path"].to_pylist(), table["role"].to_pylist(), strict=True))


def test_files_in_folders_of_masks_have_a_role_of_their_own_and_count_as_ignored(tmp_path: Path) -> None:
    files = {
        "Annotations/a.xml": VOC,
        "ImageSets/Main/train.txt": b"a",
        "JPEGImages/a.jpg": b"a",
        "JPEGImages/b.jpg": b"b",
        "SegmentationClass/a.png": b"c",
        "SegmentationClass/broken.png": b"d",
        "SegmentationClass/README.txt": b"e",
        "SegmentationClass/palette.dat": b"f",
    }
    problems = {"SegmentationClass/broken.png": "image.unreadable", "JPEGImages/b.jpg": "image.unreadable"}
    table = landed(tmp_path, files, problems)
    assert roles(table) == {
        "Annotations/a.xml": "annotation",
        "ImageSets/Main/train.txt": "meta",
        "JPEGImages/a.jpg": "image",
        "JPEGImages/b.jpg": "image",
        "SegmentationClass/a.png": "mask",
        "SegmentationClass/broken.png": "mask",
        "SegmentationClass/README.txt": "meta",
        "SegmentationClass/palette.dat": "unknown",
    }
    assert bronze_rows.landed_counts(table) == Counts(read=8, accepted=4, rejected=1, ignored=3)


def test_what_a_document_names_as_a_mask_has_that_role(tmp_path: Path) -> None:
    documents = {"instances.json": COCO, "panoptic.json": PANOPTIC}
    files = {path: json.dumps(document).encode() for path, document in documents.items()}
    table = landed(tmp_path, {**files, "a.jpg": b"a", "panoptic/a.png": b"b", "other/a.png": b"c"}, {})
    assert roles(table) == {
        "a.jpg": "image",
        "instances.json": "annotation",
        "other/a.png": "image",
        "panoptic.json": "unknown",
        "panoptic/a.png": "mask",
    }


RAW = tiff({50706: 1})


def probed(tmp_path: Path, files: dict[str, bytes], requested: str | None = "images") -> pa.Table:
    """The rows of bronze.files of a folder with these files, probed."""
    for path, data in files.items():
        (tmp_path / "up" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "up" / path).write_bytes(data)
    source = open_source(str(tmp_path / "up"), load().ingest)
    facts = pa.Table.from_batches(probe_members([describe(source, source.members)], ProbeLimits()))
    return bronze_rows.files(context(), "d", "attempt", source, choose(source.tree, requested), facts)


def context() -> Context:
    """One with a clock, which is all that rows of files need."""
    return cast("Context", SimpleNamespace(clock=lambda: datetime(2030, 1, 1, tzinfo=UTC)))


def test_a_picture_is_a_picture_whatever_its_name_and_a_paper_a_paper(tmp_path: Path) -> None:
    files = {
        "images/license.jpg": encoded("JPEG"),
        "images/meta.png": encoded("PNG"),
        "images/notice.1.jpg": encoded("JPEG"),
        "readme.jpg": encoded("JPEG"),
        "changelog.webp": encoded("WEBP"),
        "CITATION.pgm": encoded("PPM", mode="L"),
        "licence": encoded("JPEG"),
        "README": encoded("JPEG2000"),
        "readme.png": b"a text, and no picture",
        "images/README.md": b"# A text",
        "LICENSE": b"P5 is what we call this road",
        "notice.html": b"<html/>",
        "meta.bin": bytes(range(256)),
        "SegmentationClass/license.png": encoded("PNG"),
    }
    table = probed(tmp_path, files)
    assert roles(table) == {
        "images/license.jpg": "image",
        "images/meta.png": "image",
        "images/notice.1.jpg": "image",
        "readme.jpg": "image",
        "changelog.webp": "image",
        "CITATION.pgm": "image",
        "licence": "image",
        "README": "image",
        "readme.png": "image",
        "images/README.md": "meta",
        "LICENSE": "meta",
        "notice.html": "meta",
        "meta.bin": "meta",
        "SegmentationClass/license.png": "mask",
    }
    assert bronze_rows.landed_counts(table) == Counts(read=14, accepted=12, rejected=1, ignored=1)


def test_hidden_folders_are_ignored_and_counted(tmp_path: Path) -> None:
    files = {
        "images/a.jpg": encoded("JPEG"),
        "images/.ipynb_checkpoints/a-checkpoint.jpg": encoded("JPEG"),
        "labels/.ipynb_checkpoints/a-checkpoint.txt": b"0 0.5 0.5 1 1",
        ".thumbnails/a.jpg": encoded("JPEG"),
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_S.jpg": encoded("JPEG"),
        "images/b.png": encoded("PNG"),
    }
    table = probed(tmp_path, files)
    assert roles(table) == {
        **dict.fromkeys(files, "ignored"),
        "images/a.jpg": "image",
        "images/b.png": "image",
    }
    assert set(table.filter(pc.equal(table["role"], "ignored"))["problem"].to_pylist()) == {"junk"}
    assert bronze_rows.landed_counts(table) == Counts(read=6, accepted=2, rejected=0, ignored=4)


def test_an_upload_that_lies_in_a_hidden_folder_is_no_junk(tmp_path: Path) -> None:
    table = probed(tmp_path / ".cache" / ".hidden", {"a.jpg": encoded("JPEG"), "b.jpg": encoded("JPEG")})
    assert roles(table) == {"a.jpg": "image", "b.jpg": "image"}


def test_a_picture_of_a_kind_that_is_not_read_is_a_rejected_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_image, "READABLE", probe_image.READABLE - {"image/heic", "image/heif"})
    files = {
        "images/IMG_0001.HEIC": ftyp(b"heic") + bytes(100),
        "images/IMG_0002.HEIC": ftyp(b"heic") + bytes(200),
        "b.dng": RAW,
        "SegmentationClass/b.psd": b"8BPS\0\1" + bytes(100),
    }
    table = probed(tmp_path, files)
    assert roles(table) == {
        "images/IMG_0001.HEIC": "image",
        "images/IMG_0002.HEIC": "image",
        "b.dng": "image",
        "SegmentationClass/b.psd": "mask",
    }
    assert set(table["problem_rule"].to_pylist()) == {UNSUPPORTED}
    assert table["media_type"].to_pylist().count("image/heic") == 2
    assert bronze_rows.landed_counts(table) == Counts(read=4, accepted=0, rejected=3, ignored=1)


def test_a_raw_file_beside_its_developed_picture_takes_no_label_from_it(tmp_path: Path) -> None:
    files = {
        "images/a.dng": RAW,
        "images/a.jpg": encoded("JPEG"),
        "images/b.dng": RAW,
        "images/b.png": b"broken",
        "images/sub/a.dng": RAW,
        "labels/a.txt": b"0 0.5 0.5 0.2 0.2",
    }
    table = probed(tmp_path, files, None)
    assert roles(table) == {
        "images/a.dng": "unknown",
        "images/a.jpg": "image",
        "images/b.dng": "unknown",
        "images/b.png": "image",
        "images/sub/a.dng": "image",
        "labels/a.txt": "annotation",
    }
    assert bronze_rows.landed_counts(table) == Counts(read=6, accepted=2, rejected=4, ignored=0)


def test_where_labels_name_files_whole_a_raw_file_is_a_rejected_image(tmp_path: Path) -> None:
    table = probed(tmp_path, {"cats/a.dng": RAW, "cats/a.jpg": encoded("JPEG"), "dogs/b.jpg": encoded("JPEG")}, None)
    assert set(roles(table).values()) == {"image"}
    assert bronze_rows.landed_counts(table) == Counts(read=3, accepted=2, rejected=1, ignored=0)


def test_the_same_files_are_another_upload_once_their_kind_is_read() -> None:
    row = {"path": "a.heic", "uri": "u", "stored": 1, "codec": "stored", "content_hash": "12"}
    before, after, other = (
        bronze_rows.upload_id(pa.Table.from_pylist([{**row, "problem_rule": rule}], schema=PROBE_ROWS))
        for rule in (UNSUPPORTED, None, "image.unreadable")
    )
    assert before != after == other
