"""What killed runs leave behind: unfinished uploads in parts, files that never got their name, and leases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, cast

from imagelake.runs.context import Clock
from imagelake.storage.base import TEMP_PREFIX, Stat, Storage
from imagelake.storage.leases.lease_record import decode_record, has_ended
from imagelake.storage.leases.lock_record import lock_paths, open_register
from imagelake.storage.local import LocalStorage

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
    if isinstance(storage, LocalStorage):
        return Leftovers((), tuple(_local_files(storage, before)))
    from imagelake.storage.s3.bucket_storage import S3Storage
    from imagelake.storage.s3.capabilities import abort, unfinished

    bucket = cast(S3Storage, storage)
    stale = [upload for upload in unfinished(bucket) if upload.begun < before]
    for upload in stale:
        abort(bucket, upload)
    temporary = (found for top in ("blobs", "snapshots") for found in bucket.list_temporary(top))
    files = [found.path for found in temporary if (found.mtime_ns or 0) < before.timestamp() * 1e9]
    bucket.delete_all(files)
    return Leftovers(tuple(upload.path for upload in stale), tuple(files))


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
    data = open_register(storage, name).load()
    record = decode_record(data) if data is not None else None
    if record is None:  # damaged, or killed between two steps of taking or leaving it
        return all((stat.mtime_ns or 0) < before.timestamp() * 1e9 for stat in files)
    if name != f"run-{record.holder.run_id}":
        return False  # a dataset may be named so
    return record.released or has_ended(record.holder) or record.expires < before


def _local_files(storage: LocalStorage, before: datetime) -> Iterator[str]:
    for place in (found for top in _WRITTEN for found in (storage.folder / top).rglob(f"{TEMP_PREFIX}*")):
        if datetime.fromtimestamp(place.stat().st_mtime, timezone.utc) < before:
            place.unlink(missing_ok=True)
            yield place.relative_to(storage.folder).as_posix()
