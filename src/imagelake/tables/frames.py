"""Frame helpers that every stage needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from imagelake.tables.spec import ROWS_PER_FILE

FEW_ROWS = 20_000
"""Rows of a dataset up to which the driver may hold them."""

_HELD = "_imagelake_rows"

_ON_DRIVER = "spark.imagelake.settleOnDriver"

_FOR_FEW_ROWS = {
    _ON_DRIVER: "true",
    # with a single partition no join and no group needs a shuffle, and each query is one job of one task
    "spark.sql.leafNodeDefaultParallelism": "1",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
}

SEPARATOR = "\0"
"""Between labels of one row: no name of a lake holds it."""

T = TypeVar("T")


@contextmanager
def few_rows(spark: SparkSession) -> Iterator[None]:
    """A session set up for work on few rows: plans are short, and what is `checkpointed` is held by the driver."""
    with with_conf(spark, _FOR_FEW_ROWS):
        yield


@contextmanager
def with_conf(spark: SparkSession, values: Mapping[str, str]) -> Iterator[None]:
    """A session with these settings, which has its own again afterwards: others may use it too."""
    before = {key: spark.conf.get(key, None) for key in values}
    for key, value in values.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, old in before.items():
            spark.conf.unset(key) if old is None else spark.conf.set(key, old)


@dataclass(frozen=True)
class Counted:
    """A frame that is `checkpointed`, the number of its rows, and the rows themselves where the driver holds them."""

    frame: DataFrame
    count: int
    table: pa.Table | None = None

    def collected(self) -> pa.Table:
        """The rows on the driver."""
        return collected(self.frame) if self.table is None else self.table

    def count_by(self, label: str) -> dict[str, int]:
        """How many rows there are of each value of a column."""
        if self.table is None:
            return count_by_label(self.frame.select(label)) if self.count else {}
        return {str(pair["values"]): pair["counts"] for pair in self.table[label].value_counts().to_pylist()}


@dataclass(frozen=True)
class LocalRows:
    """An Arrow table on the driver, without a frame."""

    table: pa.Table

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.table)

    def collected(self) -> pa.Table:
        """The rows."""
        return self.table


def all_of(rows: Sequence[Counted | LocalRows]) -> Counted | LocalRows:
    """Several of one kind, of the same columns, as one."""
    tables = [part.table for part in rows if isinstance(part, LocalRows)]
    if tables:
        return LocalRows(pa.concat_tables(tables))
    frames = [part.frame for part in rows if isinstance(part, Counted)]
    return Counted(reduce(DataFrame.unionByName, frames), sum(part.count for part in rows))


def checkpointed(frame: DataFrame) -> DataFrame:
    """Checkpoint the frame: computed once and cut from its lineage, for plans of many joins outgrow memory."""
    if local_rows(frame) is not None:
        return frame
    if not is_on_driver(frame):
        return frame.localCheckpoint(eager=True)
    return frame_of(frame.sparkSession, collected(frame), frame.schema.toNullable())


def counted(frame: DataFrame) -> Counted:
    """The frame `checkpointed` and counted."""
    if is_on_driver(frame):
        table = collected(frame)
        return Counted(frame_of(frame.sparkSession, table, frame.schema.toNullable()), len(table), table)
    rows = frame.localCheckpoint(eager=True)
    return Counted(rows, rows.count())


def collected(frame: DataFrame) -> pa.Table:
    """The frame's rows on the driver.

    Unlike `toArrow` it takes a struct that is null although its members never are, as one that a join has left out.
    """
    rows = local_rows(frame)
    if rows is not None:
        return rows
    batches = cast(Any, frame)._collect_as_arrow()  # attributes of a frame are columns to a type checker
    schema = to_arrow_schema(frame.schema.toNullable(), timezone="UTC")
    return pa.Table.from_batches(batches).cast(schema) if batches else schema.empty_table()


def frame_of(spark: SparkSession, table: pa.Table, schema: StructType) -> DataFrame:
    """Rows that the driver holds as a frame, which keeps them (`local_rows`)."""
    # in one chunk: Spark loses the rows that follow an empty chunk, and fails without any
    chunk = table.combine_chunks() if len(table) else pa.Table.from_pylist([], schema=table.schema)
    frame = spark.createDataFrame(chunk, schema)
    frame.__dict__[_HELD] = chunk
    return frame


def local_rows(frame: DataFrame) -> pa.Table | None:
    """The Arrow table of a frame built from rows on the driver, which needs no Spark job; None for other frames."""
    rows: pa.Table | None = frame.__dict__.get(_HELD)
    return rows


def is_empty(frame: DataFrame) -> bool:
    """Whether a frame has no rows."""
    rows = local_rows(frame)
    return frame.isEmpty() if rows is None else len(rows) == 0


def rows_with(frame: DataFrame, values: Mapping[str, str], names: Sequence[str]) -> list[dict[str, Any]]:
    """These columns of the few rows whose columns have these values."""
    rows = local_rows(frame)
    if rows is None:
        for name, value in values.items():
            frame = frame.where(F.col(name) == value)
        return [row.asDict(recursive=True) for row in frame.select(*names).collect()]
    for name, value in values.items():
        rows = rows.filter(pc.equal(rows[name], value))
    return list(rows.select(list(names)).to_pylist())


def parted(frame: DataFrame, column: str, value: str) -> tuple[DataFrame, DataFrame]:
    """Split a checkpointed frame by whether a column has a value: matching rows and the others, checkpointed."""
    rows = local_rows(frame)
    if rows is None:
        return frame.where(F.col(column) == value), checkpointed(frame.where(F.col(column) != value))
    is_of = pc.equal(rows[column], value)
    one, other = (frame_of(frame.sparkSession, rows.filter(mask), frame.schema) for mask in (is_of, pc.invert(is_of)))
    return one, other


def distinct_values(frame: DataFrame, column: str) -> set[Any]:
    """The few values of a column."""
    rows = local_rows(frame)
    if rows is None:
        return {row[column] for row in frame.select(column).distinct().collect()}
    return set(rows[column].unique().to_pylist())


def is_on_driver(frame: DataFrame) -> bool:
    """Whether its session is set up for `few_rows`."""
    return bool(frame.sparkSession.conf.get(_ON_DRIVER, "false") == "true")


def run_parallel(*tasks: Callable[[], T]) -> list[T]:
    """The results of independent tasks, run at the same time: planning a small query leaves most cores idle."""
    with ThreadPoolExecutor(max(1, len(tasks))) as pool:
        return [done.result() for done in [pool.submit(task) for task in tasks]]


def all_checkpointed(*frames: DataFrame) -> list[DataFrame]:
    """Each frame `checkpointed`, at the same time."""
    return run_parallel(*(partial(checkpointed, frame) for frame in frames))


def count_by_label(*labelled: DataFrame) -> dict[str, int]:
    """How many rows there are of each label, in one query; each frame has one column, the label, null for no label."""
    rows = labelled[0].toDF("label")
    for frame in labelled[1:]:
        rows = rows.union(frame.toDF("label"))
    counts = rows.where("label IS NOT NULL").groupBy("label").agg(F.count("*").alias("n")).collect()
    return {row["label"]: int(row["n"]) for row in counts}


def count_by_joined_labels(*labelled: DataFrame) -> dict[str, int]:
    """As `count_by_label`, of frames whose column has several labels joined by SEPARATOR: equal texts count once."""
    rows = labelled[0].toDF("labels")
    for frame in labelled[1:]:
        rows = rows.union(frame.toDF("labels"))
    counts: Counter[str] = Counter()
    for row in rows.where("labels <> ''").groupBy("labels").agg(F.count("*").alias("n")).collect():
        counts.update(dict.fromkeys(row["labels"].split(SEPARATOR), row["n"]))
    return dict(counts)


def in_files(frame: DataFrame, rows: int) -> DataFrame:
    """The frame in as few partitions as that many rows are worth files: each small file costs every later reader."""
    return frame.coalesce(max(1, rows // ROWS_PER_FILE))
