"""Blobs as a source of Ray Data (2.52 or later): what a task reads, and how much that is, need no ray."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.core.ray_source import Task, datasource
from imagelake.errors import UsageError
from imagelake.files.access import DEFAULTS, Options
from imagelake.files.fetch_rows import BLOB, SIZE, check_no_error_column, fetch_rows
from imagelake.files.row_frames import Frame, as_frame
from imagelake.files.uri_columns import uri_columns

SAMPLE_ROWS = 256
"""Rows whose sizes are asked for to estimate those of all: a request for each file."""


@dataclass(frozen=True, eq=False)
class BlobPlan:
    """Batches of rows to read, one a task; `bytes_per_row` is an estimate of blobs and data together."""

    batches: tuple[Frame, ...]
    columns: tuple[str, ...]
    options: Options
    bytes_per_row: float

    def estimated_bytes(self, rows: int) -> int:
        """How many bytes so many rows take in memory, about."""
        return round(rows * self.bytes_per_row)


def plan_blobs(frame: Any, batch_size: int, options: Options, columns: Iterable[str] | None = None) -> BlobPlan:
    """The frame in batches of `batch_size` rows. UsageError as `reader` raises it, and for a column `error`."""
    if batch_size < 1:
        raise UsageError(f"batch_size = {batch_size}: at least 1 row")
    rows = as_frame(frame)
    check_no_error_column(rows)
    names = uri_columns(rows, columns)
    # copies: the pickle of a slice of an Arrow table holds the whole table
    batches = (rows.take(range(len(rows))[start : start + batch_size]) for start in range(0, len(rows), batch_size))
    return BlobPlan(tuple(batches), names, options, estimate_row_bytes(rows, names, options))


def estimate_row_bytes(frame: Frame, columns: tuple[str, ...], options: Options) -> float:
    """The mean bytes of a row with its blobs, over SAMPLE_ROWS rows spread evenly; 0 without rows.

    A file that is not there counts as empty.
    """
    step = max(1, len(frame) // SAMPLE_ROWS)
    sample = frame.take(range(0, len(frame), step)[:SAMPLE_ROWS])
    if not len(sample):
        return 0.0
    table = fetch_rows(sample, columns, SIZE, options).table
    blobs = sum(pc.sum(table[name]).as_py() or 0 for name in columns)
    return float(blobs + table.drop_columns(list(columns)).nbytes) / len(sample)


def read_batch(batch: Frame, columns: tuple[str, ...], options: Options) -> pa.Table:
    """All rows of a batch with blobs in place of URIs, and a column `error`: null where the row went well."""
    return fetch_rows(batch, columns, BLOB, options).with_error_column()


def blob_reader(frame: Any, batch_size: int, options: Options = DEFAULTS, columns: Iterable[str] | None = None) -> Any:
    """A Datasource for `ray.data.read_datasource`: tasks that read `batch_size` rows each, with their blobs.

    No row is lost: one that cannot be read says why in the column `error`. ConfigError without ray.
    """
    plan = plan_blobs(frame, batch_size, options, columns)
    tasks = [
        Task(partial(_blocks, batch, plan.columns, options), len(batch), plan.estimated_bytes(len(batch)))
        for batch in plan.batches
    ]
    return datasource("ImagelakeBlobs", tasks)


def _blocks(batch: Frame, columns: tuple[str, ...], options: Options) -> list[pa.Table]:
    return [read_batch(batch, columns, options)]
