"""Counts modulo 65,536 (macOS Finder), offsets modulo 4 GiB, and sizes that follow the data."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from zips import MAX16, MAX32, Part, body_of, build, end64, end_record

from imagelake.config.settings import IngestSettings
from imagelake.errors import UploadRejected
from imagelake.storage.local import LocalStorage
from imagelake.storage.zip.member import open_member, read_member
from imagelake.uploads.archive import read_archive

LIMITS = IngestSettings()
WRAP = 1 << 16


def write(folder: Path, data: bytes) -> LocalStorage:
    (folder / "up.zip").write_bytes(data)
    return LocalStorage(folder)


def rejection(folder: Path, data: bytes, limits: IngestSettings = LIMITS) -> UploadRejected:
    with pytest.raises(UploadRejected) as caught:
        read_archive(write(folder, data), "up.zip", limits)
    return caught.value


@pytest.fixture(scope="module")
def many() -> tuple[bytes, bytes]:
    """The members and the directory of 65,538 empty files, as the Finder names and places them."""
    name = struct.Struct("<5s")
    local, central = Part("00000", b"").local(), Part("00000", b"").central(0)
    members, directory = bytearray(), bytearray()
    for number in range(WRAP + 2):
        text = name.pack(f"{number:05d}".encode())
        directory += central[:42] + struct.pack("<I", len(members)) + text
        members += local[:30] + text
    return bytes(members), bytes(directory)


def finder(many: tuple[bytes, bytes], count: int, end: bytes | None = None) -> bytes:
    """The archive of the first `count` of them; the end record has the count modulo 65,536."""
    members, directory = many[0][: count * 35], many[1][: count * 51]
    last = end_record(count % WRAP, len(directory), len(members)) if end is None else end
    return members + directory + last


@pytest.mark.parametrize("count", [WRAP - 1, WRAP, WRAP + 1, WRAP + 2])
def test_a_count_modulo_65536_is_checked_against_the_directory(
    tmp_path: Path, many: tuple[bytes, bytes], count: int
) -> None:
    archive = read_archive(write(tmp_path, finder(many, count)), "up.zip", LIMITS)
    assert len(archive.entries) == count
    assert archive.entries[-1].path == f"{count - 1:05d}"


def test_a_directory_too_long_for_its_entries_is_refused_even_if_their_number_is_congruent(tmp_path: Path) -> None:
    padding = struct.pack("<2H", 0xCAFE, 60_000) + bytes(60_000)
    parts = [Part(f"{number}", extra=padding) for number in range(64)]
    assert sum(len(p.central(0)) for p in parts) > (WRAP + 64) * 46
    assert rejection(tmp_path, build(*parts)).rule == "archive.entry_count"


def test_a_directory_that_could_hold_more_is_counted(tmp_path: Path) -> None:
    parts = [Part(f"{number}", b"", extra=struct.pack("<2H", 0xCAFE, 1900) + bytes(1900)) for number in range(2000)]
    assert sum(len(p.central(0)) for p in parts) > (WRAP + 2000) * 46
    assert len(read_archive(write(tmp_path, build(*parts)), "up.zip", LIMITS).entries) == 2000


LIES = [1, 3, 100, 65_535, 30_000]


@pytest.mark.parametrize("declared", LIES)
def test_a_count_that_is_not_congruent_is_refused(tmp_path: Path, many: tuple[bytes, bytes], declared: int) -> None:
    members, directory = many
    end = end_record(declared, len(directory), len(members))
    assert rejection(tmp_path, members + directory + end).rule == "archive.entry_count"


HOSTILE = {
    "bytes behind the last header": lambda d: d + b"trailing",
    "a cut header behind the last": lambda d: d + d[:40],
    "the last header is cut": lambda d: d[:-1],
    "a damaged header": lambda d: d[: 51 * 7000] + b"XX" + d[51 * 7000 + 2 :],
    "a name that runs past the end": lambda d: d[:-51] + d[-51:-23] + b"\xff\xff" + d[-21:],
    "nothing but zeros": lambda d: bytes(len(d)),
    "a header's signature and zeros": lambda d: d[:51] + bytes(len(d)),
}


@pytest.mark.parametrize("harm", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_congruent_count_over_a_directory_it_does_not_fill_is_refused(
    tmp_path: Path,
    many: tuple[bytes, bytes],
    harm: Callable[[bytes], bytes],
) -> None:
    members, directory = many[0], harm(many[1])
    data = members + directory + end_record(2, len(directory), len(members))
    assert rejection(tmp_path, data).rule == "archive.entry_count"


def test_the_entry_cap_holds_for_the_real_count(tmp_path: Path, many: tuple[bytes, bytes]) -> None:
    error = rejection(tmp_path, finder(many, WRAP + 2), IngestSettings(max_entries=WRAP))
    assert (error.rule, error.message[8:13]) == ("archive.too_many_entries", "65538")


def test_a_directory_that_needs_more_entries_than_allowed_is_refused_before_it_is_read(tmp_path: Path) -> None:
    data = Part("a").local()
    with (tmp_path / "up.zip").open("wb") as file:
        file.write(data)
        file.seek(len(data) + (1 << 30))  # a hole: no disk is used
        file.write(end_record(5, 1 << 30, len(data)))
    tracemalloc.start()
    try:
        with pytest.raises(UploadRejected) as caught:
            read_archive(LocalStorage(tmp_path), "up.zip", IngestSettings(max_entries=500_000))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert caught.value.rule == "archive.too_many_entries"


def test_no_entries_are_none_and_not_65536(tmp_path: Path) -> None:
    assert rejection(tmp_path, end_record(0, 0, 0)).rule == "archive.empty"


@pytest.mark.parametrize("declared", [2, WRAP + 1, 2 * WRAP + 2])
def test_a_zip64_count_is_exact(tmp_path: Path, many: tuple[bytes, bytes], declared: int) -> None:
    members, directory = many
    at = len(members) + len(directory)
    end = end64(declared, len(directory), len(members), at) + end_record(MAX16, MAX32, MAX32)
    assert rejection(tmp_path, members + directory + end).rule == "archive.entry_count"
    end = end64(WRAP + 2, len(directory), len(members), at) + end_record(2, MAX32, MAX32)
    assert rejection(tmp_path, members + directory + end).rule == "archive.zip64_inconsistent"


def test_offsets_modulo_4_gib_are_refused_with_what_to_do(tmp_path: Path) -> None:
    data, directory = body_of([Part("a.bin")])
    with (tmp_path / "up.zip").open("wb") as file:
        file.write(data)
        file.seek((1 << 32) + len(data))  # a hole: no disk is used
        file.write(directory + end_record(1, len(directory), len(data)))
    with pytest.raises(UploadRejected, match="larger than 4 GiB") as caught:
        read_archive(LocalStorage(tmp_path), "up.zip", LIMITS)
    assert caught.value.rule == "archive.prepended_data"
    assert caught.value.hint is not None
    assert "zip -r" in caught.value.hint


def streamed(
    data: bytes, method: int, signature: bytes, width: str, field: tuple[int, ...] | None, short: int, flags: int = 8
) -> Part:
    """A member whose sizes follow its data: a descriptor of 4 or 8 byte sizes, with or without its signature."""
    sized = Part("", data, method=method)
    crc, compressed, size = sized.declared()
    wide = b"" if field is None else struct.pack(f"<2H{len(field)}Q", 1, 8 * len(field), *field)
    descriptor = signature + struct.pack(f"<I2{width}", crc, compressed, size)
    name = "ü.jpg" if flags & 0x800 else "a.jpg"
    sizes = (0, short, short)
    return Part(name, data, method=method, flags=flags, local_sizes=sizes, local_extra=wide, after=descriptor)


STREAMED = {
    "plain": (b"PK\x07\x08", "I", None, 0),
    "without signature": (b"", "I", None, 0),
    "zip64": (b"PK\x07\x08", "Q", (0, 0), MAX32),
    "zip64 without signature": (b"", "Q", (0, 0), MAX32),
    "zip64 field beside short zeros": (b"PK\x07\x08", "Q", (0, 0), 0),
    "zip64 field of ones": (b"PK\x07\x08", "Q", (MAX32, MAX32), MAX32),
    "wide descriptor without zip64": (b"PK\x07\x08", "Q", None, 0),
}


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("flags", [0x8, 0x808])
@pytest.mark.parametrize(("signature", "width", "field", "short"), STREAMED.values(), ids=STREAMED.keys())
def test_members_whose_sizes_follow_their_data_are_read(
    tmp_path: Path, signature: bytes, width: str, field: tuple[int, ...] | None, short: int, method: int, flags: int
) -> None:
    contents = (b"PK\x03\x04 in the data PK\x07\x08" * 9, bytes(2 << 20), b"")
    for data in contents:
        part = streamed(data, method, signature, width, field, short, flags)
        storage = write(tmp_path, build(part, Part("z", b"last")))
        entries = read_archive(storage, "up.zip", IngestSettings(max_ratio=2000)).entries
        assert [read_member(storage, "up.zip", e) for e in entries] == [data, b"last"]
        with open_member(storage, "up.zip", entries[0]) as stream:
            assert stream.read() == data


@pytest.mark.parametrize("place", [0, 1, 2])
def test_sizes_before_the_data_that_are_not_left_open_must_be_right(tmp_path: Path, place: int) -> None:
    data = b"a" * 50
    true = (zlib.crc32(data), len(data), len(data))
    lies = tuple(7 if n == place else value for n, value in enumerate(true))
    part = Part("a", data, flags=8, local_sizes=(lies[0], lies[1], lies[2]), after=b"PK\x07\x08" + bytes(12))
    storage = write(tmp_path, build(part))
    (entry,) = read_archive(storage, "up.zip", LIMITS).entries
    with pytest.raises(UploadRejected) as caught:
        read_member(storage, "up.zip", entry)
    assert caught.value.rule == "file.corrupt"


def test_a_zip_of_many_files_by_zipfile_has_its_count_in_zip64(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(WRAP + 1):
            archive.writestr(f"{number}", b"")
    assert len(read_archive(write(tmp_path, out.getvalue()), "up.zip", LIMITS).entries) == WRAP + 1
