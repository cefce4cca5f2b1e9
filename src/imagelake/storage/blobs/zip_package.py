"""Packages: many small blobs kept together in one uncompressed zip, `blobs/zip/<sha256>.zip`.

A member is named by the sha256 of its bytes. Zip layout: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16; the
bounds below keep it clear of the 64-bit records.
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from imagelake.storage.blobs.blob_writer import BlobWriter
from imagelake.storage.blobs.local_writer import ARCHIVES

MAX_MEMBERS = 50_000

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_NAME = 64  # hex digits of a sha256

MEMBER_BYTES = _LOCAL.size + _CENTRAL.size + 2 * _NAME
"""What a member takes beside its data."""

_END = struct.Struct("<4s4H2IH")
_VERSION = 20
_MIDNIGHT, _DAY = 0, (1 << 5) | 1  # 1980-01-01: the same blobs make the same package
_UNIX_FILE = 0o100644 << 16
_BUFFER = 4 << 20
_MOST_WAITING = 1


def cut(sizes: Sequence[int], package_bytes: int) -> list[tuple[int, int]]:
    """Blobs of these sizes as runs [start, end), a package each: as many as fit, a larger one alone."""
    runs: list[tuple[int, int]] = []
    start = total = 0
    for index, size in enumerate(sizes):
        length = size + MEMBER_BYTES
        if index > start and (total + length > package_bytes or index - start == MAX_MEMBERS):
            runs.append((start, index))
            start, total = index, 0
        total += length
    if sizes:
        runs.append((start, len(sizes)))
    return runs


class Package:
    """A package being written; gone again unless `finish` names it."""

    def __init__(self, writer: BlobWriter) -> None:
        self._file = writer.new_file()
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self._length = 0
        self._directory = bytearray()
        self._members = 0

    def add(self, content_hash: str, crc32: int, data: bytes | memoryview) -> int:
        """Append a blob; the offset of its first byte."""
        name, size, header = content_hash.encode("ascii"), len(data), self._length
        common = (_VERSION, 0, 0, _MIDNIGHT, _DAY, crc32, size, size, len(name), 0)
        self._write(_LOCAL.pack(b"PK\3\4", *common) + name)
        offset = self._length
        self._write(data)
        self._directory += _CENTRAL.pack(b"PK\1\2", 0x300 | _VERSION, *common, 0, 0, 0, _UNIX_FILE, header) + name
        self._members += 1
        return offset

    def finish(self) -> str:
        """End the package and give it its name; its path in the lake."""
        count, start = self._members, self._length
        self._write(self._directory)
        self._write(_END.pack(b"PK\5\6", 0, 0, count, count, len(self._directory), start, 0))
        self._drain()
        self._wait(0)
        path = f"{ARCHIVES}/{self._digest.hexdigest()}.zip"
        self._file.publish(path)
        return path

    def __enter__(self) -> Package:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        self._file.discard()

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        self._buffer += data
        self._length += len(data)
        if len(self._buffer) >= _BUFFER:
            self._drain()

    def _drain(self) -> None:
        """Hash and write what was gathered beside what is read next: neither needs the interpreter."""
        self._wait(_MOST_WAITING)
        self._waiting.append(self._thread.submit(self._put, bytes(self._buffer)))
        self._buffer.clear()

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)

    def _wait(self, most: int) -> None:
        """Until at most so many buffers are on their way; the first failure is raised."""
        while len(self._waiting) > most:
            self._waiting.popleft().result()
