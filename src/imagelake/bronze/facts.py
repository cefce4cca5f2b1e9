"""Hash and probe an upload's files in parallel, leaving out those bronze has read before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from imagelake.bronze.probe import DESCRIPTORS, FACTS, ProbeLimits, describe, probe_members
from imagelake.context import Context
from imagelake.storage.source import Member, Source
from imagelake.tables import bronze

_MEGABYTE = 1 << 20
_FILES_WORTH_A_TASK = 50

_REUSED = (
    "content_hash", "crc32", "length", "media_type", "width", "height", "mode", "orientation", "frames",
    "problem_rule", "problem",
)  # fmt: skip


def probe(ctx: Context, source: Source, members: Sequence[Member], uri: str | None, keep: bool) -> pa.Table:
    """FACTS of these members; `keep` also writes each file's bytes to the lake, content-addressed."""
    if not members:
        return FACTS.empty_table()
    table = pa.Table.from_batches([describe(source, members, uri, keep)])
    frame = ctx.spark.createDataFrame(table, from_arrow_schema(DESCRIPTORS))
    tasks = _tasks(ctx, members)
    if tasks > ctx.spark.sparkContext.defaultParallelism:
        frame = frame.repartitionByRange(tasks, "uri", "offset", "path")
    elif tasks == 1:
        frame = frame.coalesce(1)
    limits = ProbeLimits.of(ctx.settings.ingest)
    return frame.mapInArrow(_prober(limits, ctx.storage.root), from_arrow_schema(FACTS)).toArrow().cast(FACTS)


def known_files(ctx: Context, dataset: str, source: Source) -> pa.Table:
    """`path` and earlier facts of the loose files whose place, size and mtime bronze has seen."""
    rows = [(m.path, source.member_uri(m), m.length, m.mtime_ns) for m in source.members if m.entry is None]
    here = ctx.spark.createDataFrame(rows, "path string, source string, bytes bigint, source_mtime_ns bigint")
    before = (
        ctx.tables.read(bronze.FILES, dataset)
        .where(F.col("content_hash").isNotNull() & F.col("source_mtime_ns").isNotNull())
        .dropDuplicates(["source", "length", "source_mtime_ns"])
        .drop("path")
    )
    same = (
        (here.source == before.source)
        & (here.bytes == before.length)
        & (here.source_mtime_ns == before.source_mtime_ns)
    )
    return here.join(before, same).select(here.path, *(before[name] for name in _REUSED)).toArrow()


def _tasks(ctx: Context, members: Sequence[Member]) -> int:
    limits = ctx.settings.ingest
    total = sum(m.length for m in members)
    wanted = max(total / (limits.task_megabytes * _MEGABYTE), len(members) / limits.task_files)
    cores = int(ctx.spark.sparkContext.defaultParallelism)
    return max(math.ceil(wanted), min(cores, math.ceil(len(members) / _FILES_WORTH_A_TASK)))


def _prober(limits: ProbeLimits, lake: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return probe_members(batches, limits, lake)

    return run
