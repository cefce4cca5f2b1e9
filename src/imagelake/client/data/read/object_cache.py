"""Parts of a bucket's objects on this machine, shared by every process that trains on it.

A large object lies in `<folder>/<hash of its URI>/`: `data` is a sparse file of its size, `chunks` a byte for each
chunk of it that is there. A chunk's byte is set after its data was written, under a lock that the system frees when a
process is killed; so many processes that want the same bytes fetch them once, and a killed one leaves nothing half.
What a power cut has damaged is noticed by the CRC-32 of the member that is read, and fetched again. A small object is
a file.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import shutil
import time
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from imagelake.errors import ConfigError, ImagelakeError
from imagelake.storage.base import TEMP_PREFIX

CHUNK = 1 << 20
"""Bytes that are there or not there as one."""
BLOCK = 8 * CHUNK
"""Bytes that are asked for at once, at most: AWS advises 8 to 16 MB."""
DEFAULT_GIGABYTES = 50.0

_STRIPES = 64
_TOUCH_SECONDS = 60.0
_TRIES = 100
_ROOM_SHARE = 16
"""A process looks whether the cache is too large when it has fetched such a part of what may be in it."""

SMALL = "small"
"""The folder of small objects."""

Fetch = Callable[[int, int], bytes]
"""Bytes of an object from a start to an end."""


@dataclass(frozen=True)
class Cache:
    """A folder of objects' parts; the longest unused objects go when it grows beyond `most_bytes`."""

    folder: Path
    most_bytes: int
    fetched: list[int] = field(default_factory=lambda: [0], compare=False, repr=False)

    @classmethod
    def of_user(cls) -> Cache:
        """The cache that IMAGELAKE_CACHE names, else this user's; IMAGELAKE_CACHE_GB bounds it.

        ConfigError when that is not a number.
        """
        home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        folder = os.environ.get("IMAGELAKE_CACHE") or f"{home}/imagelake/objects"
        text = os.environ.get("IMAGELAKE_CACHE_GB") or str(DEFAULT_GIGABYTES)
        try:
            most = float(text)
        except ValueError:
            raise ConfigError(f"IMAGELAKE_CACHE_GB = {text!r} is not a number", hint="gigabytes, such as 200") from None
        return cls(Path(folder).expanduser(), int(most * (1 << 30)))

    def open(self, uri: str, size_of: Callable[[], int]) -> CachedObject:
        """The parts of an object that are here; `size_of` is asked for its size when nothing is."""
        path = self.folder / _name(uri)
        for _ in range(_TRIES):  # another process may remove the folder at any moment
            try:
                size = (path / "data").stat().st_size
            except FileNotFoundError:
                size = size_of()
            try:
                return CachedObject(self, path, size)
            except FileNotFoundError:
                time.sleep(0.001)
        raise ConfigError(f"{path} cannot be made", hint="IMAGELAKE_CACHE names another folder")

    def file(self, uri: str, fetch: Callable[[], bytes]) -> bytes:
        """A small object, whole; fetched once on this machine."""
        name = _name(uri)
        path = self.folder / SMALL / name[:2] / name
        data = _read(path)
        if data is not None:
            return data
        with self.locked(name):
            data = _read(path)
            if data is None:
                data = fetch()
                with writing(self.folder):
                    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    temporary = path.with_name(f"{TEMP_PREFIX}{uuid.uuid4().hex}")
                    temporary.write_bytes(data)
                    temporary.replace(path)
                self.count(len(data))
        return data

    def drop_file(self, uri: str) -> None:
        """Forget a small object: it is not what was fetched."""
        name = _name(uri)
        (self.folder / SMALL / name[:2] / name).unlink(missing_ok=True)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Alone among the threads and processes that ask for the same name (and a few others)."""
        stripe = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % _STRIPES
        locks = self.folder / "locks"
        locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(locks / f"{stripe:02}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # also unlocks

    def count(self, size: int) -> None:
        """Note that so many bytes were fetched, and make room now and then."""
        self.fetched[0] += size
        if self.fetched[0] >= self.most_bytes // _ROOM_SHARE:
            self.fetched[0] = 0
            self.make_room()

    def make_room(self) -> None:
        """Remove the longest unused objects until the others fit; what is open elsewhere can be read on there."""
        objects = sorted((*_large(self.folder), *_small(self.folder / SMALL)))
        surplus = sum(size for _, size, _ in objects) - self.most_bytes
        for _, size, path in objects:
            if surplus <= 0:
                return
            _remove(path)
            surplus -= size


def _large(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each object was used last, the bytes that it takes on disk, and its folder."""
    for path in folder.iterdir():
        if path.name in ("locks", SMALL):
            continue
        try:
            yield (path / "chunks").stat().st_mtime, (path / "data").stat().st_blocks * 512, path
        except (FileNotFoundError, NotADirectoryError):
            yield 0.0, 0, path  # half removed


