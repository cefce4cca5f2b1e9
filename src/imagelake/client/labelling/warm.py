"""What an open lake keeps between the calls of a labelling tool: snapshots of tables, and what was made of them.

A snapshot is kept until the commit after it is there, which one request without an answer's body tells. Nothing
that a kept table needs credentials for is ever done with it: newer snapshots are opened anew.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from imagelake.client.delta.tables import Tables
from imagelake.client.labelling.saves import Saves
from imagelake.storage.base import Storage
from imagelake.tables.spec import TableSpec

if TYPE_CHECKING:
    from deltalake import DeltaTable

T = TypeVar("T")

_MOST_PIECES = 16


class Look(Tables):
    """A look at a lake whose snapshots of some tables are given; the others are opened when they are asked for."""

    def __init__(self, storage: Storage, logs: Mapping[str, DeltaTable | None]) -> None:
        super().__init__(storage)
        self._snapshots = logs

    def again(self) -> Look:
        """Another look at the same snapshots."""
        return Look(self._storage, self._snapshots)

    def log(self, spec: TableSpec) -> DeltaTable | None:
        """The given snapshot, else the newest."""
        return self._snapshots[spec.name] if spec.name in self._snapshots else super().log(spec)


@dataclass
class _Piece(Generic[T]):
    """Something made of tables: their versions, the files it was made of, and the thing."""

    versions: tuple[int, ...]
    files: tuple[str, ...]
    value: T


class Warm:
    """The state of one open lake; threads may share it, processes may not."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.pid = os.getpid()
        self.saves = Saves(storage)
        self._logs: dict[str, DeltaTable | None] = {}
        self._pieces: dict[str, _Piece[object]] = {}
        self._locks: dict[str, threading.Lock] = {}

    def piece(self, name: str, specs: Sequence[TableSpec], dataset: str, make: Callable[[Look], T]) -> T:
        """What `make` makes of these tables: anew only when a file of the dataset has come or gone.

        The tables are looked at as they are now.
        """
        with self._locks.setdefault(name, threading.Lock()):
            logs = self._newest(specs)
            versions = tuple(-1 if log is None else int(log.version()) for log in logs.values())
            cached = cast("_Piece[T] | None", self._pieces.get(name))
            if cached is not None and cached.versions == versions:
                return cached.value
            look = Look(self.storage, logs)
            files = tuple(file.path for spec in specs for file in look.files(spec, dataset))
            if cached is None or cached.files != files:
                cached = _Piece(versions, files, make(look))
            cached.versions = versions
            self._pieces.pop(name, None)
            self._pieces[name] = cast("_Piece[object]", cached)
            for oldest in list(self._pieces)[:-_MOST_PIECES]:
                self._pieces.pop(oldest, None)
            return cached.value

    def _newest(self, specs: Sequence[TableSpec]) -> dict[str, DeltaTable | None]:
        """The newest snapshots of tables, all looked for at the same time."""
        with ThreadPoolExecutor(len(specs)) as pool:
            snapshots = dict(zip((s.name for s in specs), pool.map(self._log, specs), strict=True))
        self._logs.update(snapshots)
        return snapshots

    def _log(self, spec: TableSpec) -> DeltaTable | None:
        snapshot = self._logs.get(spec.name)
        if snapshot is not None:
            following = f"{spec.path}/_delta_log/{snapshot.version() + 1:020d}.json"
            if self.storage.stat(following) is None:
                return snapshot
        return Tables(self.storage).log(spec)
