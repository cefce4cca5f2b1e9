from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.core import upload_paths
from imagelake.formats import small_documents
from imagelake.formats.base import Unit
from imagelake.formats.detect import choose
from imagelake.formats.records import AnnotationRecord, ImageRecord, Issue, Record
from imagelake.formats.trees import DictTree
from imagelake.formats.voc.reader import VocReader
from imagelake.formats.voc.xml import MAX_DEPTH, MAX_ELEMENTS
from imagelake.quality.catalogue import BY_ID

UPLOADS = Path(__file__).parents[4] / "shared" / "data"
RULES = set(BY_ID)
CORNERS = {"xmin": "11", "ymin": "21", "xmax": "30", "ymax": "60"}


def box(**corners: str) -> str:
    return "<bndbox>" + "".join(f"<{k}>{v}</{k}>" for k, v in {**CORNERS, **corners}.items()) + "</bndbox>"


def thing(bndbox: str = box(), name: str = "<name>cat</name>", more: str = "") -> str:
    return f"<object>{name}{more}{bndbox}</object>"


def xml(*objects: str, filename: str | None = "a.jpg", more: str = "") -> bytes:
    named = f"<filename>{filename}</filename>" if filename is not None else ""
    size = "<size><width>100</width><height>80</height><depth>3</depth></size>"
    return f"<annotation>{named}{size}{more}{''.join(objects)}</annotation>".encode()


def read(files: dict[str, bytes]) -> list[Record]:
    """All records of an upload that must be VOC."""
    tree = DictTree(files)
    reader = VocReader()
    found = reader.detect(tree)
    assert found.score > 0
    return [record for unit in reader.plan(tree, found) for record in reader.parse(unit, tree.read)]


def parse(data: bytes, path: str = "Annotations/a.xml") -> list[Record]:
    """The records of one document, whatever it holds, without any image beside it."""
    context = {"filenames_hold": True, "folder_splits": True, "mates": [None]}
    return list(VocReader().parse(Unit("voc", (path,), json.dumps(context)), lambda _: data))


def image(records: list[Record]) -> ImageRecord:
    (found,) = (r for r in records if isinstance(r, ImageRecord))
    return found


def files(records: list[Record]) -> dict[str, tuple[str, bool]]:
    return {r.document: (r.file, r.by_stem) for r in records if isinstance(r, ImageRecord)}


def issue(records: list[Record]) -> Issue:
    (found,) = (r for r in records if isinstance(r, Issue))
    assert found.rule in RULES
    return found


def test_corners_count_from_one_and_belong_to_the_box() -> None:
    (_, annotation) = parse(xml(thing()))
    assert isinstance(annotation, AnnotationRecord)
    assert annotation.bbox == (10.0, 20.0, 20.0, 40.0)
    assert (annotation.category, annotation.kind, annotation.unit) == ("cat", "box", False)
    assert annotation.image_ref == "Annotations/a.xml"
    assert annotation.locator == "object[0]"
    assert annotation.raw == thing()


def test_an_image_without_objects_is_labelled_with_nothing() -> None:
    (record,) = parse(xml())
    assert isinstance(record, ImageRecord)
    assert record.kinds == ("box",)
    assert (record.width, record.height) == (100, 80)


@pytest.mark.parametrize(
    ("corners", "rule"),
    [
        ({"xmax": "11"}, "annotation.box_degenerate"),
        ({"ymax": "2"}, "annotation.box_degenerate"),
        ({"xmin": "eleven"}, "annotation.bbox_invalid"),
        ({"ymin": ""}, "annotation.bbox_invalid"),
        ({"xmin": "0x10"}, "annotation.bbox_invalid"),
        ({"ymax": "1_0"}, "annotation.bbox_invalid"),
        ({"xmax": "NaN"}, "annotation.bbox_not_finite"),
        ({"ymax": "-inf"}, "annotation.bbox_not_finite"),
        ({"xmax": "1e999"}, "annotation.bbox_not_finite"),
        ({"xmin": "-1.7e308", "xmax": "1.7e308"}, "annotation.bbox_not_finite"),
    ],
)
def test_a_bad_box_is_one_issue_and_its_neighbours_stay(corners: dict[str, str], rule: str) -> None:
    records = parse(xml(thing(), thing(box(**corners)), thing()))
    found = issue(records)
    assert found.rule == rule
    assert found.locator == "object[1]"
    assert (found.image_ref, found.kind) == ("Annotations/a.xml", "box")
    assert "<name>cat</name>" in found.raw
    assert [r.locator for r in records if isinstance(r, AnnotationRecord)] == ["object[0]", "object[2]"]


