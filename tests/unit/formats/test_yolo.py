from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.formats import small_documents
from imagelake.formats.base import Unit
from imagelake.formats.records import EVERY_KIND, AnnotationRecord, CategoryRecord, ImageRecord, Issue, Record
from imagelake.formats.trees import DictTree
from imagelake.formats.yolo import names as yolo_names
from imagelake.formats.yolo.reader import YoloReader
from imagelake.quality.catalogue import BY_ID

RULES = set(BY_ID)
BOX = "0 0.5 0.5 0.2 0.4"
DATA = b"train: images/train\nval: images/val\nnc: 2\nnames: [cat, dog]\n"
PATH = "labels/a.txt"


def tree(files: dict[str, str | bytes]) -> DictTree:
    return DictTree({path: data if isinstance(data, bytes) else data.encode() for path, data in files.items()})


def read(files: dict[str, str | bytes]) -> list[Record]:
    """All records of an upload that must be YOLO."""
    upload = tree(files)
    reader = YoloReader()
    found = reader.detect(upload)
    assert found.score > 0
    return [record for unit in reader.plan(upload, found) for record in reader.parse(unit, upload.read)]


def parse(text: str | bytes, data: bytes | None = None) -> list[Record]:
    """The records of one label file, whatever it holds; names come from `data`."""
    content = {PATH: text.encode() if isinstance(text, str) else text, "data.yaml": data or b""}
    names = "data.yaml" if data else None
    unit = Unit("yolo", ("data.yaml", PATH) if data else (PATH,), json.dumps({"names": names}))
    return list(YoloReader().parse(unit, content.__getitem__))


def only(records: list[Record], kind: type[Any]) -> list[Any]:
    return [r for r in records if isinstance(r, kind)]


def issue(records: list[Record]) -> Issue:
    (found,) = only(records, Issue)
    assert found.rule in RULES
    return found


def names(data: bytes | str, path: str = "data.yaml") -> dict[int, str]:
    """The declared categories by index."""
    found = only(read({path: data, PATH: "", "images/a.jpg": ""}), CategoryRecord)
    assert all(r.ref == r.source_id == str(r.order) for r in found)
    return {r.order: r.name for r in found}


def test_a_row_of_five_is_a_box_around_its_centre_in_shares() -> None:
    annotation, image = parse(BOX, DATA)
    assert isinstance(annotation, AnnotationRecord)
    assert annotation.bbox == pytest.approx((0.4, 0.3, 0.2, 0.4))
    assert (annotation.unit, annotation.kind, annotation.category) == (True, "box", "cat")
    assert (annotation.image_ref, annotation.locator, annotation.raw) == (PATH, "line 1", BOX)
    assert isinstance(image, ImageRecord)
    assert (image.ref, image.file, image.by_stem, image.kinds) == (PATH, "images/a", True, (EVERY_KIND,))


@pytest.mark.parametrize("points", [3, 4, 10])
def test_a_longer_row_of_odd_width_is_a_polygon_with_its_bounds(points: int) -> None:
    polygon = [0.1, 0.2, 0.5, 0.2, 0.5, 0.8] + [0.3, 0.7] * (points - 3)
    annotation, _ = parse(" ".join(map(str, [1, *polygon])), DATA)
    assert isinstance(annotation, AnnotationRecord)
    assert (annotation.kind, annotation.category, annotation.unit) == ("polygon", "dog", True)
    assert annotation.polygons == (tuple(polygon),)
    assert annotation.bbox == pytest.approx((0.1, 0.2, 0.4, 0.6))


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("0", "annotation.row_malformed"),
        ("0 0.5 0.5 0.1", "annotation.row_malformed"),
        ("0 0.5 0.5 0.1 0.1 0.9", "annotation.row_malformed"),
        ("0 0.5 0.5 0.1 0.1 0.1 0.2 0.3", "annotation.row_malformed"),
        ("0 0.5 0.5 0.1 wide", "annotation.row_malformed"),
        ("some words", "annotation.row_malformed"),
        ("2 0.5 0.5 0.1 0.1", "annotation.category_unknown"),
        ("-1 0.5 0.5 0.1 0.1", "annotation.category_unknown"),
        ("0.5 0.5 0.5 0.1 0.1", "annotation.category_unknown"),
        ("cat 0.5 0.5 0.1 0.1", "annotation.category_unknown"),
        ("99999999999999999999 0.5 0.5 0.1 0.1", "annotation.category_unknown"),
        ("0 nan 0.5 0.1 0.1", "annotation.bbox_not_finite"),
        ("0 0.5 0.5 0.1 -inf", "annotation.bbox_not_finite"),
        ("0 0.5 0.5 0.1 1e999", "annotation.bbox_not_finite"),
        ("0 -1.7e308 0.5 1.7e308 0.1", "annotation.bbox_not_finite"),
        ("0 -1.7e308 0.5 1.7e308 0.1 0 0", "annotation.bbox_not_finite"),
    ],
)
def test_a_bad_row_is_one_issue_and_its_neighbours_stay(row: str, rule: str) -> None:
    records = parse(f"{BOX}\n\n{row}\r\n{BOX}\n", DATA)
    found = issue(records)
    assert (found.rule, found.locator, found.raw) == (rule, "line 3", row)
    assert found.image_ref == PATH
    assert found.kind == ("polygon" if len(row.split()) == 7 else "box")
    assert [r.locator for r in only(records, AnnotationRecord)] == ["line 1", "line 4"]


