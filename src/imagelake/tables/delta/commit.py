"""Commits to a Delta table from this process: a few rows as Parquet files, then one entry of its log.

Spark takes about a second for what is done here in milliseconds. A commit is put under the next number on condition
that nothing is there, by the same `Storage.put` as every mark of the lake: on local disk synced before it gets its
name, in a bucket by a conditional put that knows its own bytes when an answer was lost. Whoever loses the number looks
at the table anew before the next try, so each commit is right for the very state that it follows.

Source of the format: the Delta transaction log protocol, reader version 1, writer version 2.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from imagelake.errors import Conflict, LakeFormatError
from imagelake.storage.base import Storage
from imagelake.tables.delta.delta_log import delta_table
from imagelake.tables.delta.types import arrow_schema
from imagelake.tables.spec import ROWS_PER_FILE, TableSpec

WRITER_VERSION = 2
"""The writer version of Delta's protocol that is written here: append-only tables and invariants, no more."""

_TRIES = 1000
_ROWS_PER_GROUP = 50_000
_LONGEST_TEXT = 64
_AFTER_EVERY_TEXT = "\U0010ffff"


@dataclass(frozen=True)
class Txn:
    """A Delta application transaction: a write whose version is not above the last one seen is skipped.

    Ids are one a dataset and purpose, never one an upload: they live in every snapshot of the table.
    """

    app_id: str
    version: int


@dataclass(frozen=True)
class DataFile:
    """A file of a table as its log has it: path below the table, percent-encoded, and its partition."""

    path: str
    partition: Mapping[str, str | None]
    size: int
    rows: int | None
    stats: str | None = None


@dataclass(frozen=True)
class FileChange:
    """A commit to a table: added files, removed files, and the name of the operation."""

    operation: str
    added: Sequence[DataFile]
    removed: Sequence[DataFile] = field(default=())


def commit(
    storage: Storage, spec: TableSpec, txn: Txn | None, change_of: Callable[[DeltaTable], FileChange]
) -> int | None:
    """Commit the change that a function makes for the table's newest state; the version, None when `txn` is not new.

    The function is asked again whenever another writer was faster. Conflict after a thousand of those, LakeFormatError
    for a table that needs another writer.
    """
    for _ in range(_TRIES):
        log = delta_table(storage, spec.path)
        if txn is not None and (log.transaction_version(txn.app_id) or 0) >= txn.version:
            return None
        _check_writable(spec, log)
        version = int(log.version()) + 1
        data = _entry(change_of(log), txn, version - 1)
        if storage.put(f"{spec.path}/_delta_log/{version:020d}.json", data, if_absent=True):
            return version
    raise Conflict(f"table {spec.name}: other writers were faster {_TRIES} times", hint="run the command again")


def write_files(storage: Storage, spec: TableSpec, rows: pa.Table) -> list[DataFile]:
    """Write rows with the spec's columns as files of at most ROWS_PER_FILE rows, each of one partition."""
    files = []
    for partition, part in _partitions(spec, rows):
        for start in range(0, len(part), ROWS_PER_FILE):
            files.append(write_file(storage, spec, partition, [part.slice(start, ROWS_PER_FILE)]))
    return files


def _partitions(spec: TableSpec, rows: pa.Table) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
    if not spec.partition_by:
        yield {}, rows
        return
    (name,) = spec.partition_by
    for value in pc.unique(rows[name]).to_pylist():
        yield {name: value}, rows.filter(pc.equal(rows[name], value)).drop_columns(name)


