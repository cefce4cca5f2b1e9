"""Names of members that would escape, collide, hide, or give one member two names."""

from __future__ import annotations

import stat
import struct
from pathlib import Path

import pytest
from zips import Part, contents, named, rejection
from zips import unicode_path as field

from imagelake.bronze.probe.probe_files import ProbeLimits, describe, probe_members
from imagelake.config.settings import IngestSettings
from imagelake.uploads.open_source import open_source

LIMITS = IngestSettings()
DOS, UNIX = 0, 3
BEIJING = "images/北京_01.jpg"
GBK = BEIJING.encode("gbk")
TIMES = struct.pack("<2H", 0x5455, 5) + bytes(5)
MARKED = 0x800


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


BACKSLASHES = {
    "Windows PowerShell": Part("set\\images\\a.jpg", host=DOS),
    "a folder of Windows PowerShell": Part("set\\images\\", b"", host=DOS),
    "old .NET, flagged": Part("Größe\\a.jpg", host=DOS),
    "slashes too": Part("set/images\\a.jpg", host=UNIX),
    "at the beginning": Part("\\a.jpg"),
    "at the end": Part("a.jpg\\"),
    "with a drive": Part("C:\\images\\a.jpg"),
    "with a parent segment": Part("..\\a.jpg"),
    "in a Unicode path field": named("bilder\\ü.jpg", b"bilder\\\x81.jpg"),
    "in a Unicode path field alone": named("bilder\\ü.jpg", b"bilder/\x81.jpg"),
}


@pytest.mark.parametrize("part", BACKSLASHES.values(), ids=BACKSLASHES.keys())
def test_a_backslash_is_refused_with_what_to_do(tmp_path: Path, part: Part) -> None:
    error = rejection(tmp_path, Part("a.txt"), part)
    assert error.rule == "archive.path_escape"
    assert "backslash" in error.message
    assert error.hint is not None
    assert "7-Zip" in error.hint
    assert "tar -a -c" in error.hint
