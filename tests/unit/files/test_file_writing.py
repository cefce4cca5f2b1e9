"""Files of a row are written whole, below the folder of its id and nowhere else."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from imagelake.errors import ImagelakeError, NotFound, UsageError
from imagelake.files import reader, write_files

ATTACKS = [
    "",
    ".",
    "..",
    "../x",
    "a/../../x",
    "/etc/x",
    "//host/x",
    "a//b",
    "a/",
    "/",
    "./a",
    "a/.",
    "C:x",
    "a\\..\\x",
    "a\0b",
    "a\nb",
    "\x1b[2J",
    "a\x7f",
    "\ud800",
    "x" * 256,
    "a/" * 65 + "b",
    ".tmp-x",
    "a/.tmp-x/b",
]


def files_below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_bytes_paths_and_file_objects_are_written_and_named(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"from a path")
    files = {
        "image": b"bytes",
        "mask.png": tmp_path / "source",
        "view": memoryview(b"a view"),
        "stream": io.BytesIO(b"x" * 3_000_000),
    }
    row = write_files(files, str(tmp_path / "out ä%"), "cats/7 b")
    assert list(row) == ["id", "image", "mask.png", "view", "stream"]
    assert row["id"] == "cats/7 b"
    assert files_below(tmp_path / "out ä%") == {
        "cats/7 b/image": b"bytes",
        "cats/7 b/mask.png": b"from a path",
        "cats/7 b/view": b"a view",
        "cats/7 b/stream": b"x" * 3_000_000,
    }
    read = reader(row, columns=["image", "mask.png"]).into_blob_table().raise_if_failed().table
    assert (read["image"].to_pylist(), read["mask.png"].to_pylist()) == ([b"bytes"], [b"from a path"])


@settings(max_examples=50)
@given(
    content=st.dictionaries(
        st.text("abc.-_é", min_size=1, max_size=9), st.binary(max_size=300), min_size=1, max_size=3
    ),
    row_id=st.integers(-(2**63), 2**63 - 1) | st.text("abc/-é", min_size=1, max_size=12),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, bytes], row_id: str | int
) -> None:
    out = tmp_path_factory.mktemp("out")
    try:
        row = write_files(content, str(out), row_id)
    except UsageError:
        assume(False)
    table = reader(row, columns=list(content)).into_blob_table().raise_if_failed().table
    assert {name: table[name].to_pylist()[0] for name in content} == content
    assert table["id"].to_pylist() == [row_id]


@given(row_id=st.text(max_size=20) | st.sampled_from(ATTACKS), name=st.text(max_size=20) | st.sampled_from(ATTACKS))
def test_no_id_and_no_name_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, row_id: str, name: str) -> None:
    top = tmp_path_factory.mktemp("top")
    try:
        write_files({name: b"x"}, str(top / "in" / "out"), row_id)
    except UsageError:
        assert list(top.rglob("*")) == []
    else:
        assert files_below(top) == {f"in/out/{row_id}/{name}": b"x"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_ids_and_names_that_attack_the_path_are_usage_errors(tmp_path: Path, attack: str) -> None:
    for files, row_id in (({"fine": b"1", attack: b"2"}, "fine"), ({"fine": b"1"}, attack)):
        with pytest.raises(UsageError, match=r"the (id|file name) ") as caught:
            write_files(files, str(tmp_path / "out"), row_id)
        assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "row_id", "message"),
    [
        ({"a/b": b""}, "1", "'a/b' has a folder"),
        ({"id": b""}, "1", "'id' is that of the column of ids"),
        ({1: b""}, "1", "a file name is text, not int"),
        ({"a": "text"}, "1", "the file 'a' is str"),
        ({"a": io.StringIO("text")}, "1", "the file 'a' is a file opened as text"),
        ({"a": None}, "1", "the file 'a' is NoneType"),
        ({"a": b""}, None, "not NoneType"),
        ({"a": b""}, True, "not bool"),
        ({"a": b""}, 1.0, "not float"),
    ],
)
def test_what_cannot_be_a_file_or_an_id_is_a_usage_error(
    tmp_path: Path, files: dict, row_id: object, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        write_files({"fine": b"1", **files}, str(tmp_path / "out"), row_id)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="is not a file"):
        write_files({"a": tmp_path / "none"}, str(tmp_path / "out"), 1)


@pytest.mark.parametrize("make", [bytes, io.BytesIO, "path"])
def test_the_same_content_again_is_left_alone_and_other_content_replaces_it(tmp_path: Path, make) -> None:
    def source(content: bytes) -> object:
        (tmp_path / "source").write_bytes(content)
        return tmp_path / "source" if make == "path" else make(content)

    written = tmp_path / "out" / "1" / "a"
    write_files({"a": source(b"same")}, str(tmp_path / "out"), 1)
    before = written.stat()
    write_files({"a": source(b"same")}, str(tmp_path / "out"), 1)
    assert (written.stat().st_ino, written.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write_files({"a": source(b"diff")}, str(tmp_path / "out"), 1)
    assert written.read_bytes() == b"diff"
    write_files({"a": source(b"")}, str(tmp_path / "out"), 1)
    assert written.read_bytes() == b""


def test_a_failure_leaves_no_half_written_file(tmp_path: Path) -> None:
    class Cut(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        write_files({"first": b"1", "second": Cut()}, str(tmp_path / "out"), 1)
    assert files_below(tmp_path) == {"out/1/first": b"1"}


def test_a_folder_that_is_a_file_already_is_named(tmp_path: Path) -> None:
    write_files({"b": b"x"}, str(tmp_path), "a")
    with pytest.raises(ImagelakeError, match="a file is in its way"):
        write_files({"c": b"y"}, str(tmp_path), "a/b")
