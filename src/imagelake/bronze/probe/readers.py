"""Reading byte ranges of local files with few system calls: neighbours in one archive come in one read."""

from __future__ import annotations

import os
from collections.abc import Iterator

from imagelake.errors import UploadRejected
from imagelake.storage.local import path_from_uri
from imagelake.storage.local_files import open_regular
from imagelake.storage.zip.codec import CHUNK

WINDOW = 2 << 20
"""Bytes of neighbours that are read at once: few enough to stay in the processor's cache."""

WHOLE = 8 << 20
"""Longer files are streamed."""


class Ranges:
    """One open file and one buffer. A view that is handed out is valid until the next call."""

    def __init__(self) -> None:
        self._uri = ""
        self._fd = -1
        self._buffer = memoryview(bytearray())
        self._start = self._end = 0
        self.file_size = 0

    def open(self, uri: str) -> None:
        """Read from this object from now on; NotFound unless it is a file."""
        if uri == self._uri:
            return
        self.close()
        self._fd = open_regular(_path(uri), os.O_NOFOLLOW)
        self._uri = uri
        self.file_size = os.fstat(self._fd).st_size

    def close(self) -> None:
        """Forget the file."""
        if self._fd >= 0:
            os.close(self._fd)
        self._uri, self._fd, self._start, self._end = "", -1, 0, 0

    def holds(self, start: int, end: int) -> bool:
        """True when these bytes of the open file are at hand."""
        return self._start <= start and end <= self._end

    def read(self, start: int, end: int, ahead: int) -> memoryview:
        """The bytes from start to end, at most WHOLE; when they are not at hand, those up to `ahead` are read too."""
        if not self.holds(start, end):
            self._fill(start, max(end, ahead))
        return self._buffer[start - self._start : end - self._start]

    def stream(self, start: int, length: int) -> Iterator[memoryview]:
        """The bytes from start in pieces; each is valid until the next."""
        for at in range(start, start + length, CHUNK):
            self._fill(at, min(at + CHUNK, start + length))
            yield self._buffer[: self._end - at]

    def _fill(self, start: int, end: int) -> None:
        if len(self._buffer) < end - start:
            self._buffer = memoryview(bytearray(max(CHUNK, end - start)))
        self._start, self._end = start, start
        while self._end < end:
            count = os.preadv(self._fd, [self._buffer[self._end - start : end - start]], self._end)
            if count == 0:
                break
            self._end += count
        if self._end < end:
            message = f"ends at byte {self._end}, not {end}: it changed since it was listed"
            raise UploadRejected(message, rule="file.size_mismatch")


def _path(uri: str) -> str:
    if uri.startswith("file:///") and "%" not in uri:
        return uri[7:]  # the common case, without the cost of parsing it
    return str(path_from_uri(uri))
