"""Blobs written to a bucket by a worker, several at a time."""

from __future__ import annotations

import hashlib
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from imagelake.storage.base import TEMP_PREFIX
from imagelake.storage.blobs.local_writer import ARCHIVES, blob_path, changed
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.client import translated
from imagelake.storage.s3.multipart import Parts

_ONE_PUT = 16 << 20  # larger objects are sent in parts


@dataclass(frozen=True)
class BucketBlobWriter:
    """`BlobWriter` over a bucket."""

    lake: S3Storage
    pool: ThreadPoolExecutor
    waiting: deque[Future[object]] = field(default_factory=deque)

    @classmethod
    def of(cls, lake: S3Storage) -> BucketBlobWriter:
        """The writer of a lake in a bucket."""
        return cls(lake, ThreadPoolExecutor(lake.settings.connections))

    def write(self, content_hash: str, length: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Send bytes under their hash; small ones later, while the caller goes on."""
        path = blob_path(content_hash)
        if length > _ONE_PUT:
            self.lake.put_parts(path, _regrouped(pieces, _ONE_PUT), content_hash)
            return
        data = b"".join(pieces)
        if hashlib.sha256(data).hexdigest() != content_hash:
            raise changed()
        self.later(lambda: self.lake.put(path, data))

    def copy(self, content_hash: str, bucket: str, key: str, etag: str | None) -> None:
        """Have the server copy an object that holds these bytes."""
        source = {"Bucket": bucket, "Key": key}
        self.later(lambda: self.lake.copy_from(source, blob_path(content_hash), etag))

    def later(self, task: Callable[[], object]) -> None:
        """Do this while the caller goes on; not too much is kept waiting."""
        if len(self.waiting) >= 4 * self.lake.settings.connections:
            self.waiting.popleft().result()
        self.waiting.append(self.pool.submit(task))

    def new_file(self) -> BucketFileWriter:
        """A new file under blobs/zip."""
        return BucketFileWriter(self.lake)

    def wait(self) -> None:
        """Wait until everything given so far is kept; the first failure is raised."""
        while self.waiting:
            self.waiting.popleft().result()


@dataclass
class BucketFileWriter:
    """`FileWriter`: small files wait in memory for their name, large ones are copied to it by the server."""

    lake: S3Storage
    buffer: bytearray = field(default_factory=bytearray)
    parts: Parts | None = None
    temp: str = ""

    def write(self, data: bytes) -> None:
        """Append bytes; full parts are sent."""
        self.buffer += data
        size = self.lake.settings.part_megabytes << 20
        while len(self.buffer) >= size:
            if self.parts is None:
                self.temp = f"{ARCHIVES}/{TEMP_PREFIX}{uuid.uuid4().hex}"
                self.parts = Parts(self.lake.client, self.lake.at(self.temp), self.lake.settings)
            with translated("write", self.lake.uri(self.temp)):
                self.parts.send(bytes(self.buffer[:size]))
            del self.buffer[:size]

    def publish(self, path: str) -> None:
        """End the file and give it its name."""
        if self.parts is None:
            self.lake.put(path, bytes(self.buffer))
            return
        with translated("write", self.lake.uri(self.temp)):
            if self.buffer:
                self.parts.send(bytes(self.buffer))
            self.parts.finish()
        self.parts = None
        self.lake.move(self.temp, path)

    def discard(self) -> None:
        """Forget it; nothing happens once it has its name."""
        if self.parts is not None:
            self.parts.abort()
            self.parts = None


def _regrouped(pieces: Iterable[bytes | memoryview], size: int) -> Iterable[bytes]:
    """The same bytes in pieces of that size."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)
