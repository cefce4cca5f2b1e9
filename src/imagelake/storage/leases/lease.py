"""Leases: one writer a name, across processes and machines, surviving holders that are killed or paused.

A lease only avoids wasted work: what a paused holder writes after it was taken over is kept out by the tables'
transaction numbers. Its record is `locks/<name>.json`; the fence in it rises by one at each acquisition.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from imagelake.errors import ImagelakeError, Locked
from imagelake.storage.base import Storage
from imagelake.storage.leases.lease_record import Holder, LeaseRecord, decode_record, encode_record, has_ended, is_free
from imagelake.storage.leases.lock_record import LockRecord

if TYPE_CHECKING:
    from imagelake.config.settings import LeaseSettings
    from imagelake.runs.context import Clock

_log = logging.getLogger(__name__)
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_MOST_LOST = 100


@dataclass(frozen=True)
class HolderInfo:
    """The live holder of a name: its run, its host, its first process, and since when."""

    run_id: str
    host: str
    pid: int
    since: datetime


class Lease:
    """A name held by this process until `release`, renewed in the background at a third of its lifetime.

    `taken_over` says that the former holder did not release it: it was killed, or is paused.
    """

    def __init__(self, grant: _Grant, ttl: timedelta, clock: Clock) -> None:
        self.name = grant.name
        self.taken_over = grant.taken_over
        self._lock = grant.lock_record
        self._record = grant.record
        self._ttl = ttl
        self._clock = clock
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew_periodically, name=f"lease-{grant.name}", daemon=True)
        self._thread.start()

    @property
    def fence(self) -> int:
        """Higher than that of every earlier holder of this name."""
        return self._record.fence

    @property
    def maybe_paused(self) -> bool:
        """A holder before us was taken over while it may be asleep: it can wake up and write what it once computed."""
        return self._record.maybe_paused

    def clear_maybe_paused(self) -> None:
        """To be called once every table has been fenced off against such a holder."""
        with self._changing:
            if self._record.maybe_paused:
                self._change(replace(self._record, maybe_paused=False))

    def check(self) -> None:
        """Locked when somebody else has taken the name over; to be called right before each write."""
        with self._changing:
            if self._record.released:
                raise Locked(f"the lease on {self.name} was released")
            if self._clock() >= self._record.expires - self._ttl / 3:
                self._renew()
            elif self._lock.load() != encode_record(self._record):
                raise self._lost()

    def release(self) -> None:
        """Give the name back. Nothing happens when it was released or taken over before."""
        self._stop.set()
        self._thread.join()
        with self._changing:
            if self._record.released:
                return
            freed = replace(self._record, released=True)
            self._lock.swap(encode_record(self._record), encode_record(freed))
            self._record = freed

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _renew_periodically(self) -> None:
        while not self._stop.wait(self._ttl.total_seconds() / 3):
            try:
                with self._changing:
                    self._renew()
            except Locked as error:
                _log.warning("%s", error)
                return
            except (ImagelakeError, OSError) as error:
                _log.warning("lease on %s not renewed: %s", self.name, error)

    def _renew(self) -> None:
        self._change(replace(self._record, expires=self._clock() + self._ttl))

    def _change(self, new: LeaseRecord) -> None:
        if not self._lock.swap(encode_record(self._record), encode_record(new)):
            raise self._lost()
        self._record = new

    def _lost(self) -> Locked:
        data = self._lock.load()
        now = decode_record(data) if data else None
        by = f"by run {now.holder.run_id} on {now.holder.host}" if now else "by another writer"
        return Locked(f"{self.name} was taken over {by}", hint="run the same command again; it continues the work")


def acquire(
    storage: Storage,
    name: str,
    holder: Holder,
    settings: LeaseSettings,
    clock: Clock,
    sleep: Callable[[float], None] = time.sleep,
) -> Lease:
    """Hold a name, waiting up to `settings.wait_seconds` for another holder; Locked names the one that stays."""
    lock = storage.lock_record(name)
    ttl = timedelta(seconds=settings.ttl_seconds)
    waited, pause, lost = 0.0, _SHORTEST_PAUSE, 0
    while True:
        data = lock.load()
        old = decode_record(data) if data is not None else None
        now = clock()
        if old is None or is_free(old, now):
            maybe_paused = _maybe_paused(data, old)
            record = LeaseRecord(holder, _next_fence(data, old, now), now, now + ttl, maybe_paused=maybe_paused)
            if lock.swap(data, encode_record(record)):
                taken_over = data is not None and not (old is not None and old.released)
                return Lease(_Grant(name, lock, record, taken_over), ttl, clock)
            lost += 1
            if lost < _MOST_LOST:
                continue  # somebody was faster: look again
            raise Locked(
                f"{name}: {lost} times in a row its record had changed before it could be written",
                hint="many writers want it, or the store does not keep conditions: imagelake doctor tells",
            )
        if waited >= settings.wait_seconds:
            raise _held(name, old, settings)
        step = min(pause * random.uniform(0.5, 1.5), settings.wait_seconds - waited)  # noqa: S311
        sleep(step)
        waited, pause = waited + step, min(pause * 1.5, _LONGEST_PAUSE)


def live_runs(storage: Storage, clock: Clock) -> frozenset[str]:
    """The ids of the runs that hold some lease now."""
    names = [s.path.removeprefix("locks/").removesuffix(".json") for s in storage.list("locks/")]
    holders = (holder_of(storage, name, clock) for name in names if not name.endswith(".lock"))
    return frozenset(info.run_id for info in holders if info is not None)


def holder_of(storage: Storage, name: str, clock: Clock) -> HolderInfo | None:
    """Who holds a name now; None when it is free, or its holder has ended or has not renewed."""
    data = storage.lock_record(name).load()
    record = decode_record(data) if data is not None else None
    if record is None or is_free(record, clock()):
        return None
    return HolderInfo(record.holder.run_id, record.holder.host, record.holder.processes[0].pid, record.acquired)


@dataclass(frozen=True)
class _Grant:
    name: str
    lock_record: LockRecord
    record: LeaseRecord
    taken_over: bool


def _maybe_paused(data: bytes | None, old: LeaseRecord | None) -> bool:
    """Whether the last holder may be asleep: it neither released nor has been seen to end."""
    if old is None:
        return data is not None
    return old.maybe_paused or not (old.released or has_ended(old.holder))


def _next_fence(data: bytes | None, old: LeaseRecord | None, now: datetime) -> int:
    if old is not None:
        return old.fence + 1
    # a damaged record has lost its fence; seconds since 1970 are beyond any count of acquisitions
    return 1 if data is None else int(now.timestamp())


def _held(name: str, record: LeaseRecord, settings: LeaseSettings) -> Locked:
    holder = record.holder
    pids = ", ".join(str(p.pid) for p in holder.processes)
    return Locked(
        f"{name} is held by run {holder.run_id} on {holder.host} (process {pids}) since "
        f"{record.acquired.isoformat(timespec='seconds')}",
        hint=f"try again when it has finished; a holder that is gone is taken over within {settings.ttl_seconds:g} s",
    )
