from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from zips import MAX16, MAX32, Part, build, build64, end_record, overlap_bomb

from imagelake.config.settings import IngestSettings
from imagelake.errors import UploadRejected
from imagelake.storage.local import LocalStorage
from imagelake.uploads.archive import read_archive

LIMITS = IngestSettings(max_entries=1000, max_total_bytes=1 << 24, max_ratio=100)
A, B = Part("a.jpg", b"aaaa"), Part("b.jpg", b"bbbb")
WIDE = struct.pack("<2H", 1, 16) + struct.pack("<2Q", 4, 4)


def rejection(tmp_path: Path, data: bytes, limits: IngestSettings = LIMITS) -> UploadRejected:
    (tmp_path / "up.zip").write_bytes(data)
    with pytest.raises(UploadRejected) as caught:
        read_archive(LocalStorage(tmp_path), "up.zip", limits)
    assert caught.value.message.startswith("up.zip: ")
    return caught.value


def deflated(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bmp", data)
    return out.getvalue()


ATTACKS = {
    "no zip": (b"hello, world" * 100, "archive.not_a_zip"),
    "empty file": (b"", "archive.not_a_zip"),
    "no entries": (end_record(0, 0, 0), "archive.empty"),
    "parent segment": (build(A, Part("../../etc/passwd")), "archive.path_escape"),
    "parent segment inside": (build(Part("a/../b.jpg")), "archive.path_escape"),
    "absolute": (build(Part("/etc/passwd")), "archive.path_escape"),
    "drive": (build(Part("C:/w.jpg")), "archive.path_escape"),
    "drive relative": (build(Part("c:w.jpg")), "archive.path_escape"),
    "UNC": (build(Part("\\\\host\\share\\a.jpg")), "archive.path_escape"),
    "backslash": (build(Part("a\\b.jpg")), "archive.path_escape"),
    "NUL": (build(Part("a.jpg\0.txt")), "archive.name_invalid"),
    "line feed": (build(Part("a\nb.jpg")), "archive.name_invalid"),
    "C1 control": (build(Part("a\x85.jpg")), "archive.name_invalid"),
    "empty name": (build(Part("")), "archive.name_invalid"),
    "dot segment": (build(Part("./a.jpg")), "archive.name_invalid"),
    "double slash": (build(Part("a//b.jpg")), "archive.name_invalid"),
    "name not UTF-8": (build(Part(b"\xff.jpg", flags=0x800)), "archive.name_invalid"),
    "very long name": (build(Part("n" * 300)), "archive.name_invalid"),
    "very long path": (build(Part("/".join(["n" * 200] * 6))), "archive.name_invalid"),
    "very deep": (build(Part("d/" * 100 + "a")), "archive.name_invalid"),
    "symlink": (build(Part("a", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)), "archive.symlink"),
    "windows link": (build(Part("a", host=0, attributes=0x400)), "archive.symlink"),
    "device": (build(Part("a", mode=stat.S_IFCHR)), "archive.device"),
    "pipe": (build(Part("a", mode=stat.S_IFIFO)), "archive.device"),
    "directory named like a file": (build(Part("a", b"", mode=stat.S_IFDIR)), "archive.name_invalid"),
    "directory with bytes": (build(Part("a/")), "archive.name_invalid"),
    "encrypted": (build(Part("a", flags=1)), "archive.encrypted"),
    "strongly encrypted": (build(Part("a", flags=0x40)), "archive.encrypted"),
    "masked headers": (build(Part("a", flags=0x2000)), "archive.encrypted"),
    "patched data": (build(Part("a", flags=0x20)), "archive.method"),
    "bzip2": (build(Part("a", method=12)), "archive.method"),
    "AES": (build(Part("a", method=99)), "archive.method"),
    "overlap bomb": (overlap_bomb(), "archive.overlap"),
    "two entries, one place": (build(A, Part("b.jpg", b"aaaa", offset=0)), "archive.overlap"),
    "data into the next member": (build(Part("a", b"aaaa", compressed=20, size=20), B), "archive.overlap"),
    "data into the directory": (build(Part("a", b"aaaa", compressed=20, size=20)), "archive.overlap"),
    "offset beyond the end": (build(A, Part("b", offset=1 << 30)), "archive.overlap"),
    "duplicate": (build(A, A), "archive.duplicate_name"),
    "duplicate folder and file": (build(Part("a", b""), Part("a/", b"")), "archive.duplicate_name"),
    "a file inside a file": (build(Part("a"), Part("a/b/c")), "archive.duplicate_name"),
    "duplicate under NFC": (build(Part("\u00e9.jpg"), Part("e\u0301.jpg")), "archive.duplicate_name"),
    "case": (build(Part("a/A.jpg"), Part("a/a.JPG")), "archive.case_collision"),
    "case beyond ASCII": (build(Part("stra\u00dfe"), Part("STRASSE")), "archive.case_collision"),
    "prepended program": (build(A, prefix=b"MZ" + bytes(500)), "archive.prepended_data"),
    "prepended, offsets wrong": (b"#!/bin/sh\n" + build(A), "archive.prepended_data"),
    "trailing": (build(A) + b"trailing", "archive.trailing_data"),
    "second archive behind": (build(A) + build(B), "archive.prepended_data"),
    "archive in the comment": (build(A, comment=build(B)), "archive.two_ends"),
    "cut comment": (build(A, comment=b"0123456789")[:-3], "archive.truncated"),
    "no end record": (build(A)[:-10], "archive.truncated"),
    "count too high": (build(A, B, count=3), "archive.entry_count"),
    "count too low": (build(A, B, count=1), "archive.entry_count"),
    "count absurd": (build(A, B, count=900), "archive.entry_count"),
    "damaged directory": (build(A, B).replace(b"PK\x01\x02", b"PK\x01\x03"), "archive.entry_count"),
    "second disk": (build(Part("a", disk=1)), "archive.multi_disk"),
    "disk of the end": (end_record(1, 0, 0, disk=1), "archive.multi_disk"),
    "stored with two sizes": (build(Part("a", b"aaaa", size=5)), "archive.sizes"),
    "zip64 size without its field": (build(Part("a", size=MAX32, compressed=MAX32)), "archive.zip64_inconsistent"),
    "zip64 field too short": (
        build(Part("a", size=MAX32, compressed=MAX32, extra=WIDE[:12])),
        "archive.zip64_inconsistent",
    ),
    "zip64 field too long": (build(Part("a", b"aaaa", size=MAX32, extra=WIDE)), "archive.zip64_inconsistent"),
    "zip64 count": (build64(A, B, short=(1, MAX32, MAX32)), "archive.zip64_inconsistent"),
    "zip64 size": (build64(A, short=(MAX16, 1, MAX32)), "archive.zip64_inconsistent"),
    "zip64 offset": (build64(A, short=(MAX16, MAX32, 1)), "archive.zip64_inconsistent"),
    "zip64 locator": (build64(A, shift=-1), "archive.zip64_inconsistent"),
    "zip64 record": (build64(A, record_size=45), "archive.zip64_inconsistent"),
    "zip64 record damaged": (build64(A).replace(b"PK\x06\x06", b"PK\x06\x00"), "archive.zip64_inconsistent"),
    "too many entries": (build(*(Part(f"{i}", b"") for i in range(1001))), "archive.too_many_entries"),
    "declared too large": (build(Part("a", method=8, body=bytes(20000), size=1 << 25)), "archive.too_large"),
    "ratio": (deflated(bytes(8 << 20)), "archive.ratio"),
    "impossible ratio": (build(Part("a", method=8, body=bytes(100), size=1 << 18)), "archive.ratio"),
}


@pytest.mark.parametrize(("data", "rule"), ATTACKS.values(), ids=ATTACKS.keys())
def test_a_hostile_archive_is_refused_under_the_rule_it_breaks(tmp_path: Path, data: bytes, rule: str) -> None:
    assert rejection(tmp_path, data).rule == rule


def test_the_overlap_bomb_is_one_that_zipfile_lists() -> None:
    with zipfile.ZipFile(io.BytesIO(overlap_bomb())) as archive:
        assert sum(i.file_size for i in archive.infolist()) > 50 << 20


def test_a_message_shows_a_hostile_name_escaped_and_cut(tmp_path: Path) -> None:
    message = rejection(tmp_path, build(Part("\x1b[31m" + "n" * 500 + "\u202e.jpg"))).message
    assert "\x1b" not in message
    assert "\u202e" not in message
    assert len(message) < 250


def test_the_entry_cap_is_checked_before_the_directory_is_read(tmp_path: Path) -> None:
    count = 500_000
    directory = Part("x" * 20).central(0) * count
    data = Part("x" * 20).local()
    short = end_record(MAX16, MAX32, MAX32)
    from zips import end64

    whole = data + directory + end64(count, len(directory), len(data), len(data) + len(directory)) + short
    (tmp_path / "up.zip").write_bytes(whole)
    tracemalloc.start()
    try:
        with pytest.raises(UploadRejected, match="500000 entries; at most 1000") as caught:
            read_archive(LocalStorage(tmp_path), "up.zip", LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert caught.value.rule == "archive.too_many_entries"


def test_a_zip_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    whole = build(A, Part("d/", b""), Part("d/c.txt", b"c" * 50, method=8), comment=b"note")
    for length in range(len(whole)):
        rejection(tmp_path, whole[:length])


def test_a_zip64_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    whole = build64(A, B)
    for length in range(len(whole)):
        rejection(tmp_path, whole[:length])