def test_a_degenerate_box_is_told_with_its_four_corners() -> None:
    message = issue(parse(xml(thing(box(xmax="11"))))).message
    assert message.startswith("xmin=11 ymin=21 xmax=11 ymax=60")


@pytest.mark.parametrize("text", ["11.5", " 11.5 ", "1.15e1", "+11.5"])
def test_corners_may_be_fractions(text: str) -> None:
    (_, annotation) = parse(xml(thing(box(xmin=text))))
    assert isinstance(annotation, AnnotationRecord)
    assert annotation.bbox == (10.5, 20.0, 19.5, 40.0)


def test_an_object_without_a_box_or_a_name_is_an_issue() -> None:
    assert issue(parse(xml(thing(bndbox="")))).rule == "annotation.bbox_invalid"
    assert issue(parse(xml(thing(name="")))).rule == "annotation.category_unknown"
    assert issue(parse(xml(thing(name="<name> </name>")))).rule == "annotation.category_unknown"


def test_what_else_an_object_says_becomes_attributes() -> None:
    more = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>maybe</occluded>"
    part = f"<part><name>head</name>{box()}</part><part><name>foot</name></part>"
    (_, annotation) = parse(xml(thing(more=more + part)))
    assert isinstance(annotation, AnnotationRecord)
    assert annotation.attributes == {
        "pose": "Left",
        "truncated": 1,
        "difficult": 0,
        "occluded": "maybe",
        "part": [{"name": "head", "bndbox": CORNERS}, {"name": "foot"}],
    }


def test_what_else_an_image_says_becomes_attributes_but_for_places_on_a_machine() -> None:
    more = "<folder>f</folder><path>/home/x/a.jpg</path><source><database>D</database></source><segmented>0</segmented>"
    record = image(parse(xml(more=more)))
    assert record.attributes == {"source": {"database": "D"}, "segmented": 0, "depth": 3}


@pytest.mark.parametrize(
    ("side", "width", "warnings"),
    [
        ("640.0", 640, ()),
        ("0", None, ()),
        ("", None, ()),
        ("wide", None, ("image.size_invalid",)),
        ("-5", None, ("image.size_invalid",)),
        ("nan", None, ("image.size_invalid",)),
        ("1e300", None, ("image.size_invalid",)),
    ],
)
def test_a_declared_side_is_a_whole_number_or_none(side: str, width: int | None, warnings: tuple[str, ...]) -> None:
    record = image(parse(xml().replace(b"<width>100<", f"<width>{side}<".encode())))
    assert (record.width, record.height) == (width, 80)
    assert record.warnings == warnings


@pytest.mark.parametrize(
    ("filename", "file", "by_stem"),
    [
        ("photo.JPG", "photo.JPG", False),
        ("images\\photo.jpg", "images/photo.jpg", False),
        ("/etc/passwd", "a", True),
        ("photo", "a", True),
        ("photo.v2", "a", True),
        ("", "a", True),
        (None, "a", True),
    ],
)
def test_the_filename_counts_when_it_names_an_image(filename: str | None, file: str, by_stem: bool) -> None:
    record = image(parse(xml(filename=filename)))
    assert (record.file, record.by_stem) == (file, by_stem)
    assert not record.absolute
    assert record.warnings == (("image.backslash",) if filename and "\\" in filename else ())


@pytest.mark.parametrize(
    ("filename", "file"),
    [
        ("C:\\Users\\me\\photo.jpg", "Users/me/photo.jpg"),
        ("\\\\server\\share\\cam1\\photo.jpg", "cam1/photo.jpg"),
        ("/home/me/photo.jpg", "home/me/photo.jpg"),
        ("/photo.jpg", "photo.jpg"),
    ],
)
def test_an_absolute_filename_is_kept_whole_but_for_its_root(filename: str, file: str) -> None:
    record = image(parse(xml(filename=filename), "Annotations/cats/a.xml"))
    assert (record.file, record.by_stem, record.absolute) == (file, False, True)
    beside = {"Annotations/photo.xml": xml(filename=filename), "JPEGImages/photo.jpg": b""}
    assert files(read(beside)) == {"Annotations/photo.xml": ("JPEGImages/photo.jpg", False)}


