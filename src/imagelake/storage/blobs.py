"""Loose images and documents, kept once under the sha256 of their bytes: `blobs/obj/<first two digits>/<sha256>`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from imagelake.errors import ImagelakeError
from imagelake.storage.local import TEMP_PREFIX

OBJECTS = "blobs/obj"


def blob_path(content_hash: str) -> str:
    """Where the bytes with this sha256 (hex) are kept as an object of their own, relative to the lake."""
    return f"{OBJECTS}/{content_hash[:2]}/{content_hash}"


def keep_bytes(lake: str, content_hash: str, data: bytes | memoryview) -> None:
    """Keep bytes in the lake at this local folder unless it has them. Nothing is synced: that is Storage.flush."""
    if not _is_kept(lake, content_hash, len(data)):
        with BlobFile(lake) as blob:
            blob.write(data)
            blob.keep(content_hash)


class BlobFile:
    """A blob that is written while its hash is still being computed; gone again unless `keep` names it.

    A disk that cannot take it is an ImagelakeError, which nobody mistakes for a fault of the bytes.
    """

    def __init__(self, lake: str) -> None:
        self._lake = lake
        self._temp = f"{lake}/{OBJECTS}/{TEMP_PREFIX}{uuid.uuid4().hex}"
        self._length = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with _writing(lake):
            try:
                self._fd = os.open(self._temp, flags, 0o666)
            except FileNotFoundError:
                Path(lake, OBJECTS).mkdir(parents=True, exist_ok=True)
                self._fd = os.open(self._temp, flags, 0o666)

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        view = memoryview(data)
        self._length += len(view)
        with _writing(self._lake):
            while view:
                view = view[os.write(self._fd, view) :]

    def keep(self, content_hash: str) -> None:
        """Make what was written the blob with this hash; nothing happens when the lake has it already."""
        if _is_kept(self._lake, content_hash, self._length):
            return
        temp, target = Path(self._temp), Path(self._lake, blob_path(content_hash))
        with _writing(self._lake):
            try:
                temp.replace(target)
            except FileNotFoundError:
                target.parent.mkdir(exist_ok=True)
                temp.replace(target)
        self._temp = ""

    def __enter__(self) -> BlobFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if self._temp:
            Path(self._temp).unlink(missing_ok=True)


@contextmanager
def _writing(lake: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImagelakeError(
            f"cannot keep files in {lake}/{OBJECTS}: {error.strerror}",
            hint="make room there and run the same command again",
        ) from None


def _is_kept(lake: str, content_hash: str, length: int) -> bool:
    # another length is what a power cut has left of a file that was never flushed: write it again
    with _writing(lake):
        try:
            return Path(lake, blob_path(content_hash)).stat().st_size == length
        except FileNotFoundError:
            return False
