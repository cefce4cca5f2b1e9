from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path

import pytest

from imagelake.bronze.store import read_blobs
from imagelake.bronze.store.blob import SourceBlob
from imagelake.bronze.store.write_blobs import store_blobs
from imagelake.config.settings import IngestSettings
from imagelake.errors import ImagelakeError
from imagelake.storage.local import LocalStorage
from imagelake.uploads.archive import read_archive

FILES = {f"{number}.txt": f"text {number} ".encode() * (number + 1) for number in range(6)}


def loose(folder: Path, name: str, data: bytes) -> SourceBlob:
    (folder / name).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return SourceBlob((folder / name).as_uri(), 0, len(data), "stored", len(data), digest, zlib.crc32(data))


def read_back(lake: Path, found: list[tuple[str, str, int]], blobs: list[SourceBlob]) -> dict[str, bytes]:
    lengths = {b.content_hash: b.length for b in blobs}
    return {h: (lake / uri).read_bytes()[offset : offset + lengths[h]] for h, uri, offset in found}


@pytest.mark.parametrize("packed", [True, False])
def test_each_blob_can_be_read_back_from_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setattr(read_blobs, "WHOLE", 40)
    blobs = [loose(tmp_path, name, data) for name, data in FILES.items()]
    found = list(store_blobs(blobs, LocalStorage(tmp_path / "lake"), 700 if packed else None, None))
    back = read_back(tmp_path / "lake", found, blobs)
    assert back == {hashlib.sha256(data).hexdigest(): data for data in FILES.values()}
    places = {uri for _, uri, _ in found}
    assert all(uri.startswith("blobs/obj/") for uri in places) is not packed
    if packed:
        assert len([uri for uri in places if uri.startswith("blobs/zip/")]) == 2
        assert any(uri.startswith("blobs/obj/") for uri in places), "what is large stays an object of its own"


def test_deflated_members_are_kept_decoded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "up.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.txt", FILES["5.txt"])
    (entry,) = read_archive(LocalStorage(tmp_path), "up.zip", IngestSettings()).entries
    offset = entry.header_offset + 30 + len("a.txt")
    digest = hashlib.sha256(FILES["5.txt"]).hexdigest()
    uri = (tmp_path / "up.zip").as_uri()
    blob = SourceBlob(uri, offset, entry.compressed, entry.codec, entry.size, digest, entry.crc32)
    for package_bytes in (1 << 20, None):
        found = list(store_blobs([blob], LocalStorage(tmp_path / "lake"), package_bytes, None))
        assert read_back(tmp_path / "lake", found, [blob]) == {digest: FILES["5.txt"]}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("now", [b"other bytes!", b"short", None])
def test_a_file_that_changed_since_it_was_hashed_is_named_and_nothing_of_it_stays(
    tmp_path: Path, packed: bool, now: bytes | None
) -> None:
    blob = loose(tmp_path, "a.txt", b"as it was...")
    (tmp_path / "a.txt").unlink()
    if now is not None:
        (tmp_path / "a.txt").write_bytes(now)
    with pytest.raises(ImagelakeError, match=r"a\.txt"):
        list(store_blobs([blob], LocalStorage(tmp_path / "lake"), packed, None))
    assert [p for p in (tmp_path / "lake").rglob("*") if p.is_file()] == []