@pytest.mark.parametrize(
    "filename", ["../a.jpg", "/x/../a.jpg", "..\\..\\a.jpg", "https://example.org/a.jpg", "file:a.jpg"]
)
def test_a_filename_that_leaves_the_upload_is_refused(filename: str) -> None:
    records = parse(xml(thing(), filename=filename))
    found = issue(records)
    assert found.rule == "image.path_hostile"
    assert found.entity == "image"
    assert found.image_ref == "Annotations/a.xml"
    assert not any(isinstance(r, ImageRecord) for r in records)


def test_an_image_renamed_after_labelling_is_found_by_the_documents_stem() -> None:
    records = read({"Annotations/7.xml": xml(filename="IMG_55.jpg"), "JPEGImages/7.png": b""})
    assert files(records) == {"Annotations/7.xml": ("JPEGImages/7.png", False)}


def test_an_image_that_changed_its_suffix_is_found() -> None:
    records = read({"Annotations/7.xml": xml(filename="7.bmp"), "JPEGImages/7.png": b""})
    assert files(records) == {"Annotations/7.xml": ("JPEGImages/7.png", False)}


def test_filenames_hold_where_they_name_images_of_the_upload_even_if_stems_do_too() -> None:
    records = read(
        {
            "Annotations/1.xml": xml(filename="0.jpg"),
            "Annotations/2.xml": xml(filename="1.jpg"),
            "JPEGImages/0.jpg": b"",
            "JPEGImages/1.jpg": b"",
        }
    )
    assert files(records) == {"Annotations/1.xml": ("0.jpg", False), "Annotations/2.xml": ("1.jpg", False)}


def test_without_images_the_filename_is_trusted() -> None:
    assert files(read({"Annotations/7.xml": xml(filename="IMG_55.jpg")})) == {
        "Annotations/7.xml": ("IMG_55.jpg", False)
    }


@pytest.mark.parametrize(
    ("documents", "images"),
    [
        (("Annotations/cats/1.xml", "Annotations/dogs/1.xml"), ("JPEGImages/cats/1.jpg", "JPEGImages/dogs/1.jpg")),
        (("train/annotations/1.xml", "valid/annotations/1.xml"), ("train/images/1.jpg", "valid/images/1.jpg")),
        (("cats/xml/1.xml", "dogs/xml/1.xml"), ("cats/images/1.jpg", "dogs/images/1.jpg")),
        (("cats/1.xml", "dogs/1.xml"), ("cats/1.jpg", "dogs/1.jpg")),
    ],
)
def test_of_images_with_one_name_the_nearest_is_meant(documents: tuple[str, str], images: tuple[str, str]) -> None:
    records = read({**{d: xml(filename="1.jpg") for d in documents}, **dict.fromkeys(images, b"")})
    assert files(records) == {d: (i, False) for d, i in zip(documents, images, strict=True)}


def test_thousands_of_images_with_one_name_are_told_apart_by_their_folders() -> None:
    folders = [f"scene{n}" for n in range(3000)]
    images = [f"{f}/images/1.jpg" for f in folders]
    found = files(
        read({**{f"{f}/annotations/1.xml": xml(filename="1.jpg") for f in folders}, **dict.fromkeys(images, b"")})
    )
    assert sorted(file for file, _ in found.values()) == sorted(images)
    assert all(document.split("/")[0] == file.split("/")[0] for document, (file, _) in found.items())


def test_the_folders_of_a_document_tell_images_that_come_later_apart() -> None:
    assert image(parse(xml(filename="1.jpg"), "Annotations/cats/1.xml")).file == "cats/1.jpg"
    assert image(parse(xml(filename=None), "Annotations/cats/1.xml")).file == "cats/1"


@pytest.mark.parametrize("path", ["train/Annotations/a.xml", "Annotations/train/a.xml", "train/a.xml"])
def test_the_split_is_that_of_the_folder(path: str) -> None:
    assert image(read({path: xml()})).split == "train"