def test_an_empty_file_is_labelled_with_nothing() -> None:
    for text in ("", "\n \r\n", b"\xef\xbb\xbf"):
        (image,) = parse(text)
        assert isinstance(image, ImageRecord)
        assert image.kinds == (EVERY_KIND,)


def test_every_image_is_labelled_for_the_kinds_of_all_label_files_however_many_there_are() -> None:
    files: dict[str, str | bytes] = {f"labels/{n:03}.txt": BOX for n in range(300)}
    # between the files that are looked at to recognise the format
    records = read({**files, "labels/001.txt": "0 .1 .1 .2 .1 .2 .2", "labels/003.txt": "", "labels/005.txt": "0 1"})
    assert {r.kinds for r in only(records, ImageRecord)} == {(EVERY_KIND,)}
    assert {r.kind for r in records if isinstance(r, AnnotationRecord | Issue)} == {"box", "polygon"}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("0 nan .1 .2 .1 .2 .2", "polygon"),
        ("0 .1 .1 nan .1", "box"),
        ("0 .1 .1", "box"),
        ("0 .1 .1 .2 .1 .2 .2 1", "box"),
    ],
)
def test_a_refused_row_has_a_kind_too_and_counts_as_a_box_where_it_is_no_polygon(row: str, kind: str) -> None:
    assert issue(parse(row)).kind == kind
    assert issue(parse(BOX + " 0.1 0.1 0.2 0.2", DATA + b"kpt_shape: [2, 2]\n")).kind == "box"


def test_rows_with_keypoints_are_not_misread_as_polygons() -> None:
    row = BOX + " 0.1 0.1 0.2 0.2"
    assert only(parse(row, DATA), AnnotationRecord)
    found = issue(parse(row, DATA + b"kpt_shape: [2, 2]\n"))
    assert found.rule == "annotation.row_malformed"
    assert "keypoints are not supported yet" in found.message


def test_a_text_without_numbers_is_one_issue_and_labels_nothing() -> None:
    (found,) = parse("Notes on the labels:\n" + "they were made by hand\n" * 500)
    assert isinstance(found, Issue)
    assert (found.entity, found.rule, found.locator) == ("file", "document.wrong_shape", "line 1")


