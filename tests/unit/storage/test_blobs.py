from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imagelake.errors import ImagelakeError, UploadRejected
from imagelake.storage.blobs.local_writer import blob_path, store_bytes

DATA = b"bytes of an image"
HASH = hashlib.sha256(DATA).hexdigest()


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def keep(folder: Path, *pieces: bytes) -> None:
    store_bytes(str(folder), HASH, len(DATA), pieces)


def test_bytes_are_kept_once_under_their_hash(tmp_path: Path) -> None:
    keep(tmp_path, DATA[:5], DATA[5:])
    place = tmp_path / blob_path(HASH)
    before = place.stat()
    keep(tmp_path, DATA)
    assert place.read_bytes() == DATA
    assert place.stat().st_ino == before.st_ino
    assert files(tmp_path) == [f"blobs/obj/{HASH[:2]}/{HASH}"]


def test_a_file_that_a_power_cut_left_short_is_written_again(tmp_path: Path) -> None:
    keep(tmp_path, DATA)
    (tmp_path / blob_path(HASH)).write_bytes(b"")
    keep(tmp_path, DATA)
    assert (tmp_path / blob_path(HASH)).read_bytes() == DATA


def test_bytes_that_are_not_those_that_were_hashed_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UploadRejected, match="changed between hashing and keeping"):
        keep(tmp_path, DATA, b" and more")
    assert files(tmp_path) == []


def test_a_disk_that_cannot_take_it_is_an_error_of_the_lake(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"in the way")
    with pytest.raises(ImagelakeError, match="cannot keep files in") as caught:
        keep(tmp_path, DATA)
    assert caught.value.exit_code == 1
    assert caught.value.hint
