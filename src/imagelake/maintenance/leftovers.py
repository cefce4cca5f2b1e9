"""What killed runs leave behind: unfinished uploads in parts, files that never got their name, and leases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from imagelake.runs.context import Clock
from imagelake.storage.base import Stat, Storage
from imagelake.storage.leases.lease_record import decode_record, has_ended
from imagelake.storage.leases.lock_record import lock_paths

GRACE = timedelta(hours=24)
"""Younger ones may belong to a run that is still at work."""

_RUN_LOCK = re.compile(r"^locks/(?P<name>run-(?P<run_id>[0-9a-f]{32}))\.(?:json|lock)$")
_WRITTEN = ("blobs", "labels", "locks", "snapshots")


@dataclass(frozen=True)
class Leftovers:
    """Paths of what was removed: uploads in parts, and temporary files."""

    uploads: tuple[str, ...]
    files: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """{"uploads": [...], "files": [...]}."""
        return {"uploads": list(self.uploads), "files": list(self.files)}


def remove_leftovers(storage: Storage, clock: Clock) -> Leftovers:
    """Remove what is older than GRACE; what a run that is still at work needs is younger."""
    before = clock() - GRACE
    return Leftovers(*storage.remove_unfinished(_WRITTEN, before))


def remove_run_locks(storage: Storage, clock: Clock) -> tuple[str, ...]:
    """Remove the leases of runs that were killed, and return their paths; those of datasets stay, for their fences.

    A run takes its lease once, under its own id, so nobody waits for it: it can go when the run released it, was seen
    to end, or has not renewed it for GRACE. A run that wakes up after that finds it lost and takes no other.
    """
    before = clock() - GRACE
    stats: dict[str, list[Stat]] = {}
    for stat in storage.list("locks"):
        if match := _RUN_LOCK.match(stat.path):
            stats.setdefault(match["name"], []).append(stat)
    dead = [name for name, files in stats.items() if _is_dead(storage, name, files, before)]
    paths = [path for name in dead for path in lock_paths(name) if path in {stat.path for stat in stats[name]}]
    storage.delete_all(paths)
    return tuple(paths)


def _is_dead(storage: Storage, name: str, files: list[Stat], before: datetime) -> bool:
    data = storage.lock_record(name).load()
    record = decode_record(data) if data is not None else None
    if record is None:  # damaged, or killed between two steps of taking or leaving it
        return all((stat.mtime_ns or 0) < before.timestamp() * 1e9 for stat in files)
    if name != f"run-{record.holder.run_id}":
        return False  # a dataset may be named so
    return record.released or has_ended(record.holder) or record.expires < before
