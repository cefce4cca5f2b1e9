"""Files of a bucket kept on this machine: what never changes is fetched once, and DuckDB reads it like a local file.

`$XDG_CACHE_HOME/imagelake/files/<hash of the lake's root>/<path>`; the longest unused go first when it grows too large.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from imagelake.errors import IntegrityError
from imagelake.storage.base import TEMP_PREFIX, Storage
from imagelake.storage.local import LocalStorage

MOST_BYTES = 10 << 30
_THREADS = 16
_STALE_SECONDS = 3600.0
_TOUCH_SECONDS = 3600.0


@dataclass(frozen=True)
class FileCache:
    """Local copies of immutable files of one storage."""

    storage: Storage
    folder: Path
    most_bytes: int = MOST_BYTES

    @classmethod
    def of(cls, storage: Storage) -> FileCache:
        """The cache of this user for that storage."""
        home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        name = hashlib.sha256(storage.root.encode()).hexdigest()[:32]
        return cls(storage, Path(home).expanduser() / "imagelake" / "files" / name)

    def local(self, files: Sequence[tuple[str, int]]) -> list[Path]:
        """A local path for each (path, size in bytes); what is not here is fetched, several at a time."""
        paths = [self.folder / path for path, _ in files]
        absent = [(path, size) for place, (path, size) in zip(paths, files, strict=True) if not _has(place, size)]
        if absent:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._make_room(sum(size for _, size in absent), keep=set(paths))
            with ThreadPoolExecutor(min(_THREADS, len(absent))) as pool:
                list(pool.map(lambda file: self._fetch(*file), absent))
        return paths

    def _fetch(self, path: str, size: int) -> None:
        data = self.storage.read(path)
        if len(data) != size:
            raise IntegrityError(f"{self.storage.uri(path)} has {len(data)} bytes; the table's log says {size}")
        LocalStorage(self.folder).put_unsynced(path, data)

    def _make_room(self, needed: int, keep: set[Path]) -> None:
        cached = sorted(_cached(self.folder.parent))
        surplus = sum(size for _, size, _ in cached) + needed - self.most_bytes
        for used, size, path in cached:
            stale = path.name.startswith(TEMP_PREFIX) and used < time.time() - _STALE_SECONDS
            if (surplus > 0 or stale) and path not in keep:
                path.unlink(missing_ok=True)
                surplus -= size


def _has(place: Path, size: int) -> bool:
    """Whether the file is here; noting now and then that it is still used."""
    try:
        stat = place.stat()
    except FileNotFoundError:
        return False
    if stat.st_size == size and time.time() - stat.st_mtime > _TOUCH_SECONDS:
        place.touch()
    return stat.st_size == size


def _cached(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # another process has made room
            yield stat.st_mtime, stat.st_size, path
