"""Bytes kept one by one, once under their sha256: `blobs/obj/<first two digits>/<sha256>`."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagelake.errors import ImagelakeError, UploadRejected
from imagelake.storage.base import TEMP_PREFIX

OBJECTS = "blobs/obj"
ARCHIVES = "blobs/zip"


def blob_path(content_hash: str) -> str:
    """Where the bytes with this sha256 (hex) are kept as an object of their own, relative to the lake."""
    return f"{OBJECTS}/{content_hash[:2]}/{content_hash}"


def keep_bytes(lake: str, content_hash: str, length: int, pieces: Iterable[bytes | memoryview]) -> None:
    """Keep bytes in the lake at this local folder unless it has them. Nothing is synced: that is Storage.flush.

    UploadRejected (`file.changed`) when the pieces have another hash. A disk that cannot take them is an
    ImagelakeError, which nobody mistakes for a fault of the bytes.
    """
    if _is_kept(lake, content_hash, length):
        return
    target = f"{lake}/{blob_path(content_hash)}"
    # beside its final name: a rename across folders takes a lock of the whole file system
    temp = f"{os.path.dirname(target)}/{TEMP_PREFIX}{uuid.uuid4().hex}"  # noqa: PTH120
    digest = hashlib.sha256()
    try:
        with open_new(temp, lake) as fd:
            for piece in pieces:
                digest.update(piece)
                write_all(fd, piece, lake)
        if digest.hexdigest() != content_hash:
            raise changed()
        with writing(lake):
            os.rename(temp, target)  # noqa: PTH104
        temp = ""
    finally:
        if temp:
            Path(temp).unlink(missing_ok=True)


def changed() -> UploadRejected:
    """The error of bytes that are not those that were hashed before."""
    return UploadRejected("changed between hashing and keeping it", rule="file.changed")


@dataclass(frozen=True)
class LocalBlobWriter:
    """`BlobWriter` over a folder of this machine."""

    folder: str

    def write(self, content_hash: str, length: int, pieces: Iterable[bytes | memoryview]) -> None:
        """`keep_bytes` in this lake."""
        keep_bytes(self.folder, content_hash, length, pieces)

    def copy(self, content_hash: str, bucket: str, key: str, etag: str | None) -> None:
        """A folder has no server: a plan that asks for a copy is wrong."""
        raise ImagelakeError(f"{key} in the bucket {bucket} cannot be copied into {self.folder} by a server")

    def new_file(self) -> LocalFileWriter:
        """A new file under blobs/zip."""
        return LocalFileWriter(self.folder)

    def wait(self) -> None:
        """Nothing waits."""


class LocalFileWriter:
    """`FileWriter`: written under a temporary name, and renamed."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._temp = f"{folder}/{ARCHIVES}/{TEMP_PREFIX}{uuid.uuid4().hex}"
        self._stack = ExitStack()
        self._fd = self._stack.enter_context(open_new(self._temp, folder))

    def write(self, data: bytes) -> None:
        """Append bytes."""
        write_all(self._fd, data, self._folder)

    def publish(self, path: str) -> None:
        """End the file and give it its name."""
        self._stack.close()
        with writing(self._folder):
            os.rename(self._temp, f"{self._folder}/{path}")  # noqa: PTH104
        self._temp = ""

    def discard(self) -> None:
        """Forget it; nothing happens once it has its name."""
        self._stack.close()
        if self._temp:
            Path(self._temp).unlink(missing_ok=True)


@contextmanager
def open_new(path: str, lake: str) -> Iterator[int]:
    """The descriptor of a new file in the lake, whose folder is made when it is absent."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with writing(lake):
        try:
            fd = os.open(path, flags, 0o666)
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, flags, 0o666)
    try:
        yield fd
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes | memoryview, lake: str) -> None:
    """Write all of the data to a file in the lake."""
    view = memoryview(data)
    with writing(lake):
        while view:
            view = view[os.write(fd, view) :]


@contextmanager
def writing(lake: str) -> Iterator[None]:
    """Whatever the disk refuses within is an ImagelakeError."""
    try:
        yield
    except OSError as error:
        raise ImagelakeError(
            f"cannot keep files in {lake}/blobs: {error.strerror}",
            hint="make room there and run the same command again",
        ) from None


def _is_kept(lake: str, content_hash: str, length: int) -> bool:
    # another length is what a power cut has left of a file that was never flushed: write it again
    with writing(lake):
        try:
            return os.stat(f"{lake}/{blob_path(content_hash)}").st_size == length  # noqa: PTH116
        except FileNotFoundError:
            return False
