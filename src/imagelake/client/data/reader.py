"""The bytes of samples: straight out of the lake's files, or out of the cache of a bucket's objects."""

from __future__ import annotations

import mmap
import os
import threading
import zlib
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from imagelake.client.blobs import blobs
from imagelake.client.data.cache import BLOCK, CHUNK, Cache, CachedObject
from imagelake.client.tables import Tables
from imagelake.errors import IntegrityError, NotFound
from imagelake.storage.base import Storage
from imagelake.storage.blobs import ARCHIVES
from imagelake.storage.codec import decode_all
from imagelake.storage.local import LocalStorage, open_regular
from imagelake.storage.places import Place

if TYPE_CHECKING:
    import pyarrow as pa

    from imagelake.client.samples import Samples

Bytes = bytes | memoryview

_MOST_OPEN = 128
"""Files that are mapped at a time."""
_WINDOW, _WINDOW_BYTES = 4096, 32 << 20
"""Samples, and bytes of them, that are fetched together."""
_WINDOWS_AHEAD = 2
"""Windows that are fetched while one is used."""


class Source(Protocol):
    """Where stored bytes come from."""

    def read(self, place: Place) -> Bytes:
        """The stored bytes at a place; NotFound when there is no such object any more."""
        ...

    def prefetch(self, places: Sequence[Place]) -> None:
        """Begin to make these places fast to read, several objects at a time; `read` waits, and raises what fails."""
        ...

    def forget(self, place: Place) -> None:
        """Read these bytes anew the next time."""
        ...


class Located(NamedTuple):
    """A sample, where its bytes are, and their CRC-32."""

    number: int
    place: Place
    crc32: int | None


class SampleReader:
    """The bytes of samples by index, in one process. CRC-32 is checked when a sample is read for the first time."""

    def __init__(self, samples: Samples, cache: Cache | None) -> None:
        self.pid = os.getpid()
        self._samples = samples
        self._source = _source(samples, cache)
        self._checked = bytearray(len(samples))
        self._moved: dict[int, Place] = {}

    def read(self, index: int) -> Bytes:
        """The bytes of a sample; a view of the mapped file where they are stored there as they are.

        IntegrityError when they are not what was published.
        """
        return self._read_located(self._located([index])[0])

    def _read_located(self, located: Located) -> Bytes:
        index, place, crc32 = located
        try:
            data = self._read(place)
        except NotFound:
            # bytes may move while a training runs: look again where they are
            place = self._moved[index] = self._look_again(index)
            data = self._read(place)
        if self._checked[index] or crc32 is None:
            return data
        if zlib.crc32(data) != crc32:
            self._source.forget(place)
            data = self._read(place)
        if zlib.crc32(data) != crc32:
            content_hash = self._samples.rows["content_hash"][index].as_py()
            raise IntegrityError(
                f"{place.uri} at byte {place.offset} does not hold the bytes of {content_hash}",
                hint="verify the version; restore the file from a copy of the lake",
            )
        self._checked[index] = 1
        return data

    def read_all(self, indexes: Sequence[int]) -> Iterator[Bytes]:
        """The bytes of these samples in this order; what is read next is fetched meanwhile."""
        ahead: deque[Sequence[Located]] = deque()
        for window in self._windows(indexes):
            self._source.prefetch([located.place for located in window])
            ahead.append(window)
            if len(ahead) > _WINDOWS_AHEAD:
                yield from map(self._read_located, ahead.popleft())
        while ahead:
            yield from map(self._read_located, ahead.popleft())

    def _windows(self, indexes: Sequence[int]) -> Iterator[Sequence[Located]]:
        """The samples with their places, in portions that are fetched together."""
        window: list[Located] = []
        size = 0
        for start in range(0, len(indexes), _WINDOW):
            for located in self._located(indexes[start : start + _WINDOW]):
                if window and (len(window) == _WINDOW or size + located.place.length > _WINDOW_BYTES):
                    yield window
                    window, size = [], 0
                window.append(located)
                size += located.place.length
        if window:
            yield window

    def _read(self, place: Place) -> Bytes:
        data = self._source.read(place)
        return data if place.codec == "stored" else decode_all(data, place.codec, place.size)

    def _located(self, indexes: Sequence[int]) -> list[Located]:
        import pyarrow as pa

        table = self._samples.places
        rows = table.slice(indexes[0], 1) if len(indexes) == 1 else table.take(pa.array(indexes, pa.int64()))
        columns = [rows[name].to_pylist() for name in (*Place._fields, "crc32")]
        return [
            Located(index, self._moved.get(index) or Place(*values[:-1]), values[-1])
            for index, values in zip(indexes, zip(*columns, strict=True), strict=True)
        ]

    def _look_again(self, index: int) -> Place:
        dataset = self._samples.target.dataset
        content_hash = self._samples.rows["content_hash"][index].as_py()
        places = blobs(Tables(self._samples.storage), dataset, (content_hash,)).get(content_hash, ())
        for blob in places:
            if self._samples.storage.stat(blob.place.uri) is not None:
                return blob.place
        raise NotFound(f"the bytes {content_hash} are in none of their places")


def _source(samples: Samples, cache: Cache | None) -> Source:
    storage = samples.storage
    if isinstance(storage, LocalStorage):
        return LocalFiles(storage)
    return BucketObjects(storage, samples.places, cache) if cache is not None else Requests(storage)


