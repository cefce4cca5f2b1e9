"""One damaged file of an upload stops neither detection nor planning, whichever format the upload has."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from imagelake.config.settings import load
from imagelake.errors import ImagelakeError, NotFound, UploadRejected
from imagelake.formats import reader
from imagelake.formats.base import Detection, Tree
from imagelake.formats.detect import Choice, choose
from imagelake.formats.records import AnnotationRecord, CategoryRecord, ImageRecord, Record
from imagelake.formats.trees import DictTree
from imagelake.storage.label_paths import MAGIC, key_hash, save_name
from imagelake.uploads.open_source import open_source

COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 4, "height": 3}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
).encode()
CORNERS = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox>"
VOC = f"<annotation><filename>1.jpg</filename><object><name>cat</name>{CORNERS}</object></annotation>".encode()
ROW = b"0 .5 .5 .1 .1"
YAML = b"names: [cat]"


def save(key: str) -> tuple[str, bytes]:
    document = {MAGIC: 1, "image_key": key, "kinds": ["box"], "annotations": []}
    return f"{key_hash(key)}/{save_name(1, 'ab')}", json.dumps(document).encode()


SAVES = dict(save(f"{n}.jpg") for n in (1, 2))
PROBLEMS = [
    UploadRejected("bad checksum", rule="file.crc_mismatch"),
    NotFound("gone"),
    OSError(5, "input/output error"),
]


class DamagedTree(DictTree):
    """A tree some of whose files cannot be read."""

    def __init__(self, files: Mapping[str, bytes], damaged: Mapping[str, Exception]) -> None:
        super().__init__(files)
        self._damaged = damaged

    def read(self, path: str, limit: int | None = None) -> bytes:
        if path in self._damaged:
            raise self._damaged[path]
        return super().read(path, limit)


def without(tree: DictTree, *paths: str) -> DictTree:
    """The tree as build sees it: damaged files left out."""
    return DictTree({path: tree.read(path) for path in tree.paths if path not in paths})


def records(tree: Tree, detection: Detection) -> list[Record]:
    chosen = reader(detection.format)
    return [r for unit in chosen.plan(tree, detection) for r in chosen.parse(unit, tree.read)]


def damaged(files: Mapping[str, bytes], path: str, problem: Exception = PROBLEMS[0]) -> tuple[Choice, list[Record]]:
    """The choice for an upload with a damaged file, and the records of what build sees of it."""
    tree = DamagedTree(files, {path: problem})
    choice = choose(tree, None)
    assert reader(choice.reader).plan(tree, choice.detection) is not None
    return choice, records(without(tree, path), choice.detection)


UPLOADS: list[tuple[str, dict[str, bytes], str]] = [
    ("coco", {"train/_annotations.coco.json": COCO, "val/_annotations.coco.json": COCO}, "val/_annotations.coco.json"),
    ("coco", {"annotations.json": COCO, "notes.json": b"{}"}, "notes.json"),
    ("voc", {"Annotations/1.xml": VOC, "Annotations/2.xml": VOC}, "Annotations/2.xml"),
    ("voc", {"1.xml": VOC, "ImageSets/Main/train.txt": b"1"}, "ImageSets/Main/train.txt"),
    ("yolo", {"labels/1.txt": ROW, "labels/2.txt": ROW}, "labels/2.txt"),
    ("yolo", {"labels/1.txt": ROW, "notes.txt": b"made by hand"}, "notes.txt"),
    ("yolo", {"labels/1.txt": ROW, "data.yaml": YAML}, "data.yaml"),
    ("yolo", {"labels/1.txt": ROW, "cats.yaml": YAML}, "cats.yaml"),
    ("yolo", {"labels/1.txt": ROW, "classes.txt": b"cat"}, "classes.txt"),
    ("labels", SAVES, min(SAVES)),
    ("imagefolder", {"cats/1.jpg": b"", "dogs/1.jpg": b"", "LICENSE.txt": b"free"}, "LICENSE.txt"),
    ("imagefolder", {"cats/1.jpg": b"", "dogs/1.jpg": b"", "notes.xml": b"<a/>"}, "notes.xml"),
    ("imagefolder", {"cats/1.jpg": b"", "dogs/1.jpg": b"", "notes.txt": b"free"}, "notes.txt"),
    ("images", {"1.jpg": b"", "README.txt": b"free"}, "README.txt"),
]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize(("name", "files", "path"), UPLOADS, ids=[f"{name}-{path[-12:]}" for name, _, path in UPLOADS])
def test_a_damaged_file_among_sound_ones_leaves_the_format_and_the_others_alone(
    name: str, files: dict[str, bytes], path: str, problem: Exception
) -> None:
    choice, found = damaged(files, path, problem)
    assert choice.reader == name
    assert not choice.detection.by_name
    assert found == [r for r in records(without(DictTree(files), path), choice.detection) if r.document != path]
    assert all(r.document != path for r in found)


@pytest.mark.parametrize(
    ("name", "path", "files"),
    [
        ("coco", "train/_annotations.coco.json", {"train/1.jpg": b"", "meta.json": b"{}"}),
        ("coco", "instances_val2017.json", {"1.jpg": b"", "meta.json": b"{}"}),
        ("coco", "annotations.json", {"1.jpg": b""}),
        ("voc", "Annotations/1.xml", {"JPEGImages/2.jpg": b""}),
        ("voc", "1.xml", {"1.jpg": b"", "pom.xml": b"<project/>"}),
        ("yolo", "labels/1.txt", {"images/2.jpg": b""}),
        ("yolo", "1.txt", {"1.jpg": b"", "notes.txt": b"made by hand"}),
        ("labels", min(SAVES), {}),
    ],
)
def test_the_only_document_of_an_upload_is_judged_by_its_name_and_place(
    name: str, path: str, files: dict[str, bytes]
) -> None:
    choice, found = damaged({**files, path: b"?"}, path)
    assert (choice.reader, choice.detection.documents, choice.detection.by_name) == (name, (path,), True)
    assert choose(DamagedTree({**files, path: b"?"}, {path: PROBLEMS[0]}), name).reader == name
    assert found == []


@pytest.mark.parametrize("path", ["meta.json", "notes.xml", "notes.txt", "data.yaml"])
def test_a_damaged_file_that_is_nobodys_document_changes_nothing(path: str) -> None:
    files = {"1.jpg": b"", "other.json": b"{}", path: b"?"}
    choice, _ = damaged(files, path)
    assert choice.reader == "images"


@pytest.mark.parametrize("path", ["annotations.json", "labels/1.txt", min(SAVES)])
def test_a_name_gives_way_to_documents_that_can_be_read(path: str) -> None:
    choice, found = damaged({"Annotations/1.xml": VOC, path: b"?"}, path)
    assert choice.reader == "voc"
    assert [type(r) for r in found] == [ImageRecord, AnnotationRecord]


def test_of_names_alone_the_surest_counts_and_no_upload_is_refused() -> None:
    files = {"labels/1.txt": b"?", "Annotations/1.xml": b"?", "images/1.jpg": b""}
    tree = DamagedTree(files, dict.fromkeys(("labels/1.txt", "Annotations/1.xml"), PROBLEMS[0]))
    assert choose(tree, None).reader in ("voc", "yolo")


def test_a_coco_document_damaged_behind_its_beginning_is_taken() -> None:
    long = {"images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(9000)], "annotations": [], "categories": []}

    class Cut(DictTree):
        def read(self, path: str, limit: int | None = None) -> bytes:
            if limit is None:
                raise PROBLEMS[0]
            return super().read(path, limit)

    choice = choose(Cut({"a.json": json.dumps(long).encode(), "meta.json": b"{}", "1.jpg": b""}), None)
    assert (choice.reader, choice.detection.documents) == ("coco", ("a.json",))


def test_a_damaged_source_of_names_stays_in_the_record_and_another_stands_in() -> None:
    files = {"data.yaml": YAML, "classes.txt": b"dog", "labels/1.txt": ROW}
    tree = DamagedTree(files, {"data.yaml": PROBLEMS[0]})
    detection = choose(tree, None).detection
    assert detection.meta == ("data.yaml", "classes.txt")
    for seen in (tree, without(tree, "data.yaml")):
        assert [r.name for r in records(seen, detection) if isinstance(r, CategoryRecord)] == ["dog"]
        assert [r.category for r in records(seen, detection) if isinstance(r, AnnotationRecord)] == ["dog"]


def test_a_zip_with_a_bad_checksum_is_recognised_and_planned(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Annotations/1.xml", VOC)
        archive.writestr("Annotations/2.xml", VOC + b"<!-- damaged -->")
    upload = tmp_path / "upload.zip"
    upload.write_bytes(packed.getvalue().replace(b"<!-- damaged -->", b"<!-- DAMAGED -->"))
    tree = open_source(str(upload), load().ingest).tree
    with pytest.raises(ImagelakeError):
        tree.read("2.xml")
    choice = choose(tree, None)
    assert (choice.reader, choice.detection.documents) == ("voc", ("1.xml", "2.xml"))
    assert len(reader("voc").plan(tree, choice.detection)) == 1
