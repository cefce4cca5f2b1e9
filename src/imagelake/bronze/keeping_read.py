"""Reading bytes to keep from where they are now: files of this machine, or ranges of a bucket's objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from imagelake.bronze.probe_read import WHOLE, Ranges
from imagelake.errors import IntegrityError
from imagelake.storage.codec import decode

if TYPE_CHECKING:
    from imagelake.bronze.keeping import Blob
    from imagelake.storage.fetch import Fetched, Span
    from imagelake.storage.s3_storage import S3Storage


class Reader(Protocol):
    """Bytes of one blob after another."""

    def whole(self, blob: Blob) -> bytes | memoryview:
        """The stored bytes of a small blob; asked for in the order the reader was given. Valid until the next call."""
        ...

    def pieces(self, blob: Blob) -> Iterator[bytes | memoryview]:
        """The decoded bytes of any blob."""
        ...


def is_small(blob: Blob) -> bool:
    """Whether a blob is held in memory whole."""
    return blob.stored <= WHOLE and blob.length <= WHOLE


def open_reader(small: Sequence[Blob], store: S3Storage | None) -> Reader:
    """The reader of blobs that come from one place; `store` is a storage of the object store they are in, if any."""
    return RemoteReader(small, store) if store is not None else LocalReader()


class LocalReader:
    """Files of this machine."""

    def __init__(self) -> None:
        self._ranges = Ranges()

    def whole(self, blob: Blob) -> bytes | memoryview:
        """The stored bytes of a small blob."""
        self._ranges.open(blob.uri)
        end = blob.offset + blob.stored
        return self._ranges.read(blob.offset, end, end)

    def pieces(self, blob: Blob) -> Iterator[bytes | memoryview]:
        """The decoded bytes of any blob."""
        self._ranges.open(blob.uri)
        return decode(self._ranges.stream(blob.offset, blob.stored), blob.codec, blob.length)


class RemoteReader:
    """Objects of a bucket: neighbours come in one request, several requests are on their way at a time."""

    def __init__(self, small: Sequence[Blob], store: S3Storage) -> None:
        from imagelake.storage.fetch import fetched, neighbours

        self._store = store
        self._held = fetched((run for run, _ in neighbours(map(_span, small))), store)
        self._now: tuple[Span, Fetched] | None = None

    def whole(self, blob: Blob) -> bytes | memoryview:
        """The stored bytes of a small blob."""
        from imagelake.storage.fetch import given

        span = _span(blob)
        while self._now is None or not _within(span, self._now[0]):
            self._now = next(self._held, None)
            if self._now is None:
                raise IntegrityError(f"{blob.uri} at byte {blob.offset} was asked for out of order")
        start = blob.offset - self._now[0].start
        return memoryview(given(self._now[1]))[start : start + blob.stored]

    def pieces(self, blob: Blob) -> Iterator[bytes | memoryview]:
        """The decoded bytes of any blob."""
        return _remote_pieces(blob, self._store)


def _remote_pieces(blob: Blob, store: S3Storage) -> Iterator[bytes | memoryview]:
    from imagelake.storage.fetch import pieces

    return decode(pieces(_span(blob), store), blob.codec, blob.length)


def _span(blob: Blob) -> Span:
    from imagelake.storage.fetch import Span

    return Span(blob.uri, blob.etag, blob.offset, blob.offset + blob.stored)


def _within(part: Span, whole: Span) -> bool:
    return part.uri == whole.uri and whole.start <= part.start and part.end <= whole.end