def write_file(
    storage: Storage, spec: TableSpec, partition: Mapping[str, str | None], parts: Iterable[pa.Table]
) -> DataFile:
    """Write rows that come in parts, with the spec's columns but for that of the partition, as one file."""
    names = [name for name in spec.names if name not in partition]
    schema = pa.schema([arrow_schema(spec).field(name) for name in names])
    unique = {*spec.key[-1:], "row_hash"}  # no value of theirs comes twice: a dictionary costs and saves nothing
    sink, of_statistics, count = pa.BufferOutputStream(), [], 0
    dictionaries = [name for name in names if name not in unique]
    with pq.ParquetWriter(
        sink, schema, compression="snappy", store_schema=False, use_dictionary=dictionaries
    ) as writer:
        for rows in parts:
            writer.write_table(rows.select(names).cast(schema), row_group_size=_ROWS_PER_GROUP)
            of_statistics.append(rows.select(spec.stats))
            count += len(rows)
    data = sink.getvalue().to_pybytes()
    folder = "".join(f"{name}={quote(value or '', safe='')}/" for name, value in partition.items())
    name = f"{folder}part-00000-{uuid.uuid4()}.c000.snappy.parquet"
    storage.put(f"{spec.path}/{name}", data)
    statistics = _statistics(spec, pa.concat_tables(of_statistics), count)
    return DataFile(quote(name, safe="/="), partition, len(data), count, statistics)


def _statistics(spec: TableSpec, rows: pa.Table, count: int) -> str:
    """Delta's statistics of the columns that the table keeps some of, which Delta leaves files out by."""
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    for name in spec.stats:
        ends = pc.min_max(rows[name]).as_py()
        if ends["min"] is not None:
            least[name], greatest[name] = _least(ends["min"]), _greatest(ends["max"])
    nulls = {name: rows[name].null_count for name in spec.stats}
    numbers = {"numRecords": count, "minValues": least, "maxValues": greatest, "nullCount": nulls}
    return json.dumps(numbers, ensure_ascii=False)


def _least(value: Any) -> Any:
    if isinstance(value, datetime):
        return _milliseconds(value)
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _greatest(value: Any) -> Any:
    if isinstance(value, datetime):
        return _milliseconds(value + timedelta(microseconds=999))
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return value[:_LONGEST_TEXT] + _AFTER_EVERY_TEXT
    return value


def _milliseconds(value: datetime) -> str:
    """The time in the only form that every reader of the log takes."""
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


def _check_writable(spec: TableSpec, log: DeltaTable) -> None:
    needed = int(log.protocol().min_writer_version)
    if needed > WRITER_VERSION:
        raise LakeFormatError(
            f"table {spec.name} needs writer version {needed} of Delta; imagelake writes version {WRITER_VERSION}",
            hint="a program other than imagelake has changed the table's properties",
        )


def _entry(change: FileChange, txn: Txn | None, read_version: int) -> bytes:
    """The commit as lines of JSON."""
    now = time.time_ns() // 1_000_000
    actions: list[dict[str, Any]] = [{"commitInfo": _info(change, read_version, now)}]
    if txn is not None:
        actions.append({"txn": {"appId": txn.app_id, "version": txn.version, "lastUpdated": now}})
    actions += ({"remove": _removed(file, now)} for file in change.removed)
    actions += ({"add": _added(file, now)} for file in change.added)
    return "".join(json.dumps(action, ensure_ascii=False) + "\n" for action in actions).encode()


def _info(change: FileChange, read_version: int, now: int) -> dict[str, Any]:
    return {
        "timestamp": now,
        "operation": change.operation,
        "operationParameters": {"mode": "Append", "partitionBy": "[]"} if change.operation == "WRITE" else {},
        "readVersion": read_version,
        "isolationLevel": "Serializable",
        "isBlindAppend": change.operation == "WRITE",
        "operationMetrics": {
            "numFiles": str(len(change.added)),
            "numRemovedFiles": str(len(change.removed)),
            "numOutputRows": str(sum(file.rows or 0 for file in change.added)),
            "numOutputBytes": str(sum(file.size for file in change.added)),
        },
        "engineInfo": "imagelake",
        "txnId": str(uuid.uuid4()),  # makes every commit's bytes its own, so that two writers never look alike
    }


def _added(file: DataFile, now: int) -> dict[str, Any]:
    return {
        "path": file.path,
        "partitionValues": dict(file.partition),
        "size": file.size,
        "modificationTime": now,
        "dataChange": True,
        "stats": file.stats,
    }


def _removed(file: DataFile, now: int) -> dict[str, Any]:
    return {
        "path": file.path,
        "deletionTimestamp": now,
        "dataChange": True,
        "extendedFileMetadata": True,
        "partitionValues": dict(file.partition),
        "size": file.size,
    }