def _small(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for place, _, names in os.walk(folder):
        for path in (Path(place) / name for name in names):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # another process has made room
            yield stat.st_mtime, stat.st_size, path


def _remove(path: Path) -> None:
    doomed = path.with_name(f"{TEMP_PREFIX}{uuid.uuid4().hex}")
    try:
        path.rename(doomed)  # at once: nobody finds half of it
    except FileNotFoundError:
        return  # another process was faster
    if doomed.is_dir():
        shutil.rmtree(doomed, ignore_errors=True)
    else:
        doomed.unlink(missing_ok=True)


def _name(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()[:40]


def _read(path: Path) -> bytes | None:
    """A small object that is here; noting now and then that it is still used."""
    try:
        with path.open("rb") as stream:
            if time.time() - os.fstat(stream.fileno()).st_mtime > _TOUCH_SECONDS:
                os.utime(stream.fileno())
            return stream.read()
    except FileNotFoundError:
        return None


class CachedObject:
    """An object's parts: what is asked for and not here is fetched, once on this machine."""

    def __init__(self, cache: Cache, path: Path, size: int) -> None:
        self._cache, self._path, self._size = cache, path, size
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._data_file, self._data = _mapped(path / "data", max(size, 1))
        weakref.finalize(self, os.close, self._data_file)
        self._chunk_file, self._chunks = _mapped(path / "chunks", -(-max(size, 1) // CHUNK))
        weakref.finalize(self, os.close, self._chunk_file)
        self._touched = 0.0
        self._touch()

    @property
    def is_current(self) -> bool:
        """False when the object was removed from the cache: then it is to be opened anew."""
        return (self._path / "chunks").exists()

    def has(self, start: int, end: int) -> bool:
        """Whether all bytes from start to end are here."""
        return all(self._chunks[start // CHUNK : -(-end // CHUNK)])

    def view(self, start: int, end: int) -> memoryview:
        """The bytes from start to end, which must be here, without a copy."""
        return memoryview(self._data)[start:end]

    def ensure(self, chunks: Sequence[int], fetch: Fetch) -> None:
        """Fetch these chunks, all of one block, unless they are here."""
        with self._cache.locked(f"{self._path.name}/{chunks[0] * CHUNK // BLOCK}"):
            for first, last in _runs(index for index in chunks if not self._chunks[index]):
                start, end = first * CHUNK, min((last + 1) * CHUNK, self._size)
                self._write(self._data_file, fetch(start, end), start)
                self._write(self._chunk_file, b"\1" * (last + 1 - first), first)
                self._cache.count(end - start)
        self._touch()

    def _write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Through the file and not the map: a full disk is an error then, and does not kill the process."""
        rest = memoryview(data)
        with writing(self._cache.folder):
            while rest:
                count = os.pwrite(descriptor, rest, offset)
                offset, rest = offset + count, rest[count:]

    def forget(self, start: int, end: int) -> None:
        """Say that the chunks with these bytes are not here: they are not what was fetched."""
        first, end = start // CHUNK, -(-end // CHUNK)
        self._write(self._chunk_file, bytes(end - first), first)

    def _touch(self) -> None:
        if time.monotonic() - self._touched > _TOUCH_SECONDS:
            self._touched = time.monotonic()
            try:
                os.utime(self._path / "chunks")
            except FileNotFoundError:
                return  # removed meanwhile; what is open can be read on


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Whatever keeps the cache from being written within is an ImagelakeError that says which cache."""
    try:
        yield
    except OSError as error:
        raise ImagelakeError(
            f"the cache {folder} cannot be written: {error.strerror}",
            hint="make room; IMAGELAKE_CACHE_GB bounds it, IMAGELAKE_CACHE names another folder",
        ) from None


def _mapped(path: Path, size: int) -> tuple[int, mmap.mmap]:
    """A file of that size, made where there is none: its descriptor to write, and the file mapped to read."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_size < size:
        os.ftruncate(descriptor, size)
    return descriptor, mmap.mmap(descriptor, size, prot=mmap.PROT_READ)


def _runs(indexes: Iterable[int]) -> list[tuple[int, int]]:
    """Rising numbers as runs [first, last]."""
    runs: list[tuple[int, int]] = []
    for index in indexes:
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs
