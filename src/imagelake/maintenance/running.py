"""What runs now or may wake up, and the table versions that a build which was cut short is finished from."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from imagelake.errors import NotFound
from imagelake.maintenance.leftovers import GRACE
from imagelake.runs.context import Clock
from imagelake.storage.base import Stat, Storage
from imagelake.storage.leases.lease_record import decode_record, has_ended

_LEASE = re.compile(r"^locks/(?P<name>[^/]+)\.json$")
_PLAN = re.compile(r"^locks/build-[^/]+\.plan$")


@dataclass(frozen=True)
class Work:
    """Since when the longest work runs, None for no work; and by table name the Delta versions that builds need."""

    since: datetime | None
    versions: Mapping[str, Collection[int]]


def work_of(storage: Storage, clock: Clock) -> Work:
    """Every lease that is held, or whose holder may be asleep since less than GRACE; every plan of a build."""
    since: list[datetime] = []
    versions: dict[str, set[int]] = {}
    for stat in storage.list("locks"):
        if match := _LEASE.match(stat.path):
            since += _holding_since(storage, match["name"], stat, clock() - GRACE)
        elif _PLAN.match(stat.path):
            for table, version in _pinned(storage, stat.path).items():
                versions.setdefault(table, set()).add(version)
    return Work(min(since, default=None), versions)


def _holding_since(storage: Storage, name: str, stat: Stat, before: datetime) -> list[datetime]:
    data = storage.lock_record(name).load()
    if data is None:
        return []
    record = decode_record(data)
    if record is None:  # damaged by a power cut
        changed = datetime.fromtimestamp((stat.mtime_ns or 0) / 1e9, timezone.utc)
        return [changed] if changed > before else []
    is_over = record.released or has_ended(record.holder) or record.expires < before
    return [] if is_over else [record.acquired]


def _pinned(storage: Storage, path: str) -> Mapping[str, int]:
    try:
        versions: Mapping[str, int] = json.loads(storage.read(path))["versions"]
    except NotFound:  # its build has just been finished
        return {}
    return versions