def test_split_lists_name_images_by_stem_and_go_before_folders() -> None:
    records = read(
        {
            "train/Annotations/a.xml": xml(),
            "ImageSets/Main/train.txt": b"a\r\n\r\nb.jpg\na\n/data/c.jpg\n",
            "ImageSets/Main/val.txt": b"../x\n",
            "ImageSets/Main/trainval.txt": b"a\nb\n",
            "ImageSets/Main/cat_train.txt": b"a 1\nb -1\n",
        }
    )
    members = [r for r in records if isinstance(r, ImageRecord)]
    assert [(r.document, r.ref, r.file, r.by_stem, r.split, r.kinds, r.locator) for r in members] == [
        ("train/Annotations/a.xml", "train/Annotations/a.xml", "a.jpg", False, None, ("box",), "filename"),
        ("ImageSets/Main/train.txt", "a", "a", True, "train", (), "line 1"),
        ("ImageSets/Main/train.txt", "b.jpg", "b.jpg", True, "train", (), "line 3"),
        ("ImageSets/Main/train.txt", "/data/c.jpg", "data/c.jpg", True, "train", (), "line 5"),
    ]
    assert [r.absolute for r in members] == [False, False, False, True]
    found = issue(records)
    assert (found.rule, found.locator, found.entity) == ("split.member_malformed", "line 1", "image")


@settings(deadline=None)
@given(st.lists(st.text("ab./\\:\x00 é1", max_size=6), max_size=8))
def test_every_line_of_a_split_list_is_a_member_or_an_issue(lines: list[str]) -> None:
    listed = {line.strip() for line in lines} - {""}
    records = read({"a.xml": xml(), "ImageSets/Main/val.txt": "\n".join(lines).encode()})
    members = [r for r in records if r.document == "ImageSets/Main/val.txt"]
    assert sorted(
        r.ref if isinstance(r, ImageRecord) else str(getattr(r, "image_ref", None)) for r in members
    ) == sorted(listed)
    assert {r.rule for r in members if isinstance(r, Issue)} <= {"split.member_malformed"}
    assert all(r.kinds == () for r in members if isinstance(r, ImageRecord))


def test_labels_of_one_camera_are_not_put_on_the_image_of_another() -> None:
    image_of_cam1 = "JPEGImages/cam1/0001.jpg"
    document = "Annotations/cam2/0001.xml"
    assert files(read({document: xml(filename="0001.jpg"), image_of_cam1: b""})) == {document: ("cam2/0001.jpg", False)}
    flat = "Annotations/0001.xml"
    assert files(read({flat: xml(filename="cam2/0001.jpg"), image_of_cam1: b""})) == {flat: ("cam2/0001.jpg", False)}
    assert files(read({flat: xml(filename="0001.png"), image_of_cam1: b""})) == {flat: (image_of_cam1, False)}


def test_an_image_beside_its_document_is_not_that_of_another_document() -> None:
    records = read({f"cam{n}/1.xml": xml(filename="1.jpg") for n in (1, 2)} | {"cam1/1.jpg": b""})
    assert files(records) == {"cam1/1.xml": ("cam1/1.jpg", False), "cam2/1.xml": ("cam2/1.jpg", False)}


def test_a_folder_for_annotations_may_have_any_name() -> None:
    assert files(read({"boxes/1.xml": xml(filename="1.jpg"), "pics/1.jpg": b""})) == {
        "boxes/1.xml": ("pics/1.jpg", False)
    }


def test_a_class_name_is_trimmed_and_in_normal_form() -> None:
    (_, annotation) = parse(xml(thing(name="<name>\u2003koc\u030cka </name>")))
    assert isinstance(annotation, AnnotationRecord)
    assert annotation.category == "ko\u010dka"


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf", b"<?xml version='1.0'?><!-- <annotations> -->\n"])
def test_content_decides_and_not_the_name(prefix: bytes) -> None:
    found = VocReader().detect(DictTree({"x.xml": prefix + xml(), "y.xml": b"<annotations><image/></annotations>"}))
    assert (found.score, found.documents) == (90, ("x.xml",))


def test_a_document_in_utf_16_is_read() -> None:
    data = xml(thing(name="<name>žába</name>")).decode().encode("utf-16")
    (_, annotation) = read({"a.xml": data})
    assert isinstance(annotation, AnnotationRecord)
    assert annotation.category == "žába"


