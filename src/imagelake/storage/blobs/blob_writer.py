"""Where a worker puts bytes one by one, or many together: a local lake, or a bucket."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from imagelake.storage.base import Storage
from imagelake.storage.blobs.local_writer import LocalShelf
from imagelake.storage.local import LocalStorage


class Sink(Protocol):
    """A file being written that has no name yet."""

    def write(self, data: bytes) -> None:
        """Append bytes."""
        ...

    def keep(self, path: str) -> None:
        """End the file and give it its name."""
        ...

    def drop(self) -> None:
        """Forget it; nothing happens once it has its name."""
        ...


class Shelf(Protocol):
    """A lake's blobs, as workers write them."""

    def keep(self, content_hash: str, length: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Keep bytes under their hash unless they are there. UploadRejected (`file.changed`) when they have another."""
        ...

    def begin(self) -> Sink:
        """A new file under blobs/zip."""
        ...

    def settle(self) -> None:
        """Wait until everything given so far is kept; the first failure is raised."""
        ...


def open_shelf(lake: Storage) -> Shelf:
    """The shelf of a lake."""
    if isinstance(lake, LocalStorage):
        return LocalShelf(str(lake.folder))
    from imagelake.storage.blobs.bucket_writer import S3Shelf

    return S3Shelf.of(lake)