class LocalFiles:
    """Zips and packages of a local lake are mapped; single objects are read."""

    def __init__(self, lake: LocalStorage) -> None:
        self._lake = lake
        self._maps: OrderedDict[str, memoryview] = OrderedDict()

    def read(self, place: Place) -> Bytes:
        """The stored bytes; of a mapped file a view."""
        if not place.uri.startswith(ARCHIVES):
            return self._lake.read(place.uri, place.offset, place.length)
        view = self._maps.get(place.uri)
        if view is None:
            view = self._maps[place.uri] = _mapped(self._lake, place.uri)
            if len(self._maps) > _MOST_OPEN:
                self._maps.popitem(last=False)  # its views keep the file open for as long as they are used
        data = view[place.offset : place.offset + place.length]
        if len(data) != place.length:
            raise IntegrityError(f"{place.uri} ends before byte {place.offset + place.length}")
        return data

    def prefetch(self, places: Sequence[Place]) -> None:
        """Nothing to do: the system reads ahead."""

    def forget(self, place: Place) -> None:
        """Map the file anew."""
        self._maps.pop(place.uri, None)


def _mapped(lake: LocalStorage, uri: str) -> memoryview:
    descriptor = open_regular(lake.local_path(uri))
    try:
        return memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))
    except ValueError:  # an empty file cannot be mapped
        return memoryview(b"")
    finally:
        os.close(descriptor)


class Requests:
    """A request a sample, where no cache is wanted."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def read(self, place: Place) -> bytes:
        """The stored bytes."""
        return self._storage.read(place.uri, place.offset, place.length)

    def prefetch(self, places: Sequence[Place]) -> None:
        """Nothing to do: nothing is held."""

    def forget(self, place: Place) -> None:
        """Nothing to do: nothing is held."""


class BucketObjects:
    """Objects of a bucket through the cache: of large ones the chunks that the samples lie in, of small ones all."""

    def __init__(self, storage: Storage, places: pa.Table, cache: Cache) -> None:
        self._storage, self._places, self._cache = storage, places, cache
        self._objects: OrderedDict[str, tuple[CachedObject, frozenset[int]]] = OrderedDict()
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._pool: ThreadPoolExecutor | None = None

    def read(self, place: Place) -> Bytes:
        """The stored bytes; of a large object a view of the cache's file."""
        if _is_small(place):
            return self._cache.file(self._storage.uri(place.uri), partial(self._storage.read, place.uri))
        start, end = place.offset, place.offset + place.length
        held, needed = self._object(place.uri)
        if not held.has(start, end):
            for chunks in _blocks(range(start // CHUNK, -(-end // CHUNK)), needed):
                held.ensure(chunks, partial(self._fetch, place.uri))
        return held.view(start, end)

    def prefetch(self, places: Sequence[Place]) -> None:
        """Begin to fetch what these places need, each block once, several at a time."""
        work = dict.fromkeys(
            (place.uri, 0 if _is_small(place) else block)
            for place in places
            for block in range(place.offset // BLOCK, -(-(place.offset + place.length) // BLOCK))
        )
        first = {place.uri: place for place in places}
        if self._pool is None:
            self._pool = ThreadPoolExecutor(getattr(self._storage, "settings").connections)  # noqa: B009
        for uri, block in work:
            self._pool.submit(self._fetch_block, first[uri], block)

    def forget(self, place: Place) -> None:
        """Fetch these bytes anew the next time."""
        if _is_small(place):
            self._cache.drop_file(self._storage.uri(place.uri))
        else:
            self._object(place.uri)[0].forget(place.offset, place.offset + place.length)

    def _fetch_block(self, place: Place, block: int) -> None:
        """What fails here fails again where a sample is read, which is where somebody wants to know."""
        if _is_small(place):
            self.read(place)
            return
        held, needed = self._object(place.uri)
        chunks = [c for c in range(block * BLOCK // CHUNK, (block + 1) * BLOCK // CHUNK) if c in needed]
        if chunks and not all(held.has(c * CHUNK, c * CHUNK + 1) for c in chunks):
            held.ensure(chunks, partial(self._fetch, place.uri))

    def _object(self, uri: str) -> tuple[CachedObject, frozenset[int]]:
        """An object's parts, and which chunks of it any of the samples needs."""
        with self._lock:
            held = self._objects.get(uri)
            if held is not None and held[0].is_current:
                self._objects.move_to_end(uri)
                return held
            opening = self._opening.setdefault(uri, threading.Lock())
        with opening:  # one thread asks for its size
            with self._lock:
                held = self._objects.get(uri)
            if held is None or not held[0].is_current:
                held = self._cache.open(self._storage.uri(uri), partial(self._size, uri)), self._needed(uri)
        with self._lock:
            self._objects[uri] = held
            if len(self._objects) > _MOST_OPEN:
                self._objects.popitem(last=False)
        return held

    def _needed(self, uri: str) -> frozenset[int]:
        import pyarrow.compute as pc

        rows = self._places.filter(pc.equal(self._places["uri"], uri))
        ends = pc.subtract(pc.add(rows["offset"], rows["length"]), 1)
        firsts, lasts = (pc.divide(column, CHUNK).to_pylist() for column in (rows["offset"], ends))
        return frozenset(c for first, last in zip(firsts, lasts, strict=True) for c in range(first, last + 1))

    def _size(self, uri: str) -> int:
        stat = self._storage.stat(uri)
        if stat is None:
            raise NotFound(f"{self._storage.uri(uri)} does not exist")
        return stat.length

    def _fetch(self, uri: str, start: int, end: int) -> bytes:
        return self._storage.read(uri, start, end - start)


def _is_small(place: Place) -> bool:
    return not place.uri.startswith(ARCHIVES) and place.length <= BLOCK


def _blocks(chunks: Iterable[int], needed: frozenset[int]) -> list[list[int]]:
    """Of each block that holds one of the chunks, all chunks that are needed."""
    blocks = dict.fromkeys(chunk * CHUNK // BLOCK for chunk in chunks)
    size = BLOCK // CHUNK
    return [[c for c in range(block * size, (block + 1) * size) if c in needed] for block in blocks]
