"""Blobs for Ray Data: the plan and the batches by themselves, the adapter against a stand-in for ray."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from file_rows import CONTENTS, cells, make_files, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.errors import ConfigError, UsageError
from imagelake.files import Options, blob_reader
from imagelake.files.ray import SAMPLE_ROWS, plan_blobs, read_batch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    make_files(place)
    return place


@dataclass
class Task:
    """ray.data.ReadTask as of Ray 2.52."""

    read_fn: Callable[[], Iterable[pa.Table]]
    metadata: Any
    schema: pa.Schema | None = None
    per_task_row_limit: int | None = None

    def __call__(self) -> Iterable[pa.Table]:
        yield from self.read_fn()


class Source:
    """ray.data.Datasource."""

    def __init__(self) -> None:
        self.is_initialised = True


@pytest.fixture(params=[(), ("task_exec_stats",)], ids=["Ray 2.52", "with a field more"])
def ray(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module ray with what the adapter needs."""
    package, data, block = (ModuleType(name) for name in ("ray", "ray.data", "ray.data.block"))
    data.Datasource, data.ReadTask = Source, Task
    block.BlockMetadata = make_dataclass(
        "BlockMetadata", ["num_rows", "size_bytes", "exec_stats", *request.param, "input_files"]
    )
    for module in (package, data, block):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def frame_of(folder: Path, count: int) -> pd.DataFrame:
    uris = [str(folder / f"{n % len(CONTENTS)}.png") for n in range(count)]
    return pd.DataFrame({"id": range(count), "image": uris})


@settings(max_examples=50)
@given(data=st.data())
def test_batches_hold_every_row_once_in_order_with_its_blob_or_its_error(folder: Path, data: st.DataObject) -> None:
    cell = cells(folder)
    rows = data.draw(st.lists(st.tuples(cell, cell), max_size=9))
    columns, size = table_of(rows), data.draw(st.integers(1, 10))
    plan = plan_blobs(pd.DataFrame(columns), size, Options(), ["image", "mask"])
    assert [len(batch) for batch in plan.batches] == [
        min(size, len(rows) - start) for start in range(0, len(rows), size)
    ]
    batches = [read_batch(batch, plan.columns, plan.options) for batch in pickle.loads(pickle.dumps(plan.batches))]
    out = [row for batch in batches for row in batch.to_pylist()]
    assert [row["id"] for row in out] == columns["id"]
    for row, (image, mask) in zip(out, rows, strict=True):
        if row["error"] is None:
            assert (row["image"], row["mask"]) == (image.content, mask.content)
        else:
            assert None in (image.content, mask.content)
    assert len({batch.schema for batch in batches if batch["weight"].type == pa.int64()}) <= 1


def test_the_estimate_counts_blobs_and_data(folder: Path) -> None:
    plan = plan_blobs(frame_of(folder, 8), 3, Options())
    assert plan.estimated_bytes(8) == 2 * sum(map(len, CONTENTS)) + 8 * 8
    assert plan_blobs(frame_of(folder, 0), 3, Options(), ["image"]).estimated_bytes(0) == 0
    missing = frame_of(folder, 2).assign(image=[str(folder / "none.png"), str(folder / "2.png")])
    assert plan_blobs(missing, 3, Options()).estimated_bytes(2) == 800 + 2 * 8


def test_the_estimate_asks_for_a_sample_from_all_over_a_long_frame(folder: Path, tmp_path: Path) -> None:
    long = SAMPLE_ROWS * 4
    (tmp_path / "small.png").write_bytes(b"x" * 100)
    (tmp_path / "large.png").write_bytes(b"x" * 300)
    uris = [str(tmp_path / ("small.png" if n < long // 2 else "large.png")) for n in range(long)]
    plan = plan_blobs(pa.table({"image": uris}), 100, Options())
    assert plan.estimated_bytes(long) == 200 * long


def test_a_batch_travels_alone(folder: Path) -> None:
    """The pickle of a slice of an Arrow table would hold the whole table."""
    for frame in (frame_of(folder, 5000), pa.Table.from_pandas(frame_of(folder, 5000))):
        batch = plan_blobs(frame, 2, Options()).batches[7]
        assert len(pickle.dumps(batch)) < 10_000


def test_ray_gets_a_task_for_each_batch(ray: None, folder: Path) -> None:
    source = blob_reader(frame_of(folder, 5), 2)
    assert isinstance(source, Source)
    assert source.is_initialised
    assert source.get_name() == "ImagelakeBlobs"
    assert source.estimate_inmemory_data_size() == round(5 * (sum(map(len, (*CONTENTS, CONTENTS[0]))) + 5 * 8) / 5)
    tasks = source.get_read_tasks(200, per_task_row_limit=1, data_context=None)
    assert [task.metadata.num_rows for task in tasks] == [2, 2, 1]
    assert all(type(task.metadata.size_bytes) is int and task.metadata.size_bytes > 0 for task in tasks)
    assert [task.metadata.input_files for task in tasks] == [None] * 3
    assert [task.per_task_row_limit for task in tasks] == [1, 1, 1]
    blocks = [block for task in tasks for block in pickle.loads(pickle.dumps(task.read_fn))()]
    table = pa.concat_tables(blocks)
    assert table["image"].to_pylist() == [*CONTENTS, CONTENTS[0]]
    assert table["error"].null_count == 5


def test_without_ray_there_is_a_way_to_install_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="ray is not installed") as caught:
        blob_reader(frame_of(folder, 1), 1)
    assert "pip install" in str(caught.value.hint)


def test_a_column_named_error_and_batches_without_rows_are_usage_errors(ray: None, folder: Path) -> None:
    with pytest.raises(UsageError, match="'error' is needed"):
        blob_reader(frame_of(folder, 1).assign(error="x"), 1)
    with pytest.raises(UsageError, match="batch_size = 0"):
        blob_reader(frame_of(folder, 1), 0)
