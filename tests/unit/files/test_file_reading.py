"""Bytes and sizes of the files that a frame names: no row is lost, none is mixed up."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from file_rows import BROKEN, CONTENTS, cells, make_files, table_of
from hypothesis import given
from hypothesis import strategies as st

from imagelake.config.settings import S3Settings
from imagelake.errors import ImagelakeError, UsageError
from imagelake.files import ERRORS, Options, reader
from imagelake.files.threads import in_order


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files with ä space%20")
    make_files(place)
    return place


def test_blobs_and_sizes_stand_in_place_of_uris_and_data_stays_as_it_is(folder: Path) -> None:
    frame = pd.DataFrame(
        {
            "id": pd.array([5, 6], dtype="int16"),
            "image": [str(folder / "1.png"), (folder / "3.png").as_uri()],
            "label": pd.Categorical(["cat", "dog"]),
            "mask": [folder.as_uri() + "/2.png", str(folder / "0.png")],
        },
        index=[9, 9],
    )
    blobs = reader(frame).into_blob_table()
    assert blobs.errors.num_rows == 0
    assert blobs.table.column_names == ["id", "image", "label", "mask"]
    assert blobs.table["image"].to_pylist() == [b"one", b"three"]
    assert blobs.table["mask"].to_pylist() == [CONTENTS[2], b""]
    assert (blobs.table["id"].type, blobs.table["label"].to_pylist()) == (pa.int16(), ["cat", "dog"])
    sizes = reader(frame).into_size_table()
    assert sizes.table["image"].to_pylist() == [3, 5]
    assert sizes.table["mask"].to_pylist() == [800, 0]
    assert sizes.table["image"].type == pa.int64()


@given(data=st.data())
def test_rows_out_and_rows_in_errors_are_the_rows_in(folder: Path, data: st.DataObject) -> None:
    cell = cells(folder)
    rows = data.draw(st.lists(st.tuples(cell, cell), max_size=12))
    frame = pd.DataFrame(table_of(rows))
    fine = [n for n, (image, mask) in enumerate(rows) if None not in (image.content, mask.content)]
    read = reader(frame, columns=["image", "mask"])
    blobs, sizes = read.into_blob_table(), read.into_size_table()
    assert blobs.table["weight"].to_pylist() == fine
    assert blobs.table["image"].to_pylist() == [rows[n][0].content for n in fine]
    assert blobs.table["mask"].to_pylist() == [rows[n][1].content for n in fine]
    assert sizes.table["mask"].to_pylist() == [len(rows[n][1].content or b"") for n in fine]
    broken = [n for n in range(len(rows)) if n not in fine]
    for outcome in (blobs, sizes):
        assert outcome.errors.schema == ERRORS
        assert outcome.errors["row"].to_pylist() == broken
        assert outcome.errors["id"].to_pylist() == [f"row-{n}" for n in broken]
        first = ["image" if rows[n][0].content is None else "mask" for n in broken]
        assert outcome.errors["column"].to_pylist() == first
        assert outcome.errors["error"].null_count == outcome.errors["message"].null_count == 0


@pytest.mark.parametrize("kind", BROKEN)
def test_the_error_says_what_is_wrong_with_the_uri(folder: Path, kind: str) -> None:
    uri = BROKEN[kind](folder)
    outcome = reader({"image": uri}, columns=["image"]).into_blob_table()
    (error,) = outcome.errors.to_pylist()
    assert (error["row"], error["id"], error["column"]) == (0, None, "image")
    assert error["error"] in ("NotFound", "UsageError", "ConfigError", "OSError", "NotADirectoryError")
    assert len(error["message"]) > 10
    with pytest.raises(ImagelakeError, match=r"1 of 1 rows failed; row 0, column 'image'"):
        outcome.raise_if_failed()


def test_batches_count_rows_over_the_whole_frame_and_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    make_files(tmp_path)
    frame = pa.table({"image": [str(tmp_path / f"{n}.png") for n in range(4)]})
    batches = reader(frame).into_blob_tables(2)
    first = next(batches)
    (tmp_path / "3.png").unlink()
    second = next(batches)
    assert first.raise_if_failed().table["image"].to_pylist() == CONTENTS[:2]
    assert second.table["image"].to_pylist() == CONTENTS[2:3]
    assert second.errors["row"].to_pylist() == [3]
    assert list(batches) == []
    with pytest.raises(UsageError, match="batch_size = 0"):
        reader(frame).into_blob_tables(0)


def test_a_row_is_read_as_a_frame_of_one(folder: Path) -> None:
    row = {"id": 1, "image": str(folder / "1.png"), "score": float("nan")}
    for source in (row, pd.Series(row)):
        assert reader(source).into_blob_table().table.to_pylist() == [{"id": 1, "image": b"one", "score": None}]
        assert reader(source).into_size_table().table["image"].to_pylist() == [3]


def test_arrow_frames_keep_their_types(folder: Path) -> None:
    batch = pa.record_batch(
        {"n": pa.array([1], pa.uint8()), "image": pa.array([str(folder / "1.png")]).dictionary_encode()}
    )
    table = reader(batch).into_blob_table().table
    assert (table["n"].type, table["image"].to_pylist()) == (pa.uint8(), [b"one"])


def test_columns_of_uris_are_found_by_their_values() -> None:
    frame = pd.DataFrame(
        {
            "id": ["1.5", "2.5"],
            "image": ["s3://bucket/key", None],
            "mask": ["a/b.png", "c.JPEG"],
            "page": ["https://host/x.png", "https://host/y.png"],
            "text": ["some words.", "v1.2"],
            "mixed": ["x.png", "none"],
            "nothing": [None, None],
            "hidden": ["a/.png", ".png"],
            "local": ["file:/x", "file:///y"],
            "path": [Path("x"), None],
        }
    )
    assert reader(frame).columns == ("image", "mask", "local", "path")
    assert reader(frame, columns="mixed").columns == ("mixed",)


@pytest.mark.parametrize(
    ("columns", "message", "hint"),
    [
        (None, "no column holds URIs", "the columns are 'id', 'text'"),
        (["text", "picture"], "there is no column 'picture'", "the columns are 'id', 'text'"),
        ([], "names no column", "the columns are 'id', 'text'"),
    ],
)
def test_a_frame_without_columns_of_uris_is_a_usage_error(columns: list[str] | None, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        reader(pd.DataFrame({"id": [1], "text": ["words"]}), columns=columns)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([1], "not list"),
        (pd.DataFrame({1: ["a.png"]}), "column names are text, not 1"),
        (pd.DataFrame([["a.png", "b.png"]], columns=["x", "x"]), "several columns are named 'x'"),
    ],
)
def test_what_has_no_named_columns_is_a_usage_error(source: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reader(source)


def test_data_that_arrow_cannot_hold_is_named_before_any_file_is_read(folder: Path) -> None:
    frame = pd.DataFrame({"image": [str(folder / "none.png")] * 2, "odd": [object(), 1]})
    with pytest.raises(UsageError, match="column 'odd' has no Arrow type"):
        reader(frame).into_blob_table()


def test_files_are_read_at_the_same_time_and_never_more_than_there_are_connections() -> None:
    both, lock, active, most = threading.Barrier(2, timeout=20), threading.Lock(), 0, 0

    def work(item: int) -> int:
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        both.wait()  # passes only when two are at work
        with lock:
            active -= 1
        return item

    with in_order(work, iter(range(20)), 2) as results:
        assert list(results) == list(range(20))
    assert most == 2


def test_items_are_begun_only_a_little_ahead_of_the_results() -> None:
    begun: list[int] = []

    def items():
        for number in range(1000):
            begun.append(number)
            yield number

    with in_order(lambda number: number, items(), 3) as results:
        assert next(results) == 0
        assert len(begun) == 6
        assert next(results) == 1
        assert len(begun) == 7


def test_one_connection_is_enough(folder: Path) -> None:
    options = Options(S3Settings(connections=1))
    frame = {"image": [str(folder / f"{n}.png") for n in range(4)]}
    assert reader(pa.table(frame), options).into_blob_table().table["image"].to_pylist() == CONTENTS


def test_arrow_frames_need_neither_pandas_nor_ray(folder: Path) -> None:
    code = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pandas", "ray", "pyspark"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import pyarrow as pa
from imagelake.errors import ConfigError
from imagelake.files import Pipeline, WriteOptions, blob_reader, reader
frame = pa.table({"id": [1], "image": [sys.argv[1]]})
assert reader(frame).into_blob_table().table["image"].to_pylist() == [b"one"]
with reader({"image": sys.argv[1]}).into_temp_dir() as paths:
    assert paths["image"].read_bytes() == b"one"
for call in (lambda: Pipeline(print, WriteOptions("out")).run(frame), lambda: blob_reader(frame, 1)):
    try:
        call()
    except ConfigError as error:
        print(error.message, error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "1.png")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    pandas, ray = done.stdout.splitlines()
    assert pandas.startswith("pandas is not installed pip install")
    assert ray.startswith("ray is not installed pip install")
