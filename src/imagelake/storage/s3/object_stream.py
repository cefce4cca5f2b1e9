"""A seekable stream over an object, read ahead in large ranges."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, cast

AHEAD = 8 << 20
"""Bytes asked for at once: fewer requests cost more memory, more cost more time."""


class S3Stream(io.RawIOBase):
    """Reads through `read(offset, count)`; holds one range at a time."""

    def __init__(self, read: Callable[[int, int], bytes], length: int) -> None:
        super().__init__()
        self._read = read
        self._length = length
        self._at = 0
        self._start = 0
        self._held = memoryview(b"")

    @classmethod
    def buffered(cls, read: Callable[[int, int], bytes], length: int) -> BinaryIO:
        """The stream with a buffer for small reads."""
        return cast(BinaryIO, io.BufferedReader(cls(read, length), 1 << 17))

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Where to read next; nothing is read yet."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one range goes."""
        if not self._start <= self._at < self._start + len(self._held):
            count = min(max(AHEAD, len(buffer)), self._length - self._at)
            if count <= 0:
                return 0
            self._held, self._start = memoryview(self._read(self._at, count)), self._at
        begin = self._at - self._start
        piece = self._held[begin : begin + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
