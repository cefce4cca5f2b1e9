"""Names of members: the UTF-8 flag, the writer's system, and the Unicode path field (APPNOTE 4.6.9, appendix D)."""

from __future__ import annotations

import stat
import struct
import unicodedata
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zips import Part, build

from imagelake.bronze.probe import ProbeLimits, describe, probe_members
from imagelake.errors import UploadRejected
from imagelake.settings import IngestSettings
from imagelake.storage.archive import read_archive
from imagelake.storage.local import LocalStorage
from imagelake.storage.member import open_member, read_member
from imagelake.storage.source_open import open_source

LIMITS = IngestSettings()
DOS, OS2, WINDOWS, UNIX, VFAT, MACOS = 0, 6, 10, 3, 14, 19
BEIJING = "images/北京_01.jpg"
GBK = BEIJING.encode("gbk")
TIMES = struct.pack("<2H", 0x5455, 5) + bytes(5)
MARKED = 0x800


def field(name: str | bytes, raw: bytes, version: int = 1, crc: int | None = None, size: int | None = None) -> bytes:
    """A Unicode path field about a header's name; `size` is what the field says of its length."""
    text = name.encode() if isinstance(name, str) else name
    content = struct.pack("<BI", version, zlib.crc32(raw) if crc is None else crc) + text
    return struct.pack("<2H", 0x7075, len(content) if size is None else size) + content


def named(name: str | bytes, raw: bytes, host: int = DOS, flags: int = 0, data: bytes = b"x") -> Part:
    """A member with the field in both headers, as 7-Zip and Info-ZIP write it."""
    extra = field(name, raw)
    return Part(raw, data, host=host, flags=flags, extra=extra, local_extra=extra)


def contents(folder: Path, *parts: Part) -> dict[str, bytes]:
    (folder / "up.zip").write_bytes(build(*parts))
    storage = LocalStorage(folder)
    entries = read_archive(storage, "up.zip", LIMITS).entries
    return {e.path: read_member(storage, "up.zip", e) for e in entries}


def rejection(folder: Path, *parts: Part) -> UploadRejected:
    with pytest.raises(UploadRejected) as caught:
        contents(folder, *parts)
    return caught.value


HEADERS = {
    "code page of China": GBK,
    "code page of Japan with a backslash as its second byte": "表/北京.jpg".encode("cp932", "replace"),
    "underscores for what the code page lacks": b"images/____01.jpg",
    "question marks for what the code page lacks": b"images/??_01.jpg",
    "escapes of Info-ZIP": b"images/#U5317#U4eac_01.jpg",
    "control characters in the code page": b"images/\x01\x02_01.jpg",
    "the same UTF-8": BEIJING.encode(),
    "decomposed UTF-8": unicodedata.normalize("NFD", BEIJING).encode(),
    "empty": b"",
}


@pytest.mark.parametrize("host", [DOS, WINDOWS, UNIX, MACOS])
@pytest.mark.parametrize("raw", HEADERS.values(), ids=HEADERS.keys())
def test_the_unicode_path_field_names_the_member(tmp_path: Path, raw: bytes, host: int) -> None:
    assert contents(tmp_path, named(BEIJING, raw, host)) == {BEIJING: b"x"}


def test_the_field_is_read_beside_others_in_either_header_or_in_the_directory_alone(tmp_path: Path) -> None:
    unicode = field(BEIJING, GBK)
    central, local = (TIMES + unicode, unicode + TIMES, unicode + b"\0\0\0"), (unicode, TIMES + unicode, TIMES, b"")
    for extra in central:
        for local_extra in local:
            part = Part(GBK, host=DOS, extra=extra, local_extra=local_extra)
            assert contents(tmp_path, part) == {BEIJING: b"x"}


def test_a_header_that_is_flagged_may_have_the_field_too_if_it_says_the_same(tmp_path: Path) -> None:
    assert contents(tmp_path, named(BEIJING, BEIJING.encode(), flags=MARKED)) == {BEIJING: b"x"}


def test_members_whose_headers_have_one_name_are_told_apart_by_their_fields(tmp_path: Path) -> None:
    parts = (named("北.jpg", b"_.jpg", data=b"1"), named("京.jpg", b"_.jpg", data=b"2"))
    assert contents(tmp_path, *parts) == {"北.jpg": b"1", "京.jpg": b"2"}


def test_names_from_the_field_are_nfc_and_may_be_directories(tmp_path: Path) -> None:
    parts = (named("u\u0308/", b"\x81/", data=b""), named("u\u0308/e\u0301.jpg", b"\x81/\x82.jpg"))
    assert list(contents(tmp_path, *parts)) == ["\u00fc/", "\u00fc/\u00e9.jpg"]


