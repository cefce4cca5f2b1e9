from __future__ import annotations

import io
import random
import struct
import time
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zips import MAX16, MAX32, Part, build, build64, end_record

from imagelake.config.settings import IngestSettings
from imagelake.errors import NotFound, UploadRejected
from imagelake.storage.local import LocalStorage
from imagelake.storage.zip.member import open_member, read_member
from imagelake.uploads.archive import Archive, read_archive

LIMITS = IngestSettings()


def read(folder: Path, data: bytes) -> Archive:
    (folder / "up.zip").write_bytes(data)
    return read_archive(LocalStorage(folder), "up.zip", LIMITS)


def contents(folder: Path, data: bytes) -> dict[str, bytes]:
    archive = read(folder, data)
    return {e.path: read_member(LocalStorage(folder), "up.zip", e) for e in archive.entries if not e.is_dir}


NAME = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\:"), min_size=1, max_size=20
)
PATH = st.lists(NAME.filter(lambda n: n not in (".", "..")), min_size=1, max_size=4).map("/".join)


def unique(paths: list[str]) -> list[str]:
    """The paths without those that collide with an earlier one in case, normal form, or as file and folder."""
    taken: dict[str, bool] = {}
    kept = []
    for path in paths:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        above = ["/".join(folded.split("/")[:n]) for n in range(1, folded.count("/") + 1)]
        if folded not in taken and not any(taken.get(a) for a in above):
            kept.append(path)
            taken |= {folded: True} | dict.fromkeys(above, False)
    return kept


@given(
    paths=st.lists(PATH, min_size=1, max_size=8).map(unique),
    data=st.lists(st.binary(max_size=3000), min_size=8, max_size=8),
    deflate=st.lists(st.booleans(), min_size=8, max_size=8),
    streamed=st.booleans(),
    zip64=st.booleans(),
    comment=st.binary(max_size=50).filter(lambda c: b"PK\x05\x06" not in c),
)
def test_what_zipfile_writes_is_read_back_alike(
    tmp_path_factory: pytest.TempPathFactory,
    paths: list[str],
    data: list[bytes],
    deflate: list[bool],
    streamed: bool,
    zip64: bool,
    comment: bytes,
) -> None:
    out: io.BytesIO = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content, deflated in zip(paths, data, deflate, strict=False):
            info = zipfile.ZipInfo(path)
            info.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
            with archive.open(info, "w", force_zip64=zip64) as member:
                member.write(content)
        archive.comment = comment
    folder = tmp_path_factory.mktemp("zip")
    expected = {unicodedata.normalize("NFC", p): d for p, d in zip(paths, data, strict=False)}
    assert contents(folder, out.getvalue()) == expected
    assert read(folder, out.getvalue()).comment == comment