@pytest.mark.parametrize(
    ("path", "file", "split"),
    [
        ("labels/train/a.txt", "images/train/a", "train"),
        ("train/labels/a.txt", "train/images/a", "train"),
        ("valid/labels/sub/a.b.txt", "valid/images/sub/a.b", "val"),
        ("Labels/a.TXT", "images/a", None),
        ("train/a.txt", "train/a", "train"),
        ("obj_train_data/a.txt", "obj_train_data/a", None),
    ],
)
def test_the_path_of_a_label_file_tells_image_and_split(path: str, file: str, split: str | None) -> None:
    (image,) = only(read({path: BOX}), ImageRecord)
    assert (image.file, image.by_stem, image.split) == (file, True, split)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"names: [cat, dog]", {0: "cat", 1: "dog"}),
        (b"names:\n  0: cat\n  2: dog\n", {0: "cat", 2: "dog"}),
        (b"\xef\xbb\xbfnames:\n- cat\n- dog\n", {0: "cat", 1: "dog"}),
        (b"names: [no, 1, 2020-01-01, ' x ']", {0: "no", 1: "1", 2: "2020-01-01", 3: "x"}),
        (b"nc: 2", {0: "class_0", 1: "class_1"}),
        (b"nc: 9\nnames: [cat]\ndownload: |\n  raise SystemExit\n", {0: "cat"}),
        ("names: [kočka, 猫]".encode(), {0: "kočka", 1: "猫"}),
        ("names: ['koc\u030cka', '\u2003dog ']".encode(), {0: "ko\u010dka", 1: "dog"}),
        (b"names: [!!python/object/apply:os.getcwd []]", None),
        (b"names: !!python/name:os.system [a]", {0: "a"}),
    ],
)
def test_names_are_read_as_words_and_nothing_is_obeyed(data: bytes, expected: dict[int, str] | None) -> None:
    if expected is None:
        assert issue(read({"data.yaml": data, PATH: BOX})).rule == "document.wrong_shape"
    else:
        assert names(data) == expected


@pytest.mark.parametrize("path", ["classes.txt", "labels/classes.txt", "obj.names", "train/_darknet.labels"])
def test_lists_of_names_hold_one_a_line(path: str) -> None:
    assert names("cat\r\n\r\nbig dog\ne\u0301\n", path) == {0: "cat", 2: "big dog", 3: "\u00e9"}


@pytest.mark.parametrize(
    ("data", "rule", "locator"),
    [
        (b"names: [cat", "document.invalid_yaml", "line 1 column 12"),
        (b"a: &a [x]\nnames: *a", "document.invalid_yaml", "line 2 column 8"),
        (b"names: \x00", "document.invalid_yaml", ""),
        (b"names: [a]\n---\nnames: [b]", "document.invalid_yaml", "line 2 column 1"),
        (b"? [a]\n: b\nnames: [a]", "document.invalid_yaml", "line 1 column 3"),
        (b"[" * 100_000, "document.too_deep", ""),
        (b"names: [" + b"a," * 60_000 + b"]", "document.too_many_items", ""),
        (b"names: obj.names", "document.wrong_shape", ""),
        (b"names: {a: cat}", "document.wrong_shape", ""),
        (b"names: {0: [cat]}", "document.wrong_shape", ""),
        (b"names: []", "document.wrong_shape", ""),
        (b"nc: 999999999", "document.wrong_shape", ""),
        (b"- cat", "document.wrong_shape", ""),
        (b"", "document.wrong_shape", ""),
        (b"names: [a]\n" + b"#" * yolo_names.MAX_BYTES, "document.too_large", ""),
    ],
    ids=lambda value: value[:16].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_unusable_names_are_one_issue_and_the_classes_get_numbers(data: bytes, rule: str, locator: str) -> None:
    records = read({"data.yaml": data, PATH: "7 .5 .5 .1 .1"})
    found = issue(records)
    assert (found.entity, found.document, found.rule, found.locator) == ("file", "data.yaml", rule, locator)
    assert [r.category for r in only(records, AnnotationRecord)] == ["class_7"]


def test_a_second_source_of_names_stands_in_for_a_broken_one() -> None:
    records = read({"data.yaml": "names: [", "classes.txt": "cat\ndog", PATH: "1 .5 .5 .1 .1"})
    assert issue(records).document == "data.yaml"
    assert [(r.document, r.name) for r in only(records, CategoryRecord)] == [
        ("classes.txt", "cat"),
        ("classes.txt", "dog"),
    ]
    assert [r.category for r in only(records, AnnotationRecord)] == ["dog"]


def test_names_are_declared_once_however_many_units_there_are() -> None:
    upload = tree({"data.yaml": DATA, **{f"labels/{n}.txt": BOX for n in range(450)}})
    reader = YoloReader()
    units = reader.plan(upload, reader.detect(upload))
    assert len(units) == 4
    records = [r for unit in units for r in reader.parse(unit, upload.read)]
    assert Counter(type(r) for r in records) == {CategoryRecord: 2, ImageRecord: 450, AnnotationRecord: 450}


@pytest.mark.parametrize(
    ("files", "score", "documents"),
    [
        ({"data.yaml": DATA, "labels/a.txt": BOX}, 90, ("labels/a.txt",)),
        ({"labels/a.txt": BOX}, 70, ("labels/a.txt",)),
        ({"labels/a.txt": "0 .1 .1 .2 .1 .2 .2", "labels/b.txt": ""}, 70, ("labels/a.txt", "labels/b.txt")),
        ({"data.yaml": DATA, "labels/a.txt": "", "images/a.jpg": ""}, 60, ("labels/a.txt",)),
        ({"labels/a.txt": BOX, "notes.txt": "made by hand"}, 70, ("labels/a.txt",)),
        ({"labels/license_plate_1.txt": BOX}, 70, ("labels/license_plate_1.txt",)),
        ({"a.txt": BOX, "train.txt": "a.jpg", "classes.txt": "cat", "README.txt": "0 0 0 0 0"}, 90, ("a.txt",)),
    ],
)
def test_label_files_are_known_by_their_rows(
    files: dict[str, str | bytes], score: int, documents: tuple[str, ...]
) -> None:
    found = YoloReader().detect(tree(files))
    assert (found.score, found.documents) == (score, documents)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"data.yaml": DATA},
        {"data.yaml": DATA, "labels/a.txt": ""},
        {"a.txt": "", "a.jpg": ""},
        {"notes.txt": "made by hand", "classes.txt": "cat"},
        {"ImageSets/Main/cat_train.txt": "a 1\nb -1\n"},
        {"caption.txt": "0 cats and 4 dogs"},
        {"boxes.txt": "0 320 240 100 50\n"},
    ],
)
def test_other_texts_are_no_labels(files: dict[str, str | bytes]) -> None:
    found = YoloReader().detect(tree(files))
    assert found.score == 0
    assert found.lacks


