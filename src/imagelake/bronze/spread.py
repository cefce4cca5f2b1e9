"""Files laid out as Spark tasks that are worth starting."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pyarrow as pa
from pyspark.errors import PythonException
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from imagelake import errors
from imagelake.runs.context import Context

_OURS = re.compile(r"^imagelake\.(?:[a-z0-9_]+\.)*(?P<kind>[A-Za-z]+): (?P<message>.+)$", re.MULTILINE)
_MEGABYTE = 1 << 20
_FILES_WORTH_A_TASK = 50


BY_PLACE = ("uri", "offset")
"""The order in which neighbours are read together."""


def spread(ctx: Context, rows: pa.Table, size: int, order: Sequence[str] = BY_PLACE) -> DataFrame:
    """A frame of these rows, one a file, of so many bytes in all; a task has neighbours in an order."""
    # in one chunk: Spark loses the rows that follow an empty chunk
    frame = ctx.spark.createDataFrame(rows.combine_chunks(), from_arrow_schema(rows.schema))
    tasks = _tasks(ctx, len(rows), size)
    if tasks > ctx.spark.sparkContext.defaultParallelism:
        return frame.repartitionByRange(tasks, *order).sortWithinPartitions(*order)
    return frame.coalesce(1) if tasks == 1 else frame


def collected(frame: DataFrame) -> pa.Table:
    """The frame's rows. What a worker refuses by an error of ours is that error, not a failure of Spark."""
    pa.default_memory_pool().release_unused()  # the rows that the frame was made of are Java's by now
    try:
        return frame.toArrow()
    except PythonException as error:
        match = _OURS.search(str(error))
        if match is None:
            raise
        kind = getattr(errors, match["kind"], errors.ImagelakeError)
        raise kind(match["message"], hint="run the same command again") from None


def _tasks(ctx: Context, files: int, size: int) -> int:
    limits = ctx.settings.ingest
    tasks = max(size / (limits.task_megabytes * _MEGABYTE), files / limits.task_files)
    cores = int(ctx.spark.sparkContext.defaultParallelism)
    return max(math.ceil(tasks), min(cores, math.ceil(files / _FILES_WORTH_A_TASK)))
