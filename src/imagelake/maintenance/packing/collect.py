"""Removing objects whose bytes lie elsewhere now: every place in them has ended, and each of their bytes has another.

Runs that began before the last place ended may still read it there, so their objects stay, and all stay for a while.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from imagelake.client.delta.blob_places import PLACE
from imagelake.client.delta.tables import Tables
from imagelake.client.sql_text import select
from imagelake.maintenance.running import work_of
from imagelake.runs.context import Clock
from imagelake.storage.base import Stat, Storage
from imagelake.storage.blobs.local_writer import ARCHIVES, OBJECTS
from imagelake.tables import bronze

_FEW = 1000


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
    ended = dict(_ended(Tables(storage)))
    there = {stat.path: stat.length for stat in _present(storage, ended)}
    due = sorted(uri for uri in there if ended[uri] < before)
    storage.delete_all(due)
    return Collected(tuple(due), sum(there[uri] for uri in due), len(there) - len(due))


def _present(storage: Storage, uris: Collection[str]) -> Iterator[Stat]:
    """Those of the objects that are still there: most of them went long ago, so many are looked for in a list."""
    if len(uris) <= _FEW:
        yield from (stat for uri in uris if (stat := storage.stat(uri)) is not None)
    else:
        yield from (stat for top in (ARCHIVES, OBJECTS) for stat in storage.list(top) if stat.path in uris)


def _ended(tables: Tables) -> list[tuple[str, datetime]]:
    """Objects all of whose places have ended while each of their bytes has a live one elsewhere; and since when."""
    rows = tables.relation(bronze.BLOBS, ("dataset", *PLACE, "state", "at"))
    states = tables.once(
        "_collect_states",
        f'SELECT dataset, {select(PLACE)}, arg_max(state, "at") = \'live\' AS is_live, max("at") AS last '
        f"FROM {rows} GROUP BY dataset, {select(PLACE)}",
    )
    ended = tables.query(
        f"SELECT uri, max(last) AS last FROM {states} GROUP BY uri HAVING NOT bool_or(is_live) "
        f"AND bool_and(content_hash IN (SELECT content_hash FROM {states} WHERE is_live))"
    )
    return [(row["uri"], row["last"].replace(tzinfo=timezone.utc)) for row in ended]
