"""The files of rows in temporary folders, which never outlive their use."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from file_rows import CONTENTS, cells, make_files, table_of
from hypothesis import given
from hypothesis import strategies as st

from imagelake.config.settings import S3Settings
from imagelake.errors import NotFound
from imagelake.files import Options, reader
from imagelake.files.temp_dirs import file_names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    make_files(place)
    return place


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made; empty at the end."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert list(place.iterdir()) == []


def test_a_row_has_a_folder_until_the_block_ends(folder: Path, temporary: Path) -> None:
    row = {"id": 7, "image": str(folder / "1.png"), "mask": (folder / "3.png").as_uri()}
    with reader(row).into_temp_dir() as paths:
        assert {name: path.read_bytes() for name, path in paths.items()} == {"image": b"one", "mask": b"three"}
        assert [path.name for path in paths.values()] == ["image.png", "mask.png"]
        assert len(list(temporary.iterdir())) == 1
    assert (folder / "1.png").read_bytes() == b"one"


def test_a_row_that_cannot_be_read_raises(folder: Path, temporary: Path) -> None:
    row = {"image": str(folder / "1.png"), "mask": str(folder / "none.png")}
    with pytest.raises(NotFound, match=r"none\.png does not exist"), reader(row).into_temp_dir():
        pytest.fail("there is nothing to work on")


@given(data=st.data())
def test_every_row_comes_in_order_with_its_files_or_its_error(folder: Path, data: st.DataObject) -> None:
    cell = cells(folder)
    rows = data.draw(st.lists(st.tuples(cell, cell), max_size=12))
    options = Options(S3Settings(connections=data.draw(st.integers(1, 4))))
    seen = []
    with reader(pd.DataFrame(table_of(rows)), options, ["image", "mask"]).into_temp_dir() as files:
        for n, row in enumerate(files):
            image, mask = rows[n]
            seen.append(row.values["id"])
            assert row.row == n
            if None in (image.content, mask.content):
                assert (row.error.row, row.error.id, row.paths) == (n, f"row-{n}", {})
            else:
                assert row.error is None
                assert row.paths["image"].read_bytes() == image.content
                assert row.paths["mask"].read_bytes() == mask.content
    assert seen == [f"row-{n}" for n in range(len(rows))]


def test_folders_of_rows_go_one_by_one_and_a_few_are_made_ahead(folder: Path, temporary: Path) -> None:
    frame = pd.DataFrame({"id": range(50), "image": [str(folder / "1.png")] * 50})
    with reader(frame, Options(S3Settings(connections=2))).into_temp_dir() as rows:
        last = None
        for row in rows:
            assert last is None or not last.exists()
            last = row.paths["image"].parent
            assert len(list(last.parent.iterdir())) <= 1 + 2 * 2


def test_leaving_the_block_early_leaves_nothing_behind(folder: Path, temporary: Path) -> None:
    frame = pd.DataFrame({"id": range(50), "image": [str(folder / "1.png")] * 50})

    def fail() -> None:
        with reader(frame).into_temp_dir() as rows:
            raise RuntimeError(f"row {next(rows).row} is enough")

    with pytest.raises(RuntimeError, match="row 0 is enough"):
        fail()


def test_what_is_done_to_a_folder_does_no_harm(folder: Path, temporary: Path) -> None:
    frame = pd.DataFrame({"id": [1, 2], "image": [str(folder / "1.png")] * 2})
    with reader(frame).into_temp_dir() as rows:
        for row in rows:
            (row.paths["image"].parent / "more").mkdir()
            row.paths["image"].write_bytes(b"changed")
            if row.row == 0:
                shutil.rmtree(row.paths["image"].parent)
    assert (folder / "1.png").read_bytes() == CONTENTS[1]


@given(
    st.dictionaries(st.text(max_size=8) | st.sampled_from(["a/b", "a_b", "A_B", "a_b-2", "..", "x" * 300]), st.text())
)
def test_no_column_name_escapes_the_folder_or_meets_another(row: dict[str, str]) -> None:
    names = file_names(row, row)
    assert list(names) == list(row)
    assert len({name.casefold() for name in names.values()}) == len(row)
    for name in names.values():
        assert "/" not in name
        assert name not in ("", ".", "..")
        assert name.isascii()
        assert name.isprintable()
        assert len(name) <= 130


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("s3://b/x.tar.gz", "image.gz"),
        ("s3://b/a.b/x", "image"),
        ("/x/%2Epng", "image"),
        ("file:///x/a%2Epng", "image.png"),
        ("x.p ng", "image"),
        ("x.", "image"),
        (None, "image"),
    ],
)
def test_a_file_has_the_suffix_of_its_uri(uri: object, name: str) -> None:
    assert file_names({"image": uri}, ["image"]) == {"image": name}
