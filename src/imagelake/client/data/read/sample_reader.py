"""The bytes of samples: straight out of the lake's files, or out of the cache of a bucket's objects."""

from __future__ import annotations

import mmap
import os
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from isal.isal_zlib import crc32

from imagelake.client.data.protocols import SampleRows
from imagelake.client.data.read.bucket_bytes import BucketObjects, Requests
from imagelake.client.data.read.object_cache import Cache
from imagelake.client.delta.arrow_columns import integers, plain_values
from imagelake.client.delta.blob_places import blobs
from imagelake.client.delta.tables import Tables
from imagelake.errors import IntegrityError, NotFound
from imagelake.storage.base import Storage
from imagelake.storage.blobs.local_writer import ARCHIVES
from imagelake.storage.blobs.location import Location
from imagelake.storage.local_files import open_regular
from imagelake.storage.zip.codec import decode_all

Bytes = bytes | memoryview

_MOST_OPEN = 128
"""Files that are mapped at a time."""
_WINDOW, _WINDOW_BYTES = 4096, 32 << 20
"""Samples, and bytes of them, that are fetched together."""
_FIRST_BYTES = 8 << 20
"""Of the first window: the next have twice as many each, so that the first samples need not wait for all others."""
_WINDOWS_AHEAD = 2
"""Windows that are fetched while one is used."""


class ByteSource(Protocol):
    """Where stored bytes come from."""

    def read(self, place: Location) -> Bytes:
        """The stored bytes at a place; NotFound when there is no such object any more."""
        ...

    def prefetch(self, places: Sequence[Location]) -> None:
        """Begin to make these places fast to read, several objects at a time; `read` waits, and raises what fails."""
        ...

    def forget(self, place: Location) -> None:
        """Read these bytes anew the next time."""
        ...


class Located(NamedTuple):
    """A sample, where its bytes are, and their CRC-32."""

    number: int
    place: Location
    crc32: int | None


class SampleReader:
    """The bytes of samples by index, in one process. CRC-32 is checked when a sample is read for the first time."""

    def __init__(self, samples: SampleRows, cache: Cache | None) -> None:
        self.pid = os.getpid()
        self._samples = samples
        self._source = _source(samples, cache)
        self._checked = bytearray(len(samples))
        self._moved: dict[int, Location] = {}

    def read(self, index: int) -> Bytes:
        """The bytes of a sample; a view of the mapped file where they are stored there as they are.

        IntegrityError when they are not what was published.
        """
        return self._read_located(self._located([index])[0])

    def _read_located(self, located: Located) -> Bytes:
        index, place, checksum = located
        try:
            data = self._read(place)
        except NotFound:
            # bytes may move while a training runs: look again where they are
            place = self._moved[index] = self._look_again(index, place)
            data = self._read(place)
        except IntegrityError as error:
            raise IntegrityError(f"{self._name(index)}: {error.message}", hint=self._hint()) from None
        if self._checked[index] or checksum is None:
            return data
        if crc32(data) != checksum:
            self._source.forget(place)
            data = self._read(place)
        if crc32(data) != checksum:
            content_hash = self._samples.rows["content_hash"][index].as_py()
            raise IntegrityError(
                f"{self._name(index)}: {place.uri} at byte {place.offset} does not hold the bytes of {content_hash}",
                hint=self._hint(),
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
        size, most = 0, _FIRST_BYTES
        for start in range(0, len(indexes), _WINDOW):
            for located in self._located(indexes[start : start + _WINDOW]):
                if window and (len(window) == _WINDOW or size + located.place.length > most):
                    yield window
                    window, size, most = [], 0, min(2 * most, _WINDOW_BYTES)
                window.append(located)
                size += located.place.length
        if window:
            yield window

    def _read(self, place: Location) -> Bytes:
        data = self._source.read(place)
        return data if place.codec == "stored" else decode_all(data, place.codec, place.size)

    def _located(self, indexes: Sequence[int]) -> list[Located]:
        import pyarrow as pa

        table = self._samples.places
        rows = table.slice(indexes[0], 1) if len(indexes) == 1 else table.take(integers(indexes, pa.int64()))
        *columns, checksums = (plain_values(rows[name]) for name in (*Location._fields, "crc32"))
        places: Iterable[Location] = map(Location, *columns)
        if self._moved:
            places = [self._moved.get(index, place) for index, place in zip(indexes, places, strict=True)]
        return list(map(Located, indexes, places, checksums))

    def _name(self, index: int) -> str:
        return f"{self._samples.rows['image_key'][index].as_py()} of {self._samples.target.name}"

    def _hint(self) -> str:
        verify = f"imagelake verify {self._samples.target.name}"
        return f"{verify} names all that is damaged; restore the file from a copy of the lake"

    def _look_again(self, index: int, missing: Location) -> Location:
        dataset = self._samples.target.dataset
        content_hash = self._samples.rows["content_hash"][index].as_py()
        places = blobs(Tables(self._samples.storage), dataset, (content_hash,)).get(content_hash, ())
        for blob in places:
            if self._samples.storage.stat(blob.place.uri) is not None:
                return blob.place
        uris = sorted({missing.uri, *(blob.place.uri for blob in places)})
        raise NotFound(f"{self._name(index)}: its bytes are gone from {', '.join(uris)}", hint=self._hint())


def _source(samples: SampleRows, cache: Cache | None) -> ByteSource:
    storage = samples.storage
    if storage.folder is not None:
        return LocalFiles(storage, storage.folder)
    return BucketObjects(storage, samples.places, cache) if cache is not None else Requests(storage)


class LocalFiles:
    """Zips and packages of a local lake are mapped; single objects are read."""

    def __init__(self, lake: Storage, folder: Path) -> None:
        self._lake, self._folder = lake, folder
        self._maps: OrderedDict[str, memoryview] = OrderedDict()

    def read(self, place: Location) -> Bytes:
        """The stored bytes; of a mapped file a view."""
        if not place.uri.startswith(ARCHIVES):
            return self._lake.read(place.uri, place.offset, place.length)
        view = self._maps.get(place.uri)
        if view is None:
            view = self._maps[place.uri] = _mapped(self._folder / place.uri)
            if len(self._maps) > _MOST_OPEN:
                self._maps.popitem(last=False)  # its views keep the file open for as long as they are used
        data = view[place.offset : place.offset + place.length]
        if len(data) != place.length:
            raise IntegrityError(f"{place.uri} ends before byte {place.offset + place.length}")
        return data

    def prefetch(self, places: Sequence[Location]) -> None:
        """Nothing to do: the system reads ahead."""

    def forget(self, place: Location) -> None:
        """Map the file anew."""
        self._maps.pop(place.uri, None)


def _mapped(path: Path) -> memoryview:
    descriptor = open_regular(path)
    try:
        return memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))
    except ValueError:  # an empty file cannot be mapped
        return memoryview(b"")
    finally:
        os.close(descriptor)
