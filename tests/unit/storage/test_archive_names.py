"""Names of members: the UTF-8 flag, the writer's system, and the Unicode path field (APPNOTE 4.6.9, appendix D)."""

from __future__ import annotations

import struct
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zips import Part, build, contents, named, rejection
from zips import unicode_path as field

from imagelake.bronze.probe.probe_files import ProbeLimits, describe, probe_members
from imagelake.config.settings import IngestSettings
from imagelake.storage.local import LocalStorage
from imagelake.storage.zip.member import open_member, read_member
from imagelake.uploads.archive import read_archive
from imagelake.uploads.open_source import open_source

LIMITS = IngestSettings()
DOS, OS2, WINDOWS, UNIX, VFAT, MACOS = 0, 6, 10, 3, 14, 19
BEIJING = "images/北京_01.jpg"
GBK = BEIJING.encode("gbk")
TIMES = struct.pack("<2H", 0x5455, 5) + bytes(5)
MARKED = 0x800


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


SEGMENT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\:"), min_size=1, max_size=20
).filter(lambda n: n not in (".", ".."))


@given(folders=st.lists(st.lists(SEGMENT, min_size=1, max_size=3), min_size=1, max_size=6), data=st.data())
def test_a_directory_that_zipfile_wrote_is_read_with_the_same_names(
    tmp_path_factory: pytest.TempPathFactory, folders: list[list[str]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    paths = {f"{number}/" + "/".join(parts) for number, parts in enumerate(folders)}
    paths |= {f"{number}/" for number in range(len(folders)) if data.draw(st.booleans())}
    with zipfile.ZipFile(folder / "up.zip", "w") as archive:
        for path in sorted(paths):
            archive.writestr(path, b"" if path.endswith("/") else path.encode())
    storage = LocalStorage(folder)
    entries = read_archive(storage, "up.zip", LIMITS).entries
    with zipfile.ZipFile(folder / "up.zip") as archive:
        assert [e.path for e in entries] == [unicodedata.normalize("NFC", n) for n in archive.namelist()]
        for entry, name in zip(entries, archive.namelist(), strict=True):
            assert entry.is_dir or read_member(storage, "up.zip", entry) == archive.read(name)
