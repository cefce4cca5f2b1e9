"""Reading bytes to store from where they are now: files of this machine, or ranges of a bucket's objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from imagelake.bronze.probe.readers import WHOLE, Ranges
from imagelake.bronze.store.blob import SourceBlob
from imagelake.storage.zip.codec import decode

if TYPE_CHECKING:
    from imagelake.storage.s3.bucket_storage import S3Storage


class BlobReader(Protocol):
    """Bytes of one blob after another."""

    def whole(self, blob: SourceBlob) -> bytes | memoryview:
        """The stored bytes of a small blob; asked for in the order the reader was given. Valid until the next call."""
        ...

    def pieces(self, blob: SourceBlob) -> Iterator[bytes | memoryview]:
        """The decoded bytes of any blob."""
        ...


def is_small(blob: SourceBlob) -> bool:
    """Whether a blob is held in memory whole."""
    return blob.stored <= WHOLE and blob.length <= WHOLE


def open_reader(small: Sequence[SourceBlob], store: S3Storage | None) -> BlobReader:
    """The reader of blobs that come from one place; `store` is a storage of the object store they are in, if any."""
    if store is None:
        return LocalReader()
    from imagelake.bronze.store.server_copy import RemoteReader

    return RemoteReader(small, store)


class LocalReader:
    """Files of this machine."""

    def __init__(self) -> None:
        self._ranges = Ranges()

    def whole(self, blob: SourceBlob) -> bytes | memoryview:
        """The stored bytes of a small blob."""
        self._ranges.open(blob.uri)
        end = blob.offset + blob.stored
        return self._ranges.read(blob.offset, end, end)

    def pieces(self, blob: SourceBlob) -> Iterator[bytes | memoryview]:
        """The decoded bytes of any blob."""
        self._ranges.open(blob.uri)
        return decode(self._ranges.stream(blob.offset, blob.stored), blob.codec, blob.length)
