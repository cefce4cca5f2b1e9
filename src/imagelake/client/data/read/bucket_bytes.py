"""The stored bytes of a bucket's objects: through the cache, or a request each."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TYPE_CHECKING

from imagelake.client.data.read.object_cache import BLOCK, CHUNK, Cache, CachedObject
from imagelake.client.delta.arrow_columns import integers, one_array, plain_values
from imagelake.errors import NotFound
from imagelake.storage.base import Storage
from imagelake.storage.blobs.local_writer import ARCHIVES
from imagelake.storage.blobs.location import Location

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_OPEN = 128
"""Objects whose parts are mapped at a time."""


class Requests:
    """A request a sample, where no cache is wanted."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def read(self, place: Location) -> bytes:
        """The stored bytes."""
        return self._storage.read(place.uri, place.offset, place.length)

    def prefetch(self, places: Sequence[Location]) -> None:
        """Nothing to do: nothing is cached."""

    def forget(self, place: Location) -> None:
        """Nothing to do: nothing is cached."""


class BucketObjects:
    """Objects of a bucket through the cache: of large ones the chunks that the samples lie in, of small ones all."""

    def __init__(self, storage: Storage, places: pa.Table, cache: Cache) -> None:
        self._storage, self._places, self._cache = storage, places, cache
        self._objects: OrderedDict[str, tuple[CachedObject, frozenset[int]]] = OrderedDict()
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._pool: ThreadPoolExecutor | None = None

    def read(self, place: Location) -> bytes | memoryview:
        """The stored bytes; of a large object a view of the cache's file."""
        if _is_small(place):
            return self._cache.file(self._storage.uri(place.uri), partial(self._storage.read, place.uri))
        start, end = place.offset, place.offset + place.length
        opened = self._objects.get(place.uri)
        if opened is not None and opened[0].has(start, end):  # what is mapped stays, also of an object that was removed
            return opened[0].view(start, end)
        parts, needed = self._object(place.uri)
        for chunks in _blocks(range(start // CHUNK, -(-end // CHUNK)), needed):
            parts.ensure(chunks, partial(self._fetch, place.uri))
        return parts.view(start, end)

    def prefetch(self, places: Sequence[Location]) -> None:
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

    def forget(self, place: Location) -> None:
        """Fetch these bytes anew the next time."""
        if _is_small(place):
            self._cache.drop_file(self._storage.uri(place.uri))
        else:
            self._object(place.uri)[0].forget(place.offset, place.offset + place.length)

    def _fetch_block(self, place: Location, block: int) -> None:
        """What fails here fails again where a sample is read, which is where somebody wants to know."""
        if _is_small(place):
            self.read(place)
            return
        parts, needed = self._object(place.uri)
        chunks = [c for c in range(block * BLOCK // CHUNK, (block + 1) * BLOCK // CHUNK) if c in needed]
        if chunks and not all(parts.has(c * CHUNK, c * CHUNK + 1) for c in chunks):
            parts.ensure(chunks, partial(self._fetch, place.uri))

    def _object(self, uri: str) -> tuple[CachedObject, frozenset[int]]:
        """An object's parts, and which chunks of it any of the samples needs."""
        with self._lock:
            parts = self._objects.get(uri)
            if parts is not None and parts[0].is_current:
                self._objects.move_to_end(uri)
                return parts
            opening = self._opening.setdefault(uri, threading.Lock())
        with opening:  # one thread asks for its size
            with self._lock:
                parts = self._objects.get(uri)
            if parts is None or not parts[0].is_current:
                parts = self._cache.open(self._storage.uri(uri), partial(self._size, uri)), self._needed(uri)
        with self._lock:
            self._objects[uri] = parts
            if len(self._objects) > _MOST_OPEN:
                self._objects.popitem(last=False)
        return parts

    def _needed(self, uri: str) -> frozenset[int]:
        import pyarrow.compute as pc

        codes = self._uris.indices
        rows = self._places.filter(pc.equal(codes, integers([self._codes[uri]], codes.type)[0]))
        spans = zip(plain_values(rows["offset"]), plain_values(rows["length"]), strict=True)
        return frozenset(c for start, size in spans for c in range(start // CHUNK, -(-(start + size) // CHUNK)))

    @cached_property
    def _uris(self) -> pa.DictionaryArray:
        return one_array(self._places["uri"].dictionary_encode().unify_dictionaries())

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {uri: code for code, uri in enumerate(self._uris.dictionary.to_pylist())}

    def _size(self, uri: str) -> int:
        stat = self._storage.stat(uri)
        if stat is None:
            raise NotFound(f"{self._storage.uri(uri)} does not exist")
        return stat.length

    def _fetch(self, uri: str, start: int, end: int) -> bytes:
        return self._storage.read(uri, start, end - start)


def _is_small(place: Location) -> bool:
    return not place.uri.startswith(ARCHIVES) and place.length <= BLOCK


def _blocks(chunks: Iterable[int], needed: frozenset[int]) -> list[list[int]]:
    """Of each block that holds one of the chunks, all chunks that are needed."""
    blocks = dict.fromkeys(chunk * CHUNK // BLOCK for chunk in chunks)
    size = BLOCK // CHUNK
    return [[c for c in range(block * size, (block + 1) * size) if c in needed] for block in blocks]