def test_a_member_is_probed_and_streamed_by_the_name_of_its_field(tmp_path: Path) -> None:
    large = bytes(3 << 20)
    parts = (named(BEIJING, GBK), named("北.bin", b"?.bin", data=large), Part("a.txt"))
    (tmp_path / "up.zip").write_bytes(build(*parts))
    source = open_source(str(tmp_path / "up.zip"), LIMITS)
    batch = describe(source, source.members)
    (facts,) = probe_members([batch], ProbeLimits(decode=False))
    assert facts.column("path").to_pylist() == ["a.txt", BEIJING, "北.bin"]
    assert facts.column("problem_rule").to_pylist() == [None, "image.unreadable", None]  # its content is no image
    with open_member(LocalStorage(tmp_path), "up.zip", source.members[2].entry) as stream:  # type: ignore[arg-type]
        assert stream.read() == large


def test_names_without_the_flag_are_utf8_on_unix_and_macos(tmp_path: Path) -> None:
    for host in (UNIX, MACOS):
        assert contents(tmp_path, Part("\u00fc.jpg".encode(), host=host)) == {"\u00fc.jpg": b"x"}
        assert contents(tmp_path, Part("u\u0308.jpg".encode(), host=host)) == {"\u00fc.jpg": b"x"}


CODE_PAGES = {
    "cp437": "K\u00fcche.jpg".encode("cp437"),
    "cp850": "\u00f8.jpg".encode("cp850"),
    "cp866": "рак.jpg".encode("cp866"),
    "cp932": "Ｂ.jpg".encode("cp932"),
    "cp936 that looks like UTF-8": "眉.jpg".encode("gbk"),
    "cp866 that looks like UTF-8": "сад.jpg".encode("cp866"),
    "cp1252": "\u00fc.jpg".encode("cp1252"),
    "UTF-8": "\u00fc.jpg".encode(),
}


@pytest.mark.parametrize("host", [DOS, OS2, WINDOWS, 11, VFAT, 255])
@pytest.mark.parametrize("raw", CODE_PAGES.values(), ids=CODE_PAGES.keys())
def test_a_name_in_a_code_page_that_nobody_names_is_refused_with_what_to_do(
    tmp_path: Path, raw: bytes, host: int
) -> None:
    error = rejection(tmp_path, Part("a.jpg"), Part(raw, host=host))
    assert error.rule == "archive.name_invalid"
    assert repr(raw) in error.message
    assert error.hint is not None
    assert "UTF-8" in error.hint


@pytest.mark.parametrize("host", [UNIX, MACOS])
def test_a_name_of_unix_that_is_not_utf8_is_refused(tmp_path: Path, host: int) -> None:
    assert rejection(tmp_path, Part(b"\x81.jpg", host=host)).rule == "archive.name_invalid"


STALE = {
    "wrong CRC": field("other.jpg", b"a.jpg", crc=1),
    "CRC of another name": field("other.jpg", b"b.jpg"),
    "version 0": field("other.jpg", b"a.jpg", version=0),
    "version 2": field("other.jpg", b"a.jpg", version=2),
    "too short for a CRC": struct.pack("<2H", 0x7075, 4) + b"\x01abc",
    "no content": struct.pack("<2H", 0x7075, 0),
    "its id inside another field": struct.pack("<2H", 0x5455, 4) + b"upup",
    "wrong CRC and not UTF-8": field(b"\xff", b"a.jpg", crc=1),
}


@pytest.mark.parametrize("extra", STALE.values(), ids=STALE.keys())
def test_a_field_that_is_not_about_this_name_is_ignored(tmp_path: Path, extra: bytes) -> None:
    assert contents(tmp_path, Part("a.jpg", extra=extra, local_extra=extra)) == {"a.jpg": b"x"}
    assert rejection(tmp_path, Part(b"\xb1.jpg", host=DOS, extra=extra)).rule == "archive.name_invalid"


