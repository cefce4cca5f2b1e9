"""`show --table T`: the commits of a Delta table, and how far back it can be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from imagelake.client.delta.tables import Tables
from imagelake.client.inspect.runs import iso
from imagelake.client.refs import nearest
from imagelake.errors import NotFound
from imagelake.tables import ALL
from imagelake.tables.spec import TableSpec

_INTERVAL = re.compile(r"(\d+)\s+(week|day|hour|minute|second)s?")
_DEFAULT_RETENTION = "interval 7 days"  # of delta.deletedFileRetentionDuration


@dataclass(frozen=True)
class Commit:
    """One Delta commit; `at` is UTC."""

    version: int
    at: str | None
    operation: str
    rows_added: int | None
    files_added: int | None
    files_removed: int | None


@dataclass(frozen=True)
class TableHistory:
    """A table's size, its commits (newest first), and the oldest Delta version time travel still reaches.

    Delta refuses versions replaced longer ago than `retention`. Published versions do not depend on it.
    """

    table: str
    path: str
    delta_version: int | None
    rows: int
    files: int
    bytes: int
    oldest_version: int | None
    oldest_at: str | None
    retention: str | None
    history: tuple[Commit, ...]

    def as_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return asdict(self) | {"history": [asdict(c) for c in self.history]}


def table_history(tables: Tables, table: str, now: datetime) -> TableHistory:
    """The history of a table by name, such as gold.image_log; NotFound lists the tables there are."""
    specs: dict[str, TableSpec] = {s.name: s for s in ALL}
    if table not in specs:
        raise NotFound(f"there is no table {table!r}", hint=nearest(table, specs, "tables"))
    spec = specs[table]
    log = tables.log(spec)
    if log is None:
        return TableHistory(table, spec.path, None, 0, 0, 0, None, None, None, ())
    files = tables.files(spec)
    commits = log.history()
    retention = log.metadata().configuration.get("delta.deletedFileRetentionDuration", _DEFAULT_RETENTION)
    oldest = _horizon(commits, now - _length(retention))
    return TableHistory(
        table=table,
        path=spec.path,
        delta_version=log.version(),
        rows=sum(f.log["num_records"] or 0 for f in files),
        files=len(files),
        bytes=sum(f.log["size_bytes"] for f in files),
        oldest_version=oldest["version"],
        oldest_at=iso(_time(oldest)),
        retention=retention,
        history=tuple(_commit(c) for c in commits),
    )


def _horizon(commits: list[dict[str, Any]], since: datetime) -> dict[str, Any]:
    """The oldest commit not yet past the retention; the newest one can always be read."""
    within = [c for c in commits if (_time(c) or since) >= since.replace(tzinfo=None)]
    return min(within or commits[:1], key=lambda c: int(c["version"]))


def _commit(commit: Mapping[str, Any]) -> Commit:
    metrics = commit.get("operationMetrics") or {}
    return Commit(
        version=commit["version"],
        at=iso(_time(commit)),
        operation=commit.get("operation", ""),
        rows_added=_number(metrics, "num_added_rows", "numOutputRows", "numTargetRowsInserted"),
        files_added=_number(metrics, "num_added_files", "numFiles", "numTargetFilesAdded", "numAddedFiles"),
        files_removed=_number(metrics, "num_removed_files", "numTargetFilesRemoved", "numRemovedFiles"),
    )


def _number(metrics: Mapping[str, Any], *names: str) -> int | None:
    """The first of these metrics: delta-rs and Spark name them differently."""
    value = next((metrics[n] for n in names if n in metrics), None)
    return None if value is None else int(value)


def _time(commit: Mapping[str, Any]) -> datetime | None:
    milliseconds = commit.get("timestamp")
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).replace(tzinfo=None)


def _length(interval: str) -> timedelta:
    return timedelta(**{f"{unit}s": int(number) for number, unit in _INTERVAL.findall(interval)})
