"""Pictures of kinds that are not read are named, with what to do."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from pictures import encoded, ftyp, one, probed, rules, tiff

from imagelake.bronze.probe import probe_image
from imagelake.bronze.probe.media_kinds import CAMERA_RAW
from imagelake.bronze.probe.probe_files import ProbeLimits
from imagelake.bronze.probe.probe_unread import UNSUPPORTED

BINARY = bytes(range(256)) * 4
DNG, SUB_IFDS, SUBFILE, WIDTH, HEIGHT = 50706, 330, 254, 256, 257
PREVIEW = {SUBFILE: 1, WIDTH: 160, HEIGHT: 120, SUB_IFDS: 4000}


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_image, "READABLE", probe_image.READABLE - {"image/heic", "image/heif"})


@pytest.mark.usefixtures("without_extra")
def test_heic_without_the_extra_says_what_it_is_and_what_to_do(tmp_path: Path) -> None:
    files = {
        "trip/IMG_0001.HEIC": ftyp(b"heic", b"mif1", b"heic") + BINARY,
        "IMG_0002.jpg": ftyp(b"mif1", b"heic") + BINARY,
        "IMG_0003": ftyp(b"msf1", b"hevc") + BINARY,
        "IMG_0004.heif": ftyp(b"mif1") + BINARY,
    }
    facts = probed(tmp_path, files)
    assert set(rules(facts).values()) == {UNSUPPORTED}
    assert [facts[name]["media_type"] for name in files] == ["image/heic"] * 3 + ["image/heif"]
    assert facts["trip/IMG_0001.HEIC"]["problem"] == (
        "IMG_0001.HEIC is HEIC, which is not read; convert it to JPEG, or pip install 'imagelake[heic]'"
    )
    assert facts["IMG_0004.heif"]["problem"].startswith("IMG_0004.heif is HEIF, which is not read; ")
    assert all(row["content_hash"] is not None for row in facts.values())


@pytest.mark.usefixtures("without_extra")
def test_what_is_named_heic_and_holds_something_else_is_what_it_holds(tmp_path: Path) -> None:
    files = {"a.heic": encoded("JPEG"), "b.heic": b"a text", "c.heic": b"", "d.heic": BINARY}
    facts = probed(tmp_path, files)
    assert rules(facts) == {
        "a.heic": None,
        "b.heic": "image.unreadable",
        "c.heic": "image.empty",
        "d.heic": "image.unreadable",
    }
    assert facts["a.heic"]["media_type"] == "image/jpeg"
    assert "is named like an image but holds text/plain; JPEG, PNG" in facts["b.heic"]["problem"]


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"8BPS\0\1" + BINARY, "image/vnd.adobe.photoshop", "a Photoshop document"),
        (bytes(128) + b"DICM" + BINARY, "application/dicom", "DICOM"),
        (b"v/1\x01" + BINARY, "image/x-exr", "OpenEXR"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + BINARY, "image/vnd.radiance", "Radiance HDR"),
        (b"#?RGBE\n" + BINARY, "image/vnd.radiance", "Radiance HDR"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + BINARY, "image/jxl", "JPEG XL"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a > b -->\n<svg:svg>", "image/svg+xml", "SVG"),
        (b"<!DOCTYPE svg PUBLIC 'a' [<!ENTITY b 'c'>] ><svg\n>", "image/svg+xml", "SVG"),
        (b"FUJIFILMCCD-RAW 0201" + BINARY, CAMERA_RAW, "raw file"),
        (b"IIRO\x08\0\0\0" + BINARY, CAMERA_RAW, "raw file"),
        (b"IIU\0\x18\0\0\0" + BINARY, CAMERA_RAW, "raw file"),
        (ftyp(b"crx ", b"isom") + BINARY, CAMERA_RAW, "raw file"),
        (b"II*\0\x10\0\0\0CR\2\0" + BINARY, CAMERA_RAW, "raw file"),
        (tiff({DNG: 1, WIDTH: 160}), CAMERA_RAW, "raw file"),
        (tiff({DNG: 1, WIDTH: 160}, order=">"), CAMERA_RAW, "raw file"),
        (tiff(PREVIEW), CAMERA_RAW, "raw file"),
    ],
)
@pytest.mark.parametrize("name", ["a", "a.jpg", "a.tif", "a.xml"])
def test_bytes_of_other_kinds_are_named_whatever_the_file_is_called(
    tmp_path: Path, name: str, data: bytes, kind: str, words: str
) -> None:
    row = one(tmp_path, name, data)
    assert (row["media_type"], row["problem_rule"]) == (kind, UNSUPPORTED)
    assert row["problem"].startswith(f"{name} is ")
    assert words in row["problem"]
    assert "; " in row["problem"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.NEF", "raw file"),
        ("a.x3f", "raw file"),
        ("a.dcm", "DICOM"),
        ("a.tga", "Targa"),
        ("a.ico", "icon"),
        ("a.jxl", "JPEG XL"),
        ("a.pfm", "PFM"),
        ("a.pam", "PAM"),
    ],
)
def test_kinds_without_bytes_of_their_own_are_named_by_their_suffix(tmp_path: Path, name: str, words: str) -> None:
    row = one(tmp_path, name, BINARY)
    assert (row["media_type"], row["problem_rule"]) == ("application/octet-stream", UNSUPPORTED)
    assert words in row["problem"]


def test_a_suffix_says_nothing_against_the_bytes(tmp_path: Path) -> None:
    files = {"a.dng": encoded("JPEG"), "b.ico": encoded("PNG"), "c.nef": b"a text", "d.tga": b"", "e.psd": BINARY}
    facts = probed(tmp_path, files)
    assert set(rules(facts).values()) == {None}
    assert [facts[name]["width"] for name in files] == [40, 40, None, None, None]


def test_the_preview_in_a_raw_file_is_never_taken_for_the_picture(tmp_path: Path) -> None:
    preview = encoded("TIFF", (160, 120))
    last = 4096 * 3
    behind = tiff({**PREVIEW, DNG: 1}, at=last)
    facts = probed(
        tmp_path,
        {"a.nef": preview, "b.ARW": preview, "c.tif": behind, "d.tif": preview, "e.dng": encoded("TIFF")},
        ProbeLimits(decode=False),
    )
    assert rules(facts) == {
        "a.nef": UNSUPPORTED,
        "b.ARW": UNSUPPORTED,
        "c.tif": UNSUPPORTED,
        "d.tif": None,
        "e.dng": UNSUPPORTED,
    }
    assert facts["c.tif"]["width"] is None
    assert facts["a.nef"]["problem"] == "a.nef is a camera's raw file, which is not read; develop it to JPEG or TIFF"


@pytest.mark.parametrize(
    "tags",
    [
        {WIDTH: 160, SUB_IFDS: 4000},  # a pyramid: the whole picture comes first
        {SUBFILE: 0, SUB_IFDS: 4000},
        {SUBFILE: 1},
    ],
)
def test_a_tiff_with_smaller_copies_behind_it_is_no_raw_file(tmp_path: Path, tags: dict[int, int]) -> None:
    row = one(tmp_path, "a.tif", tiff(tags))
    assert (row["media_type"], row["problem_rule"]) == ("image/tiff", "image.unreadable")


@pytest.mark.parametrize("start", [0, 4, 9, 4095, 2**31, 2**32 - 1])
@pytest.mark.parametrize("magic", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
def test_a_tiff_whose_directory_lies_anywhere_is_a_tiff(tmp_path: Path, magic: bytes, start: int) -> None:
    order = "<I" if magic.startswith(b"II") else ">I"
    row = one(tmp_path, "a.tif", magic + struct.pack(order, start) + b"\xff" * 5000)
    assert (row["media_type"], row["problem_rule"]) == ("image/tiff", "image.unreadable")


@pytest.mark.parametrize(
    "text",
    [
        b"<annotation><svg/></annotation>",
        b"<html><body><svg></svg></body></html>",
        b"<!-- <svg> --><annotation/>",
        b"<svgs/>",
        b"<?xml version='1.0'?>",
    ],
)
def test_xml_that_is_no_svg_is_xml(tmp_path: Path, text: bytes) -> None:
    row = one(tmp_path, "a.xml", text)
    assert (row["media_type"], row["problem_rule"]) == ("application/xml", None)
