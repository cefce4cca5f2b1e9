"""A function over the files of each row: no row is lost, whatever the function does."""

from __future__ import annotations

import pickle
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from file_rows import CONTENTS, cells, make_files, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.config.settings import S3Settings
from imagelake.errors import ImagelakeError, UsageError
from imagelake.files import ERRORS, Options, Pipeline, WriteOptions, reader


def reverse(row: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any]:
    """The image backwards, and how long it is; fails for odd weights from 5 on."""
    content = paths["image"].read_bytes()
    if row["weight"] >= 5 and row["weight"] % 2:
        raise ValueError(f"{row['weight']} is odd\ud800")
    paths["image"].write_bytes(content[::-1])
    return {"reversed": paths["image"], "bytes": len(content), "copy": content}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    make_files(place)
    return place


def frame_of(folder: Path, count: int) -> pd.DataFrame:
    uris = [str(folder / f"{n % len(CONTENTS)}.png") for n in range(count)]
    return pd.DataFrame({"id": [f"cats/{n}" for n in range(count)], "image": uris, "weight": range(count)})


@settings(max_examples=30)
@given(data=st.data())
def test_every_row_ends_as_an_output_or_as_an_error_in_order(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    cell = cells(folder)
    rows = data.draw(st.lists(st.tuples(cell, cell), max_size=10))
    frame = pd.DataFrame(table_of(rows))
    out = tmp_path_factory.mktemp("out")
    pipeline = Pipeline(reverse, WriteOptions(str(out)), columns=("image",), threads=data.draw(st.integers(1, 4)))
    result = pipeline.run(frame)
    fine = [n for n, (image, _) in enumerate(rows) if image.content is not None and not (n >= 5 and n % 2)]
    assert result.frame["id"].tolist() == [f"row-{n}" for n in fine]
    assert result.errors["row"].tolist() == [n for n in range(len(rows)) if n not in fine]
    assert list(result.errors.columns) == ERRORS.names
    if fine:
        blobs = reader(result.frame).into_blob_table().raise_if_failed().table
        assert blobs["reversed"].to_pylist() == [rows[n][0].content[::-1] for n in fine]
        assert blobs["copy"].to_pylist() == [rows[n][0].content for n in fine]
        assert blobs["bytes"].to_pylist() == [len(rows[n][0].content) for n in fine]
    whole = pipeline(frame)
    assert whole["id"].tolist() == frame["id"].tolist()
    assert [n for n, error in enumerate(whole["error"]) if pd.isna(error)] == fine
    assert len(list(out.rglob("*"))) == 3 * len(fine), "a folder and two files for each row, and nothing else"


def test_a_row_that_fails_in_the_function_says_why(folder: Path, tmp_path: Path) -> None:
    result = Pipeline(reverse, WriteOptions(str(tmp_path / "out"))).run(frame_of(folder, 8))
    assert result.frame["id"].tolist() == ["cats/0", "cats/1", "cats/2", "cats/3", "cats/4", "cats/6"]
    assert result.errors.to_dict("records") == [
        {"row": n, "id": f"cats/{n}", "column": None, "uri": None, "error": "ValueError", "message": message}
        for n, message in ((5, "5 is odd\\ud800"), (7, "7 is odd\\ud800"))
    ]
    with pytest.raises(ImagelakeError, match=r"2 of 8 rows failed; row 5 \(id cats/5\): ValueError: 5 is odd"):
        result.raise_if_failed()
    fine = Pipeline(reverse, WriteOptions(str(tmp_path / "out"))).run(frame_of(folder, 5))
    assert fine.raise_if_failed() is fine


def test_a_pipeline_travels_to_another_process(folder: Path, tmp_path: Path) -> None:
    options = Options(S3Settings(region="eu-west-1"))
    pipeline = Pipeline(reverse, WriteOptions(tmp_path / "out", options), columns=("image",), threads=2)
    copy = pickle.loads(pickle.dumps(pipeline))
    assert copy == pipeline
    assert copy(frame_of(folder, 3))["error"].isna().all()


def test_the_error_column_of_a_batch_has_the_same_type_whatever_happened(folder: Path, tmp_path: Path) -> None:
    pipeline = Pipeline(reverse, WriteOptions(str(tmp_path / "out")))
    fine, broken = pipeline(frame_of(folder, 2)), pipeline(frame_of(folder, 2).assign(image="none.png"))
    assert fine["error"].dtype == broken["error"].dtype == "string"
    assert fine["reversed"].dtype == "string"
    assert list(broken.columns) == ["id", "error"]
    assert broken["error"].str.startswith("NotFound: ").all()
    both = reader(pd.concat([fine, broken])[["id", "reversed"]]).into_blob_table()
    assert (both.table.num_rows, both.errors["id"].to_pylist()) == (2, ["cats/0", "cats/1"])


def test_a_frame_without_rows_gives_one_without_rows(tmp_path: Path) -> None:
    pipeline = Pipeline(reverse, WriteOptions(str(tmp_path / "out")))
    empty = pd.DataFrame({"id": [], "image": []})
    assert pipeline.run(empty).frame.columns.tolist() == ["id"]
    assert pipeline(empty).columns.tolist() == ["id", "error"]
    assert len(pipeline(empty)) == len(pipeline.run(empty).errors) == 0
    assert not (tmp_path / "out").exists()


def test_a_pipeline_needs_a_thread(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="threads = 0"):
        Pipeline(reverse, WriteOptions(tmp_path), threads=0)


def test_a_frame_without_ids_is_a_usage_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a column 'id'"):
        Pipeline(reverse, WriteOptions(str(tmp_path))).run(frame_of(folder, 1).drop(columns="id"))


def test_no_two_rows_write_into_one_folder(folder: Path, tmp_path: Path) -> None:
    frame = frame_of(folder, 5).assign(id=["a", 1, "1", None, None])
    result = Pipeline(reverse, WriteOptions(str(tmp_path / "out"))).run(frame)
    assert result.frame["id"].tolist() == ["a", 1]
    assert result.errors["message"].tolist() == [
        "row 1 has the same id",
        "an id is text or a whole number, not NoneType",
        "an id is text or a whole number, not NoneType",
    ]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (None, "fn returned NoneType"),
        ({"id": "x"}, "fn returned 'id'"),
        ({"error": "x"}, "fn returned 'error'"),
        ({"../x": b""}, "is not a clean relative path"),
        ({"x": Path("none")}, "none is not a file"),
        ({1: b""}, "fn returned the name 1"),
        ({None: 1}, "fn returned the name None"),
    ],
)
def test_what_a_function_may_not_return_is_an_error_of_the_row(
    folder: Path, tmp_path: Path, output: object, message: str
) -> None:
    result = Pipeline(lambda row, paths: output, WriteOptions(str(tmp_path / "out"))).run(frame_of(folder, 1))
    assert message in result.errors["message"].item()
    assert not (tmp_path / "out").exists()


def test_a_function_may_return_data_alone(folder: Path, tmp_path: Path) -> None:
    result = Pipeline(lambda row, paths: {"n": row["weight"] * 2}, WriteOptions(str(tmp_path / "out"))).run(
        frame_of(folder, 3)
    )
    assert result.frame.to_dict("list") == {"id": ["cats/0", "cats/1", "cats/2"], "n": [0, 2, 4]}


def test_rows_are_worked_on_at_the_same_time_each_in_a_folder_of_its_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    two, folders, most = threading.Barrier(2, timeout=20), set(), 0

    def work(row: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any]:
        nonlocal most
        two.wait()  # passes only when two rows are at work
        most = max(most, len(list(tmp_path.iterdir())))
        folders.add(paths["image"].parent)
        return {}

    result = Pipeline(work, WriteOptions(str(tmp_path / "out")), threads=2).run(frame_of(folder, 10))
    assert result.frame["id"].tolist() == [f"cats/{n}" for n in range(10)]
    assert len(folders) == 10
    assert most == 2
    assert list(tmp_path.iterdir()) == []