@pytest.mark.parametrize(
    ("declared", "word"),
    [
        ("gb2312", "猫"),
        ("gb2312", "貓"),
        ("Shift_JIS", "①"),
        ("GBK", "貓"),
        ("gb18030", "🐈"),
        ("big5", "貓"),
        ("Shift_JIS", "表ソ猫"),
        ("EUC-JP", "猫"),
        ("euc-kr", "고양이"),
        ("ks_c_5601-1987", "고양이"),
        ("hz-gb-2312", "猫"),
        ("iso-2022-jp", "猫"),
        ("iso-2022-kr", "고양이"),
    ],
)
def test_a_document_in_the_code_page_it_declares_is_read(declared: str, word: str) -> None:
    text = f"<?xml version='1.0' encoding='{declared}'?>" + xml(thing(name=f"<name>{word}</name>")).decode()
    named = text.replace("a.jpg", f"{word}.jpg")
    data = named.encode({"gb2312": "gbk", "Shift_JIS": "cp932"}.get(declared, declared))
    records = read({"Annotations/a.xml": data, f"images/{word}.jpg": b"", "images/a.jpg": b""})
    assert [r.category for r in records if isinstance(r, AnnotationRecord)] == [word]
    assert image(records).file.removeprefix("images/") == f"{word}.jpg"


@pytest.mark.parametrize(
    ("declared", "content", "part"),
    [
        ("gb2312", b"\xff", "not gb2312, as it declares (byte 0xFF at 61)"),
        ("big5", "猫".encode("gbk") + b"\xff", "not big5, as it declares"),
        ("euc-kr", b"\xc0", "not euc_kr, as it declares"),
        ("shift_jis", b"&e;", "undefined entity"),
        ("big5", b"\x00", "not well-formed"),
        ("utf-7", b"cat", "encoding"),
        ("../gbk", b"cat", "XML declaration not well-formed"),
    ],
)
def test_a_text_that_is_not_in_the_code_page_it_declares_is_an_issue(declared: str, content: bytes, part: str) -> None:
    data = f"<?xml version='1.0' encoding='{declared}'?><annotation><filename>".encode() + content
    found = issue(parse(data + b"</filename></annotation>"))
    assert found.rule == "document.invalid_xml"
    assert part in found.message


def test_a_document_in_a_code_page_may_declare_no_entities() -> None:
    data = "<?xml version='1.0' encoding='gbk'?><!DOCTYPE a [<!ENTITY e '猫'>]><annotation>&e;</annotation>"
    assert issue(parse(data.encode("gbk"))).rule == "document.xml_forbidden"


@pytest.mark.parametrize(
    ("documents", "lack"),
    [
        ({}, "no .xml document"),
        ({"a.xml": b"<annotations><track/></annotations>"}, "a.xml has the root annotations, not annotation"),
        ({"a.xml": b""}, "a.xml has the root (none), not annotation"),
        ({"a.xml": b"<annotation><text/></annotation>"}, "a.xml has the root annotation, but no filename or object"),
    ],
)
def test_what_is_no_voc_says_why(documents: dict[str, bytes], lack: str) -> None:
    found = VocReader().detect(DictTree(documents))
    assert (found.score, found.lacks) == (0, (lack,))


