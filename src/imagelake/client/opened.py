"""What the verbs of an open lake share: its tables at one moment, and the selection that a reference names."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.refs import parse_ref
from imagelake.storage.base import Storage

if TYPE_CHECKING:
    from imagelake.client.labelling.warm import Warm
    from imagelake.client.selection import Selection

T = TypeVar("T")


@dataclass(frozen=True)
class OpenLake:
    """A lake's storage, and how its verbs look at it."""

    storage: Storage

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget what was kept for the next page or save; nothing else stays open between calls."""
        self.__dict__.pop("_warm_cache", None)

    def __getstate__(self) -> dict[str, Any]:
        return {"storage": self.storage}

    def _tables(self) -> Tables:
        return Tables(self.storage)

    def _selected(self, read: Callable[..., T], ref: str, asked: Selection, images: Collection[str] | None) -> T:
        """What `read` makes of a selection: that of a reference together with the one that was asked for."""
        from imagelake.client.data.load import Source
        from imagelake.client.selection import keys_digest, parse_selection

        base, _, query = ref.partition("?")
        asked = asked if images is None else replace(asked, images=keys_digest(images))
        tables = self._tables()
        source = Source(self.storage, target_of(tables, base))
        matching = partial(self._matching, self._tables(), source.target)
        return read(tables, source, parse_selection(query).also(asked), images, matching)

    def _warm(self) -> Warm:
        """What this lake keeps between pages and saves: made when first needed, in every process anew."""
        from imagelake.client.labelling.warm import Warm

        warm: Warm | None = self.__dict__.get("_warm_cache")
        if warm is None or warm.pid != os.getpid():
            warm = self.__dict__["_warm_cache"] = Warm(self.storage)
        return warm

    def _matching(self, tables: Tables, target: Target, condition: str) -> Iterable[str]:
        from imagelake.client.query import sql, views, where

        query, scope = where.keys_where(condition), views.Scope(tables, target, self._live_runs)
        with where.errors_of_condition(condition):
            rows = sql.run(scope, query, lambda ref: target_of(tables, ref)).rows
        return (row[0] for row in rows)

    def _live_runs(self) -> frozenset[str]:
        from imagelake.storage.leases.lease import live_runs

        return live_runs(self.storage, lambda: datetime.now(timezone.utc))


def target_of(tables: Tables, ref: str) -> Target:
    """What a reference names; NotFound when there is no such version, or it cannot be read any more."""
    target = catalog.resolve(tables, parse_ref(ref))
    catalog.require_readable(target)
    return target