class Unseekable(io.BytesIO):
    """Makes zipfile write data descriptors."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


@given(
    data=st.binary(min_size=1, max_size=2000), at=st.integers(0, 5000), value=st.integers(1, 255), deflate=st.booleans()
)
def test_a_flipped_byte_is_refused_or_changes_nothing_that_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, value: int, deflate: bool
) -> None:
    whole = bytearray(build(Part("a.bin", data, method=8 if deflate else 0), Part("b.txt", b"second")))
    whole[at % len(whole)] ^= value
    try:
        found = contents(tmp_path_factory.mktemp("zip"), bytes(whole))
    except UploadRejected:
        return
    assert sorted(found.values()) == sorted([data, b"second"])


def test_directories_carry_a_slash_and_nested_archives_stay_closed(tmp_path: Path) -> None:
    inner = build(Part("../evil"))
    found = read(tmp_path, build(Part("d/", b"", mode=0o40755), Part("d/inner.zip", inner)))
    assert [(e.path, e.is_dir, e.size) for e in found.entries] == [("d/", True, 0), ("d/inner.zip", False, len(inner))]


def test_entries_know_where_the_next_structure_begins(tmp_path: Path) -> None:
    parts = (Part("a", b"12345", after=b"descriptor"), Part("b", b"678"))
    found = read(tmp_path, build(*parts))
    first, second = found.entries
    assert (first.header_offset, first.end) == (0, second.header_offset)
    assert second.end == len(parts[0].local()) + len(parts[1].local())
    assert found.index.length == (tmp_path / "up.zip").stat().st_size


def test_names_are_nfc(tmp_path: Path) -> None:
    assert list(contents(tmp_path, build(Part("e\u0301.jpg")))) == ["\u00e9.jpg"]


def test_a_zip64_archive_is_read_when_both_ends_agree(tmp_path: Path) -> None:
    parts = (Part("a", b"one"), Part("b", b"two"))
    assert contents(tmp_path, build64(*parts)) == {"a": b"one", "b": b"two"}
    data = sum(len(p.local()) for p in parts)
    directory = sum(len(p.central(0)) for p in parts)
    assert contents(tmp_path, build64(*parts, short=(2, directory, data))) == {"a": b"one", "b": b"two"}


@pytest.mark.parametrize("full", [False, True])
def test_zip64_fields_replace_saturated_values(tmp_path: Path, full: bool) -> None:
    sizes = struct.pack("<2Q", 4, 4)
    extra = struct.pack("<2H", 1, 24) + sizes + struct.pack("<Q", 0) if full else struct.pack("<2H", 1, 16) + sizes
    other = struct.pack("<2H", 0x5455, 5) + bytes(5)
    part = Part(
        "a", b"aaaa", size=MAX32, compressed=MAX32, extra=other + extra, local_extra=struct.pack("<2H", 1, 16) + sizes
    )
    assert contents(tmp_path, build(part)) == {"a": b"aaaa"}


def test_exactly_65535_entries_need_no_zip64(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i in range(MAX16):
            archive.writestr(f"{i}", b"")
    assert len(read(tmp_path, out.getvalue()).entries) == MAX16


def test_a_small_archive_may_compress_well(tmp_path: Path) -> None:
    assert contents(tmp_path, build(Part("blank.bmp", bytes(200_000), method=8)))["blank.bmp"] == bytes(200_000)


def test_twenty_thousand_entries_take_a_fraction_of_a_second(tmp_path: Path) -> None:
    part = Part("train/images/img.jpg", b"x")
    local, central = bytearray(), bytearray()
    for i in range(20_000):
        named = Part(f"train/images/img_{i:06d}.jpg", part.data)
        central += named.central(len(local))
        local += named.local()
    data = bytes(local + central) + end_record(20_000, len(central), len(local))
    (tmp_path / "up.zip").write_bytes(data)
    best = 9.9
    for _ in range(5):
        start = time.process_time()
        found = read_archive(LocalStorage(tmp_path), "up.zip", LIMITS)
        best = min(best, time.process_time() - start)
    assert len(found.entries) == 20_000
    assert best < 0.3


def test_an_absent_archive_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"up\.zip does not exist"):
        read_archive(LocalStorage(tmp_path), "up.zip", LIMITS)


MEMBERS = {
    "crc": (Part("a", b"aaaa", crc=1), "file.crc_mismatch"),
    "crc deflated": (Part("a", b"aaaa", method=8, crc=1), "file.crc_mismatch"),
    "inflates to more": (Part("a", b"a" * 100, method=8, size=99), "file.size_mismatch"),
    "inflates to much more": (Part("a", bytes(1 << 24), method=8, size=99), "file.size_mismatch"),
    "inflates to less": (Part("a", b"a" * 100, method=8, size=101), "file.size_mismatch"),
    "not deflate": (Part("a", b"a" * 100, method=8, body=b"\xff" * 20), "file.corrupt"),
    "deflate cut": (
        Part("a", b"a" * 100, method=8, body=Part("", bytes(range(100)), method=8).raw_body()[:50]),
        "file.corrupt",
    ),
    "bytes after the stream": (
        Part("a", b"aaaa", method=8, body=Part("", b"aaaa", method=8).raw_body() + b"zz"),
        "file.corrupt",
    ),
    "other name": (Part("a", local_name=b"b"), "file.corrupt"),
    "longer name": (Part("a", local_name=b"a" * 50000), "file.corrupt"),
    "other method": (Part("a", local_method=8), "file.corrupt"),
    "other size": (Part("a", local_sizes=(Part("a").declared()[0], 1, 2)), "file.corrupt"),
    "zero sizes without descriptor": (Part("a", local_sizes=(0, 0, 0)), "file.corrupt"),
    "no header": (Part("a", local_signature=b"PK\x03\x05"), "file.corrupt"),
    "extra field over the data": (Part("a", b"abcd", local_extra=bytes(40)), None),
}


@pytest.mark.parametrize(("part", "rule"), MEMBERS.values(), ids=MEMBERS.keys())
@pytest.mark.parametrize("far", [False, True], ids=["whole", "streamed"])
def test_a_member_is_checked_against_the_directory(tmp_path: Path, part: Part, rule: str | None, far: bool) -> None:
    gap = Part("z", bytes(3 << 20)) if far else Part("z")
    pad = part if not far else Part(**{**part.__dict__, "after": part.after + bytes(2 << 20)})
    archive = read(tmp_path, build(pad, gap))
    if rule is None:
        assert read_member(LocalStorage(tmp_path), "up.zip", archive.entries[0]) == part.data
        return
    with pytest.raises(UploadRejected) as caught:
        read_member(LocalStorage(tmp_path), "up.zip", archive.entries[0])
    assert caught.value.rule == rule
    assert caught.value.message.startswith("'a': ")


@pytest.mark.parametrize("method", [0, 8])
def test_a_large_member_streams_and_its_beginning_is_cheap(tmp_path: Path, method: int) -> None:
    data = random.Random(1).randbytes(5 << 20)
    archive = read(tmp_path, build(Part("big.json", data, method=method), Part("z")))
    storage = LocalStorage(tmp_path)
    with open_member(storage, "up.zip", archive.entries[0]) as stream:
        assert stream.read(10) == data[:10]
        assert stream.read() == data[10:]
    assert read_member(storage, "up.zip", archive.entries[0], limit=300) == data[:300]
    assert read_member(storage, "up.zip", archive.entries[1], limit=300) == b"x"
