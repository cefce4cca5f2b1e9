from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.config.settings import IngestSettings
from imagelake.storage.blobs.local_writer import LocalBlobWriter
from imagelake.storage.blobs.zip_package import MEMBER_BYTES, Package, cut
from imagelake.storage.local import LocalStorage
from imagelake.storage.zip.member import read_member
from imagelake.uploads.archive import read_archive


def packed(lake: Path, blobs: list[bytes]) -> tuple[str, list[int]]:
    with Package(LocalBlobWriter(str(lake))) as package:
        offsets = [package.add(hashlib.sha256(b).hexdigest(), zlib.crc32(b), b) for b in blobs]
        return package.finish(), offsets


@given(st.lists(st.binary(max_size=300), unique=True, max_size=8))
def test_what_is_added_lies_at_its_offset_and_in_a_sound_zip(
    tmp_path_factory: pytest.TempPathFactory, blobs: list[bytes]
) -> None:
    lake = tmp_path_factory.mktemp("lake")
    path, offsets = packed(lake, blobs)
    whole = (lake / path).read_bytes()
    assert path == f"blobs/zip/{hashlib.sha256(whole).hexdigest()}.zip"
    assert [whole[o : o + len(b)] for o, b in zip(offsets, blobs, strict=True)] == blobs
    with zipfile.ZipFile(lake / path) as archive:
        assert archive.testzip() is None
        assert [archive.read(i) for i in archive.infolist()] == blobs


def test_a_package_passes_the_strict_reader(tmp_path: Path) -> None:
    blobs = [b"one", b"", b"three" * 100]
    path, _ = packed(tmp_path, blobs)
    storage = LocalStorage(tmp_path)
    entries = read_archive(storage, path, IngestSettings()).entries
    assert [read_member(storage, path, entry) for entry in entries] == blobs
    assert {entry.codec for entry in entries} == {"stored"}


def test_the_same_blobs_are_the_same_package_which_is_kept_once(tmp_path: Path) -> None:
    assert packed(tmp_path, [b"1", b"2"]) == packed(tmp_path, [b"1", b"2"])
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1


def test_an_unfinished_package_leaves_nothing(tmp_path: Path) -> None:
    with Package(LocalBlobWriter(str(tmp_path))) as package:
        package.add("0" * 64, 0, b"data")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 2000))
def test_blobs_are_cut_into_packages_that_are_full_and_no_larger(sizes: list[int], package_bytes: int) -> None:
    runs = cut(sizes, package_bytes)
    assert [index for start, end in runs for index in range(start, end)] == list(range(len(sizes)))
    totals = [sum(sizes[start:end]) + (end - start) * MEMBER_BYTES for start, end in runs]
    for (start, end), total in zip(runs, totals, strict=True):
        assert total <= package_bytes or end - start == 1, "a larger blob is alone"
        if end < len(sizes):
            assert total + sizes[end] + MEMBER_BYTES > package_bytes, "one more would not have fitted"