def test_rows_cut_at_the_end_of_what_is_looked_at_do_not_mislead() -> None:
    long = "0 " + " ".join(["0.123456"] * 2000)
    assert YoloReader().detect(tree({"a.txt": f"{BOX}\n{long}"})).score == 70


def test_a_label_file_beyond_the_limit_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_documents, "MAX_BYTES", 100)
    records = read({"a.txt": BOX, "b.txt": BOX * 100})
    assert (issue(records).rule, issue(records).document) == ("document.too_large", "b.txt")


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text("0123456789.-+einfax \n\t,", max_size=200)))
def test_whatever_a_label_file_holds_it_never_raises(text: bytes | str) -> None:
    for record in parse(text, DATA):
        if isinstance(record, AnnotationRecord):
            assert record.bbox is not None
            assert all(abs(v) < float("inf") for v in record.bbox)
        assert not isinstance(record, Issue) or record.rule in RULES


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=100), st.text("names:[]{}&*!-? \n01ab,'\"|>", max_size=100)))
def test_whatever_names_are_declared_as_it_never_raises(text: bytes | str) -> None:
    records = read({"data.yaml": text, PATH: BOX})
    assert len(only(records, ImageRecord)) == 1
    assert {r.rule for r in only(records, Issue)} <= RULES


@settings(deadline=None)
@given(st.integers(0, 1), st.lists(st.floats(0, 1), min_size=2, max_size=2), st.lists(st.floats(0, 1), min_size=2))
def test_a_box_gives_back_its_centre_and_size(index: int, centre: list[float], size: list[float]) -> None:
    row = " ".join(map(repr, [index, *centre, *size[:2]]))
    annotation, _ = parse(row, DATA)
    assert isinstance(annotation, AnnotationRecord)
    assert annotation.bbox is not None
    x, y, w, h = annotation.bbox
    assert (x + w / 2, y + h / 2, w, h) == pytest.approx((*centre, *size[:2]))


def test_mostly_defective_rows_are_still_labels_where_names_are_declared() -> None:
    rows = BOX + "\n" + "0 0.5\n" * 9
    records = read({"data.yaml": DATA, PATH: rows})
    assert Counter(type(r) for r in records) == {CategoryRecord: 2, AnnotationRecord: 1, Issue: 9, ImageRecord: 1}
    assert YoloReader().detect(tree({PATH: rows})).score == 0
