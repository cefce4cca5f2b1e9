from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from zips import Part, build

from imagelake.config.settings import IngestSettings
from imagelake.errors import NotFound, UploadRejected
from imagelake.uploads.open_source import open_source
from imagelake.uploads.source import UploadSource

LIMITS = IngestSettings()
FILES = {
    "pets/train/images/b.jpg": b"bb",
    "pets/train/images/a.jpg": b"a",
    "pets/annotations/x.json": b"{}",
    "pets/.DS_Store": b"junk",
    "__MACOSX/pets/._a.jpg": b"junk!",
    "pets/Thumbs.db": b"",
}
PATHS = ("annotations/x.json", "train/images/a.jpg", "train/images/b.jpg")


def make_zip(path: Path, files: Mapping[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)


def make_folder(path: Path, files: Mapping[str, bytes]) -> str:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return str(path)


def both(tmp_path: Path) -> list[UploadSource]:
    return [
        open_source(make_zip(tmp_path / "up.zip", FILES), LIMITS),
        open_source(make_folder(tmp_path / "up", FILES), LIMITS),
    ]


def test_a_zip_and_a_folder_look_alike(tmp_path: Path) -> None:
    for source in both(tmp_path):
        assert tuple(m.path for m in source.members) == tuple(source.tree.paths) == PATHS
        assert source.wrapper == "pets/"
        assert [m.raw_path for m in source.members] == ["pets/" + p for p in PATHS]
        assert sorted((i.path, i.length, i.reason) for i in source.ignored) == [
            ("__MACOSX/pets/._a.jpg", 5, "junk"),
            ("pets/.DS_Store", 4, "junk"),
            ("pets/Thumbs.db", 0, "junk"),
        ]
        assert [source.tree.size(p) for p in PATHS] == [2, 1, 2]
        assert source.tree.read("train/images/b.jpg") == b"bb"
        assert source.tree.read("train/images/b.jpg", 1) == b"b"
        with pytest.raises(NotFound, match=r"no file 'pets/x\.json'"):
            source.tree.read("pets/x.json")


def test_members_know_where_their_bytes_are(tmp_path: Path) -> None:
    archive, folder = both(tmp_path)
    assert (archive.kind, folder.kind) == ("zip", "folder")
    assert archive.bytes == (tmp_path / "up.zip").stat().st_size
    assert folder.bytes == 5
    assert archive.stamp is not None
    assert folder.stamp is None
    entry = archive.members[0].entry
    assert entry is not None
    assert (entry.path, entry.size) == ("pets/annotations/x.json", 2)
    assert archive.uris(archive.members)[0].as_py() == archive.uri == (tmp_path / "up.zip").as_uri()
    assert folder.uris(folder.members)[0].as_py() == (tmp_path / "up/pets/annotations/x.json").as_uri()
    assert folder.members[0].mtime_ns == (tmp_path / "up/pets/annotations/x.json").stat().st_mtime_ns


def test_names_on_disk_keep_their_form_and_paths_are_nfc(tmp_path: Path) -> None:
    source = open_source(make_folder(tmp_path / "up", {"train/e\u0301 %.jpg": b"1"}), LIMITS)
    assert [m.path for m in source.members] == ["train/\u00e9 %.jpg"]
    assert source.tree.read("train/\u00e9 %.jpg") == b"1"
    assert source.uris(source.members)[0].as_py().endswith("train/e%CC%81%20%25.jpg")


def test_a_single_annotation_file_is_a_source_of_one_path(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_bytes(b"[]")
    (tmp_path / "link.json").symlink_to(tmp_path / "labels.json")
    for name in ("labels.json", "link.json"):
        source = open_source(str(tmp_path / name), LIMITS)
        assert (source.kind, source.tree.paths, source.bytes) == ("file", (name,), 2)
        assert source.tree.read(name) == b"[]"
        assert source.uri == (tmp_path / "labels.json").as_uri()
    assert open_source((tmp_path / "labels.json").as_uri(), LIMITS).stamp is not None


def test_links_pipes_and_half_written_files_in_a_folder_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "up"
    make_folder(folder, {"a.jpg": b"1", ".tmp-1": b"2"})
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key.txt").write_bytes(b"3")
    (folder / "link.txt").symlink_to(tmp_path / "secret/key.txt")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.jpg")
    source = open_source(str(folder), LIMITS)
    assert source.tree.paths == ("a.jpg",)
    assert sorted((i.path, i.reason) for i in source.ignored) == [
        ("link.txt", "link"),
        ("loop", "link"),
        ("pipe.jpg", "special"),
    ]


def test_a_file_that_becomes_a_link_after_listing_is_not_followed(tmp_path: Path) -> None:
    source = open_source(make_folder(tmp_path / "up", {"a.txt": b"1", "b.txt": b"2"}), LIMITS)
    (tmp_path / "up/a.txt").unlink()
    (tmp_path / "up/a.txt").symlink_to("/etc/hostname")
    with pytest.raises(NotFound, match="is a link"):
        source.tree.read("a.txt")


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        ([b"a\nb.jpg"], "folder.name_invalid"),
        ([b"a\xff.jpg"], "folder.name_invalid"),
        ([b"a\\b.jpg"], "folder.path_escape"),
        ([b"C:a.jpg"], "folder.path_escape"),
        ([b"a.jpg", b"A.JPG"], "folder.case_collision"),
        (["\u00e9".encode(), "e\u0301".encode()], "folder.duplicate_name"),
        ([b".DS_Store"], "folder.empty"),
        ([], "folder.empty"),
    ],
)
def test_a_folder_obeys_the_rules_of_archives(tmp_path: Path, names: list[bytes], rule: str) -> None:
    for name in names:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(b"")
    with pytest.raises(UploadRejected) as caught:
        open_source(str(tmp_path), LIMITS)
    assert caught.value.rule == rule


