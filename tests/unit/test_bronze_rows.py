from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from imagelake.bronze import rows
from imagelake.bronze.probe import FACTS
from imagelake.context import Counts
from imagelake.formats.detect import choose
from imagelake.settings import load
from imagelake.storage.source_open import open_source

if TYPE_CHECKING:
    from imagelake.context import Context

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
    table = pa.Table.from_pylist(facts, schema=FACTS)
    return rows.files(cast("Context", None), "d", "attempt", source, choose(source.tree, None), table)


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
    assert rows.landed_counts(table) == Counts(read=8, accepted=4, rejected=1, ignored=3)


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
