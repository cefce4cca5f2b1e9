"""Frame helpers that every stage needs."""

from __future__ import annotations

from pyspark.sql import DataFrame

ROWS_PER_FILE = 500_000


def settled(frame: DataFrame) -> DataFrame:
    """The frame computed once and cut from its lineage: plans of many joins over each other grow beyond any memory."""
    return frame.localCheckpoint(eager=True)


def in_files(frame: DataFrame, rows: int) -> DataFrame:
    """The frame in as few partitions as that many rows are worth files: each small file costs every later reader."""
    return frame.coalesce(max(1, rows // ROWS_PER_FILE))
