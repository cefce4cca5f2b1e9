"""Where leases are written down: one small file a name, changed by compare-and-swap."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from imagelake.errors import Conflict, NotFound

if TYPE_CHECKING:
    from imagelake.storage.local import LocalStorage
    from imagelake.storage.s3.bucket_storage import S3Storage

PATIENCE_SECONDS = 10.0
"""How long a change waits for another process that is writing the same file; that takes it microseconds."""


class LockRecord(Protocol):
    """The record of one name. An object store implements `swap` with a conditional put."""

    def load(self) -> bytes | None:
        """The record, or None when the name was never held."""
        ...

    def swap(self, expected: bytes | None, new: bytes) -> bool:
        """Replace the record if it is still `expected`; False when it is not."""
        ...


def lock_paths(name: str) -> tuple[str, str]:
    """The files of a name in a lake: its record, and what a local lake locks while it changes."""
    return f"locks/{name}.json", f"locks/{name}.lock"


@dataclass(frozen=True)
class ObjectLockRecord:
    """An object holds the record; conditional puts change it. Each record is unique, so a repeated put finds itself."""

    storage: S3Storage
    path: str

    def load(self) -> bytes | None:
        """The record, or None when the name was never held."""
        try:
            return self.storage.fetch(self.path)[0]
        except NotFound:
            return None

    def swap(self, expected: bytes | None, new: bytes) -> bool:
        """Replace the record if it is still `expected`; False when it is not."""
        if expected is None:
            return self.storage.put(self.path, new, if_absent=True)
        try:
            record, etag = self.storage.fetch(self.path)
        except NotFound:
            return False
        return record == expected and self.storage.replace(self.path, new, etag)


@dataclass(frozen=True)
class FileLockRecord:
    """`<path>.json` holds the record; flock on `<path>.lock` makes read and write one step."""

    storage: LocalStorage
    path: str

    def load(self) -> bytes | None:
        """The record, or None when the name was never held."""
        try:
            return self.storage.read(f"{self.path}.json")
        except NotFound:
            return None

    def swap(self, expected: bytes | None, new: bytes) -> bool:
        """Replace the record if it is still `expected`; Conflict when another process is stuck while doing so."""
        with self._exclusive():
            if self.load() != expected:
                return False
            # renewed all the time, and a record that a power cut has damaged is taken over like that of a killed run
            self.storage.put_unsynced(f"{self.path}.json", new)
            return True

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        place = self.storage.local_path(f"{self.path}.lock")
        place.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            self._lock(fd, time.monotonic() + PATIENCE_SECONDS)
            yield
        finally:
            os.close(fd)  # also unlocks

    def _lock(self, fd: int, deadline: float) -> None:
        while True:
            try:
                return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Conflict(
                        f"{self.storage.uri(self.path)}.lock has been held for {PATIENCE_SECONDS:g} s",
                        hint="a paused process holds it: resume or end it",
                    ) from None
                time.sleep(0.005)
