"""Samples for Ray Data: a task a run of samples, rows with bytes and labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from imagelake.client.data.protocols import SampleSet
from imagelake.core.ray_source import Task, datasource
from imagelake.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa


_LABEL_BYTES = 512
"""What key and labels of a sample take in memory, about."""


def ray_source(samples: SampleSet, batch_size: int) -> Any:
    """A Datasource over samples in the order of their content hashes, `batch_size` of them a task.

    Rows have `key`, `bytes`, `split`, `width`, `height`, `classes` and `boxes`. ConfigError without ray.
    """
    return datasource("ImagelakeSamples", read_tasks(samples, batch_size))


def read_tasks(samples: SampleSet, batch_size: int) -> list[Task]:
    """The samples in runs of `batch_size`, each with its samples only, as a worker gets it."""
    if batch_size < 1:
        raise UsageError(f"batch_size = {batch_size}: at least 1 sample")
    order = samples.hash_order
    runs = [samples.take(order[start : start + batch_size]) for start in range(0, len(order), batch_size)]
    return [
        Task(partial(_tables, run), len(run), sum(run.places["size"].to_pylist()) + _LABEL_BYTES * len(run))
        for run in runs
    ]


def _tables(samples: SampleSet) -> list[pa.Table]:
    """The samples as one Arrow table."""
    import pyarrow as pa

    rows = list(samples.read(range(len(samples))))
    columns = {
        "key": pa.array([row.key for row in rows], pa.string()),
        "bytes": pa.array([row.bytes for row in rows], pa.large_binary()),
        "split": pa.array([row.split for row in rows], pa.string()),
        "width": pa.array([row.width for row in rows], pa.int32()),
        "height": pa.array([row.height for row in rows], pa.int32()),
        "classes": pa.array([[a.class_index for a in row.annotations] for row in rows], pa.list_(pa.int32())),
        "boxes": pa.array([[a.bbox for a in row.annotations] for row in rows], pa.list_(pa.list_(pa.float64()))),
    }
    return [pa.table(columns)]
