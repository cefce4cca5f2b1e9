"""Where a worker puts bytes one by one, or many together: a local lake, or a bucket."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class FileWriter(Protocol):
    """A file being written that has no name yet."""

    def write(self, data: bytes) -> None:
        """Append bytes."""
        ...

    def publish(self, path: str) -> None:
        """End the file and give it its name."""
        ...

    def discard(self) -> None:
        """Forget it; nothing happens once it has its name."""
        ...


class BlobWriter(Protocol):
    """Writes the bytes of images into a lake, as workers do."""

    def write(self, content_hash: str, length: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Write bytes under their hash unless they are there; UploadRejected (`file.changed`) if they have another."""
        ...

    def copy(self, content_hash: str, bucket: str, key: str, etag: str | None) -> None:
        """Have the server copy an object of the lake's own store that holds these bytes."""
        ...

    def new_file(self) -> FileWriter:
        """A new file under blobs/zip."""
        ...

    def wait(self) -> None:
        """Wait until everything given so far is written; the first failure is raised."""
        ...