A = Part("a.jpg", b"aaaa")
ATTACKS = {
    "parent segment": ((named("../x", b"a.jpg"),), "archive.path_escape"),
    "parent segment inside": ((named("d/../../x", b"a.jpg"),), "archive.path_escape"),
    "absolute": ((named("/etc/passwd", b"a.jpg"),), "archive.path_escape"),
    "drive": ((named("C:/x", b"a.jpg"),), "archive.path_escape"),
    "backslash": ((named("d\\x", b"a.jpg"),), "archive.path_escape"),
    "NUL": ((named("a.jpg\0.txt", b"a.jpg"),), "archive.name_invalid"),
    "line feed": ((named("a\nb", b"a.jpg"),), "archive.name_invalid"),
    "C1 control": ((named("a\x85", b"a.jpg"),), "archive.name_invalid"),
    "dot segment": ((named("./a", b"a.jpg"),), "archive.name_invalid"),
    "no name": ((named("", b"a.jpg"),), "archive.name_invalid"),
    "very long": ((named("n" * 300, b"a.jpg"),), "archive.name_invalid"),
    "not UTF-8": ((named(b"\xff", b"a.jpg"),), "archive.name_invalid"),
    "surrogate": ((named(b"\xed\xa0\x80", b"a.jpg"),), "archive.name_invalid"),
    "overlong": ((named(b"..\xc0\xafx", b"a.jpg"),), "archive.name_invalid"),
    "another member's name": ((A, named("a.jpg", b"b.jpg")), "archive.duplicate_name"),
    "another field's name": ((named("c", b"a.jpg"), named("c", b"b.jpg")), "archive.duplicate_name"),
    "another name under NFC": (
        (Part("\u00e9.jpg"), named("e\u0301.jpg", b"b.jpg")),
        "archive.duplicate_name",
    ),
    "another name in capitals": ((A, named("A.JPG", b"b.jpg")), "archive.case_collision"),
    "a file as a folder": ((A, named("a.jpg/b", b"b.jpg")), "archive.duplicate_name"),
    "a file turned into a directory": ((named("d/", b"d", data=b""),), "archive.name_invalid"),
    "a directory turned into a file": ((named("d", b"d/", data=b""),), "archive.name_invalid"),
    "a directory with bytes": ((named("d/", b"e/"),), "archive.name_invalid"),
    "a link": (
        (Part("a", mode=stat.S_IFLNK, extra=field("b", b"a")),),
        "archive.symlink",
    ),
    "flagged and otherwise": ((named("b.jpg", b"a.jpg", flags=MARKED),), "archive.name_invalid"),
    "flagged and not UTF-8": ((named(BEIJING, GBK, flags=MARKED),), "archive.name_invalid"),
    "two fields": (
        (Part("a.jpg", extra=field("b", b"a.jpg") + field("c", b"a.jpg")),),
        "archive.name_invalid",
    ),
    "two fields, one of them stale": (
        (Part("a.jpg", extra=field("b", b"a.jpg", crc=1) + TIMES + field("c", b"a.jpg")),),
        "archive.name_invalid",
    ),
    "cut off": ((Part("a.jpg", extra=field("b.jpg", b"a.jpg")[:-2]),), "archive.name_invalid"),
    "longer than the extra fields": (
        (Part("a.jpg", extra=field("b.jpg", b"a.jpg", size=0xFFFF)),),
        "archive.name_invalid",
    ),
}


@pytest.mark.parametrize(("parts", "rule"), ATTACKS.values(), ids=ATTACKS.keys())
def test_a_hostile_field_is_refused_under_the_rule_it_breaks(
    tmp_path: Path, parts: tuple[Part, ...], rule: str
) -> None:
    assert rejection(tmp_path, *parts).rule == rule


def local(raw: bytes = GBK, extra: bytes = b"", flags: int = 0, name: bytes | None = None) -> Part:
    """A member of the directory's name BEIJING, and what its local header says of it."""
    return Part(raw, host=DOS, flags=flags, extra=field(BEIJING, raw), local_name=name, local_extra=extra)


TWO_NAMES = {
    "the local field has another": local(extra=field("b.jpg", GBK)),
    "only the local header has a field": Part("a.jpg", local_extra=field("b.jpg", b"a.jpg")),
    "the local header has two fields": local(extra=field(BEIJING, GBK) + field("b", GBK)),
    "the local field is cut off": local(extra=field(BEIJING, GBK)[:-1]),
    "the local field is not UTF-8": local(extra=field(b"\xff", GBK)),
    "the local header has another name": local(name="images/南京_01.jpg".encode("gbk")),
    "the local header has another name and a field": local(name=b"b", extra=field(BEIJING, b"b")),
    "the local name is ASCII": local(name=b"images/_____01.jpg"),
    "the local field is stale and its name another": local(name=b"images/_____01.jpg", extra=field(BEIJING, GBK)),
}


@pytest.mark.parametrize("part", TWO_NAMES.values(), ids=TWO_NAMES.keys())
def test_a_member_with_two_names_is_refused_when_it_is_read(tmp_path: Path, part: Part) -> None:
    error = rejection(tmp_path, part, Part("z.txt"))
    assert error.rule == "file.corrupt"
    assert "another name" in error.message
    source = open_source(str(tmp_path / "up.zip"), LIMITS)
    (facts,) = probe_members([describe(source, source.members)], ProbeLimits(decode=False))
    assert sorted(facts.column("problem_rule").to_pylist(), key=str) == [None, "file.corrupt"]


@given(
    name=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\:"), min_size=1),
    raw=st.binary(max_size=20).filter(lambda b: not b.endswith(b"/")),
    host=st.integers(0, 255),
)
def test_a_valid_field_is_the_name_whatever_the_header_holds(
    tmp_path_factory: pytest.TempPathFactory, name: str, raw: bytes, host: int
) -> None:
    if name in (".", "..") or len(name.encode()) > 255:
        return
    found = contents(tmp_path_factory.mktemp("zip"), named(name, raw, host))
    assert found == {unicodedata.normalize("NFC", name): b"x"}
