"""VACUUM without Spark: files that no table uses any more are removed, once nobody can need them.

delta-rs names the files: what the newest state of a table does not use, and what stopped being used before the
retention began. It lists a table once; Spark would start thousands of tasks. From those go what younger work or a
build may read, and files without a commit that a writer may be about to commit. Nothing is committed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from imagelake.errors import ConfigError
from imagelake.maintenance.leftovers import GRACE
from imagelake.maintenance.partitions import ChangedTable, TableFiles
from imagelake.maintenance.running import Work, work_of
from imagelake.runs.context import Clock
from imagelake.storage.base import Stat, Storage
from imagelake.tables import ALL
from imagelake.tables.delta.delta_log import delta_table, is_delta_table
from imagelake.tables.spec import TableSpec

_INTERVAL = re.compile(r"(\d+) (week|day|hour|minute|second)s?")
_SKEW = timedelta(hours=1)
"""Clocks of several machines may differ by this."""


@dataclass(frozen=True)
class Vacuum:
    """The tables that lost files, those included that only older states used; and why others were skipped."""

    tables: tuple[ChangedTable, ...]
    notices: tuple[str, ...]


def parse_retention(interval: str) -> timedelta:
    """The length of an interval such as `interval 30 days`; ConfigError says what is allowed."""
    text = interval.lower().removeprefix("interval ").strip()
    parts = _INTERVAL.findall(text)
    if not parts or _INTERVAL.sub("", text).strip():
        raise ConfigError(
            f"delta.deleted_file_retention = {interval!r} is not a number of weeks, days, hours, minutes or seconds",
            hint="for example: interval 30 days",
        )
    return sum((timedelta(**{f"{unit}s": int(number)}) for number, unit in parts), timedelta())


def vacuum_tables(storage: Storage, retention: timedelta, clock: Clock) -> Vacuum:
    """Remove the files of the lake's tables that are unused for longer than the retention."""
    tables: list[ChangedTable] = []
    notices: list[str] = []
    for spec in ALL:
        if not is_delta_table(storage, spec.path):
            continue
        try:
            unused = _unused(storage, spec, retention, clock)
        except DeltaError as error:  # a pinned version whose log is gone, above all
            notices.append(f"{spec.name} not vacuumed: {error}")
            continue
        if unused:
            tables.append(_remove(storage, spec, unused))
    return Vacuum(tuple(tables), tuple(notices))


def _unused(storage: Storage, spec: TableSpec, retention: timedelta, clock: Clock) -> set[str]:
    """The data files to remove, as paths below the table."""
    log = delta_table(storage, spec.path)
    paths = _unreferenced(log, retention)
    stats = _files(storage, spec) if paths else {}
    paths &= stats.keys()  # the log names files for long after they are gone
    if not paths:
        return set()
    # looked at after the table's state: work that begins later needs nothing that this state has left behind
    work = work_of(storage, clock)
    spared = _spared(work, retention, clock())
    paths &= _unreferenced(log, spared, work.versions.get(spec.name, ()))
    committed = _dry_run(log, spared, full=False)
    young = clock() - max(spared, GRACE)
    return {path for path in paths if path in committed or _changed(stats[path]) < young}


def _spared(work: Work, retention: timedelta, now: datetime) -> timedelta:
    """For how long a file must have been unused: as the retention says, and longer than any work runs."""
    return retention if work.since is None else max(retention, now - work.since + _SKEW)


def _unreferenced(log: DeltaTable, unused_for: timedelta, versions: Collection[int] = ()) -> set[str]:
    """Data files, as paths below the table, that neither its newest state nor these versions use."""
    return set(filter(_is_data, _dry_run(log, unused_for, full=True, versions=versions)))


def _dry_run(log: DeltaTable, unused_for: timedelta, *, full: bool, versions: Collection[int] = ()) -> set[str]:
    hours = math.ceil(unused_for / timedelta(hours=1))
    return set(
        log.vacuum(
            hours, dry_run=True, enforce_retention_duration=False, full=full, keep_versions=sorted(versions) or None
        )
    )


def _remove(storage: Storage, spec: TableSpec, unused: set[str]) -> ChangedTable:
    """Remove data files, and with each the checksum that Hadoop lays beside it on a local disk."""
    stats = _files(storage, spec)
    lengths = {path: stat.length for path, stat in stats.items() if _is_data(path)}
    lost = [lengths[path] for path in unused if path in lengths]
    before = TableFiles(len(lengths), sum(lengths.values()))
    checksums = {_checksum(path) for path in unused}.intersection(stats)
    storage.delete_all(f"{spec.path}/{path}" for path in sorted(unused | checksums))
    return ChangedTable(spec.name, before, TableFiles(before.files - len(lost), before.bytes - sum(lost)))


def _files(storage: Storage, spec: TableSpec) -> Mapping[str, Stat]:
    """Every file of a table in the storage, by its path below the table."""
    return {stat.path.removeprefix(f"{spec.path}/"): stat for stat in storage.list(f"{spec.path}/")}


def _is_data(path: str) -> bool:
    """Neither Delta's log nor a file of Hadoop's: those have a name or folder that begins with `_` or `.`."""
    return not any(name.startswith(("_", ".")) for name in path.split("/"))


def _checksum(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}.{name}.crc"


def _changed(stat: Stat) -> datetime:
    return datetime.fromtimestamp((stat.mtime_ns or 0) / 1e9, timezone.utc)
