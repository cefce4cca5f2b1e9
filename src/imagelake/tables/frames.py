"""Frame helpers that every stage needs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

ROWS_PER_FILE = 500_000

T = TypeVar("T")


def settled(frame: DataFrame) -> DataFrame:
    """The frame computed once and cut from its lineage: plans of many joins over each other grow beyond any memory."""
    return frame.localCheckpoint(eager=True)


def together(*tasks: Callable[[], T]) -> list[T]:
    """The results of independent tasks, run at the same time: planning a small query leaves most cores idle."""
    with ThreadPoolExecutor(max(1, len(tasks))) as pool:
        return [done.result() for done in [pool.submit(task) for task in tasks]]


def all_settled(*frames: DataFrame) -> list[DataFrame]:
    """Each frame `settled`, at the same time."""
    return together(*(partial(settled, frame) for frame in frames))


def tally(*labelled: DataFrame) -> dict[str, int]:
    """How many rows there are of each label, in one query; each frame has one column, the label, null for no label."""
    rows = labelled[0].toDF("label")
    for frame in labelled[1:]:
        rows = rows.union(frame.toDF("label"))
    counts = rows.where("label IS NOT NULL").groupBy("label").agg(F.count("*").alias("n")).collect()
    return {row["label"]: int(row["n"]) for row in counts}


def in_files(frame: DataFrame, rows: int) -> DataFrame:
    """The frame in as few partitions as that many rows are worth files: each small file costs every later reader."""
    return frame.coalesce(max(1, rows // ROWS_PER_FILE))
