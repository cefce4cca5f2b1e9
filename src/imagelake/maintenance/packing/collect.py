"""Removing objects whose bytes lie elsewhere now: every place in them has ended, and each of their bytes has another.

Runs that began before the last place ended may still read it there, so their objects stay, and all stay for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from imagelake.client.tables import Tables
from imagelake.client.text import select
from imagelake.context import Clock
from imagelake.maintenance.running import work_of
from imagelake.storage.base import Storage
from imagelake.tables import bronze

_PLACE = ("content_hash", "uri", "offset", "length", "size", "codec")


@dataclass(frozen=True)
class Collected:
    """Objects that were removed, their bytes, and how many wait for their time to pass."""

    paths: tuple[str, ...]
    bytes: int
    waiting: int

    def as_json(self) -> dict[str, Any]:
        """{"paths", "bytes", "waiting"}."""
        return {"paths": list(self.paths), "bytes": self.bytes, "waiting": self.waiting}


def collect_objects(storage: Storage, grace: timedelta, clock: Clock) -> Collected:
    """Remove kept zips, packages and single objects without a live place, `grace` after the last of them ended."""
    since = work_of(storage, clock).since
    before = min(clock() - grace, since) if since is not None else clock() - grace
    ended = {uri: at for uri, at in _ended(Tables(storage)) if storage.stat(uri) is not None}
    due = sorted(uri for uri, at in ended.items() if at < before)
    sizes = [stat.length for uri in due if (stat := storage.stat(uri)) is not None]
    storage.delete_all(due)
    return Collected(tuple(due), sum(sizes), len(ended) - len(due))


def _ended(tables: Tables) -> list[tuple[str, datetime]]:
    """Objects all of whose places have ended while each of their bytes has a live one elsewhere; and since when."""
    rows = tables.relation(bronze.BLOBS, ("dataset", *_PLACE, "state", "at"))
    states = tables.once(
        "_collect_states",
        f'SELECT dataset, {select(_PLACE)}, arg_max(state, "at") = \'live\' AS is_live, max("at") AS last '
        f"FROM {rows} GROUP BY dataset, {select(_PLACE)}",
    )
    ended = tables.query(
        f"SELECT uri, max(last) AS last FROM {states} GROUP BY uri HAVING NOT bool_or(is_live) "
        f"AND bool_and(content_hash IN (SELECT content_hash FROM {states} WHERE is_live))"
    )
    return [(row["uri"], row["last"].replace(tzinfo=timezone.utc)) for row in ended]
