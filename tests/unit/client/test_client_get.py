"""`lake.get`: a folder that is there whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imagelake.client.data.samples import Samples
from imagelake.errors import IntegrityError, NotFound, UsageError
from imagelake.exports import folder, get
from pet_lake import Pets


def _files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def _images(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in _files(root).items() if name != "export.imagelake"}


def test_images_lie_at_their_keys_with_the_bytes_that_were_published(pets: Pets, tmp_path: Path) -> None:
    exported = pets.lake.get("pets@v1", tmp_path / "out")
    assert exported.is_new
    assert exported.images == 4
    assert _images(tmp_path / "out") == {f"{key}.png": pets.bytes[key] for key in "abcd"}


def test_the_same_command_again_does_nothing(pets: Pets, tmp_path: Path) -> None:
    pets.lake.get("pets@v1", tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    assert not pets.lake.get("pets@v1", tmp_path / "out").is_new
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")} == before


def test_a_selection_is_exported_alone(pets: Pets, tmp_path: Path) -> None:
    pets.lake.get("pets@v1", tmp_path / "out", split="train")
    assert set(_images(tmp_path / "out")) == {"a.png", "c.png"}


@pytest.mark.parametrize("ref", ["pets@v2", "pets@v1?split=train"])
def test_another_export_is_not_written_over(pets: Pets, tmp_path: Path, ref: str) -> None:
    pets.lake.get("pets@v1", tmp_path / "out")
    with pytest.raises(UsageError, match="holds another export"):
        pets.lake.get(ref, tmp_path / "out")


def test_files_of_others_are_not_written_over(pets: Pets, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="holds files"):
        pets.lake.get("pets@v1", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "x"


def test_an_interrupted_export_is_not_taken_for_a_whole_one(
    pets: Pets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(samples: Samples, indexes: list[int]):
        for count, pair in enumerate(read(samples, indexes)):
            if count == 2:
                raise OSError("the network is gone")
            yield pair

    read = folder.read_samples
    monkeypatch.setattr(folder, "read_samples", broken)
    with pytest.raises(OSError, match="gone"):
        pets.lake.get("pets@v1", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    reads: list[int] = []

    def counted(samples: Samples, indexes: list[int]):
        reads.extend(indexes)
        return read(samples, indexes)

    monkeypatch.setattr(folder, "read_samples", counted)
    pets.lake.get("pets@v1", tmp_path / "out")
    assert len(reads) == 2, "what was there already is not read again"
    assert set(_images(tmp_path / "out")) == {"a.png", "b.png", "c.png", "d.png"}
    assert {p.name for p in tmp_path.iterdir()} == {"out", "pets"}, "nothing is left beside it"


def test_an_export_that_lacked_nothing_but_its_record_is_finished(
    pets: Pets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(path: Path) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(get, "_sync", cut_off)
        with pytest.raises(OSError, match="gone"):
            pets.lake.get("pets@v1", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    reads: list[int] = []

    def counted(samples: Samples, indexes: list[int]):
        reads.extend(indexes)
        return iter(())

    monkeypatch.setattr(folder, "read_samples", counted)
    assert pets.lake.get("pets@v1", tmp_path / "out").is_new
    assert reads == []
    assert set(_images(tmp_path / "out")) == {"a.png", "b.png", "c.png", "d.png"}


def test_bytes_that_are_not_those_published_are_refused(pets: Pets, tmp_path: Path) -> None:
    content_hash = hashlib.sha256(pets.bytes["a"]).hexdigest()
    places = [p for p in (pets.maker.root / "blobs").rglob("*") if p.is_file() and pets.bytes["a"] in p.read_bytes()]
    assert places, content_hash
    for place in places:
        place.write_bytes(place.read_bytes().replace(pets.bytes["a"], bytes(len(pets.bytes["a"]))))
    with pytest.raises(IntegrityError, match=r"a\.png"):
        pets.lake.get("pets@v1", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_names_those_there_are(pets: Pets, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such format"):
        pets.lake.get("pets@v1", tmp_path / "out", format="fils")


def test_an_unknown_version_makes_no_folder(pets: Pets, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        pets.lake.get("pets@v9", tmp_path / "out")
    assert not (tmp_path / "out").exists()