def test_a_folder_has_the_limits_of_archives(tmp_path: Path) -> None:
    make_folder(tmp_path, {"a.jpg": b"12345", "b.jpg": b"12345"})
    for limits in (IngestSettings(max_entries=1), IngestSettings(max_total_bytes=9)):
        with pytest.raises(UploadRejected) as caught:
            open_source(str(tmp_path), limits)
        assert caught.value.rule == "folder.too_large"


def test_what_is_no_upload_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="absent does not exist"):
        open_source(str(tmp_path / "absent"), LIMITS)
    (tmp_path / "a.tar.gz").write_bytes(b"\x1f\x8b" * 50)
    with pytest.raises(UploadRejected, match="not a zip archive") as caught:
        open_source(str(tmp_path / "a.tar.gz"), LIMITS)
    assert caught.value.rule == "archive.not_a_zip"


def test_the_icon_of_a_folder_in_finder_is_junk_and_no_other_name_may_hold_a_return(tmp_path: Path) -> None:
    files = {"a.txt": b"1", "d/b.txt": b"2", "Icon\r": b"", "d/Icon\r": b"", "__MACOSX/d/._Icon\r": b"3"}
    for upload in (make_zip(tmp_path / "up.zip", files), make_folder(tmp_path / "up", files)):
        source = open_source(upload, LIMITS)
        assert [m.path for m in source.members] == ["a.txt", "d/b.txt"]
        assert len(source.ignored) == 3
    for name in ("myIcon\r", "Icon\r/a.txt", "Icon\r\r"):
        with pytest.raises(UploadRejected) as caught:
            open_source(make_zip(tmp_path / "odd.zip", {name: b"1", "b.txt": b"2"}), LIMITS)
        assert caught.value.rule == "archive.name_invalid"


def test_an_archive_of_nothing_but_junk_is_empty(tmp_path: Path) -> None:
    (tmp_path / "up.zip").write_bytes(build(Part("d/", b""), Part("d/.DS_Store")))
    with pytest.raises(UploadRejected) as caught:
        open_source(str(tmp_path / "up.zip"), LIMITS)
    assert caught.value.rule == "archive.empty"


def test_an_archive_of_nothing_but_hidden_folders_says_so(tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "up.zip", {".export/images/a.jpg": b"a", ".export/data.yaml": b"b"})
    with pytest.raises(UploadRejected, match=r"no files: 2 in hidden folders .*, such as '\.export/") as caught:
        open_source(upload, LIMITS)
    assert caught.value.rule == "archive.empty"


def test_a_corrupt_document_is_named(tmp_path: Path) -> None:
    (tmp_path / "up.zip").write_bytes(build(Part("w/a.json", b"{}", crc=1), Part("w/b.jpg")))
    source = open_source(str(tmp_path / "up.zip"), LIMITS)
    with pytest.raises(UploadRejected, match=r"'w/a\.json': CRC-32 is") as caught:
        source.tree.read("a.json")
    assert caught.value.rule == "file.crc_mismatch"


def test_reading_a_member_needs_nothing_but_the_archive(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/labels.txt", "0 0.5 0.5 1 1\n" * 10)
    (tmp_path / "up.zip").write_bytes(out.getvalue())
    (tmp_path / "link.zip").symlink_to("up.zip")
    source = open_source(str(tmp_path / "link.zip"), LIMITS)
    assert source.uri == (tmp_path / "up.zip").as_uri()
    assert source.tree.read("labels.txt", 13) == b"0 0.5 0.5 1 1"
