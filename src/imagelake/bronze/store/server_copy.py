"""Reading bytes to store from a bucket: neighbours in one request, several requests on their way at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagelake.bronze.store.blob import SourceBlob
from imagelake.errors import IntegrityError
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.ranges import Fetched, Span, fetched, neighbours, pieces, unwrap
from imagelake.storage.zip.codec import decode


class RemoteReader:
    """`BlobReader` over objects of a bucket."""

    def __init__(self, small: Sequence[SourceBlob], store: S3Storage) -> None:
        self._store = store
        self._held = fetched((run for run, _ in neighbours(map(_span, small))), store)
        self._now: tuple[Span, Fetched] | None = None

    def whole(self, blob: SourceBlob) -> bytes | memoryview:
        """The stored bytes of a small blob."""
        span = _span(blob)
        while self._now is None or not _within(span, self._now[0]):
            self._now = next(self._held, None)
            if self._now is None:
                raise IntegrityError(f"{blob.uri} at byte {blob.offset} was asked for out of order")
        start = blob.offset - self._now[0].start
        return memoryview(unwrap(self._now[1]))[start : start + blob.stored]

    def pieces(self, blob: SourceBlob) -> Iterator[bytes | memoryview]:
        """The decoded bytes of any blob."""
        return decode(pieces(_span(blob), self._store), blob.codec, blob.length)


def _span(blob: SourceBlob) -> Span:
    return Span(blob.uri, blob.etag, blob.offset, blob.offset + blob.stored)


def _within(part: Span, whole: Span) -> bool:
    return part.uri == whole.uri and whole.start <= part.start and part.end <= whole.end