@pytest.mark.parametrize(
    ("data", "rule", "locator"),
    [
        (b"", "document.invalid_xml", "line 1 column 1"),
        (b"<annotation>\n<a></b></annotation>", "document.invalid_xml", "line 2 column 6"),
        (b"<?xml version='1.0' encoding='klingon'?><annotation/>", "document.invalid_xml", ""),
        (b"<!DOCTYPE annotation><annotation/>", "document.xml_forbidden", ""),
        (b"<!DOCTYPE a [<!ENTITY e 'x'>]><annotation>&e;</annotation>", "document.xml_forbidden", ""),
        (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><annotation/>", "document.xml_forbidden", ""),
        (b"<annotations/>", "document.wrong_shape", ""),
        (b"<annotation>" + b"<a>" * MAX_DEPTH, "document.too_deep", ""),
        (b"<annotation>" + b"<a/>" * MAX_ELEMENTS, "document.too_many_items", ""),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else None,
)
def test_a_document_that_cannot_be_read_is_one_issue(data: bytes, rule: str, locator: str) -> None:
    (found,) = parse(data)
    assert isinstance(found, Issue)
    assert (found.entity, found.rule, found.locator) == ("file", rule, locator)
    assert found.rule in RULES
    assert len(found.raw) <= 4000


def test_a_broken_document_leaves_the_others_alone() -> None:
    records = read({"a.xml": xml(thing()), "b.xml": xml(thing())[:-20], "c.xml": xml(thing())})
    assert issue(records).document == "b.xml"
    assert Counter(type(r) for r in records) == {ImageRecord: 2, AnnotationRecord: 2, Issue: 1}


def test_an_empty_document_among_others_is_not_passed_over() -> None:
    found = issue(read({"a.xml": xml(thing()), "b.xml": b"", "c.xml": b"<project/>"}))
    assert (found.document, found.rule) == ("b.xml", "document.invalid_xml")


def test_a_document_beyond_the_limit_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_documents, "MAX_BYTES", 1000)
    tree = DictTree({"a.xml": xml(thing()), "b.xml": xml() + b" " * 1000})
    reader = VocReader()
    units = reader.plan(tree, reader.detect(tree))
    opened: list[str] = []
    records = [r for unit in units for r in reader.parse(unit, lambda p: opened.append(p) or tree.read(p))]
    assert opened == ["a.xml"]
    assert (issue(records).rule, issue(records).document) == ("document.too_large", "b.xml")


def test_many_documents_make_few_units() -> None:
    tree = DictTree({f"Annotations/{n}.xml": xml(filename=f"{n}.jpg") for n in range(1000)})
    reader = VocReader()
    units = reader.plan(tree, reader.detect(tree))
    assert [len(u.paths) for u in units] == [200] * 5
    large = DictTree({f"{n}.xml": xml() + b" " * (1 << 20) for n in range(9)})
    assert [len(u.paths) for u in reader.plan(large, reader.detect(large))] == [3, 3, 3]


_VALID = xml(thing(more="<pose>Left</pose>"), thing(), more="<folder>f</folder>")
_PIECES = st.sampled_from([b"<object>", b"</object>", b"<", b">", b"&e;", b"&#0;", b"nan", b"\xff", b"\0", b"]]>", b""])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_VALID)), st.integers(0, 12), _PIECES), max_size=4))
def test_damaged_documents_never_raise(cuts: list[tuple[int, int, bytes]]) -> None:
    data = _VALID
    for start, length, piece in cuts:
        data = data[:start] + piece + data[start + length :]
    for record in parse(data):
        assert not isinstance(record, Issue) or record.rule in RULES


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(CORNERS)), st.text("0123456789.-+einfaxNE _", max_size=8)))
def test_whatever_corners_say_a_box_is_finite_and_positive(corners: dict[str, str]) -> None:
    for record in parse(xml(thing(box(**corners)))):
        if isinstance(record, AnnotationRecord):
            assert record.bbox is not None
            assert all(abs(v) < float("inf") for v in record.bbox)
            assert min(record.bbox[2:]) > 0


def upload(name: str) -> DictTree:
    """A real upload, as landing would strip it."""
    path = UPLOADS / name
    if not path.exists():
        pytest.skip(f"{name} is not in {UPLOADS.parent.name}/{UPLOADS.name} beside the checkout")
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/") and not upload_paths.is_junk(n)]
        wrapper = upload_paths.wrapper_folder(names)
        return DictTree({n[len(wrapper) :]: archive.read(n) for n in names})


def read_upload(name: str) -> tuple[Any, list[Record]]:
    tree = upload(name)
    choice = choose(tree, None)
    assert choice.reader == "voc"
    units = VocReader().plan(tree, choice.detection)
    records = [r for unit in units for r in VocReader().parse(unit, tree.read)]
    named = {r.file for r in records if isinstance(r, ImageRecord) and not r.by_stem}
    assert named <= set(tree.paths)
    return choice, records


@pytest.mark.data
def test_the_blood_cells_are_read_whole() -> None:
    _, records = read_upload("bccd-voc.zip")
    assert Counter(type(r) for r in records if getattr(r, "kinds", None) != ()) == {
        ImageRecord: 364,
        AnnotationRecord: 4886,
        Issue: 2,
    }
    splits = Counter(r.split for r in records if isinstance(r, ImageRecord) and not r.kinds)
    assert splits == {"train": 205, "val": 87, "test": 72}
    assert [(r.document, r.rule) for r in records if isinstance(r, Issue)] == [
        ("Annotations/BloodImage_00338.xml", "annotation.box_degenerate"),
        ("Annotations/BloodImage_00343.xml", "annotation.box_degenerate"),
    ]
    assert {r.category for r in records if isinstance(r, AnnotationRecord)} == {"RBC", "WBC", "Platelets"}


@pytest.mark.data
def test_the_raccoons_are_read_whole() -> None:
    _, records = read_upload("raccoon-voc.zip")
    assert Counter(type(r) for r in records) == {ImageRecord: 200, AnnotationRecord: 217}
