"""HTTP/1.1 as bytes on a stream: heads, and bodies as they were framed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = 65_536


@dataclass(frozen=True)
class Head:
    """The first line and the headers of a request or an answer."""

    first: tuple[str, str, str]
    lines: tuple[bytes, ...]
    headers: dict[str, str]

    def raw(self, without: str = "") -> bytes:
        """The bytes as they came, but for one header."""
        start = f"{without}:".encode()
        kept = (line for line in self.lines if not without or not line.lower().startswith(start))
        return b"".join(kept) + b"\r\n"

    def lasting(self) -> bool:
        """Whether this side keeps the connection open."""
        return "HTTP/1.1" in self.first and self.headers.get("connection", "").lower() != "close"

    def framed(self) -> bool:
        """Whether the head says where the body ends."""
        return self._chunked() or "content-length" in self.headers

    def body(self, stream: io.BufferedIOBase) -> Iterator[bytes]:
        """The body in pieces, chunk sizes and trailers included; nothing if the head announces none."""
        if self._chunked():
            yield from _chunks(stream)
        else:
            yield from _exactly(stream, int(self.headers.get("content-length", "0")))

    def _chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()


def read_head(stream: io.BufferedIOBase) -> Head | None:
    """The next head; None where the other side has closed."""
    lines: list[bytes] = []
    while (line := stream.readline(_LINE)) not in (b"\r\n", b"\n"):
        if not line.endswith(b"\n"):
            return None
        lines.append(line)
    if not lines:
        return None
    method, target, *rest = lines[0].decode("latin-1").split(maxsplit=2)
    headers = {}
    for line in lines[1:]:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return Head((method, target, "".join(rest).strip()), tuple(lines), headers)


def until_closed(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Everything up to the end of the connection."""
    while piece := stream.read1(_LINE):
        yield piece


def _exactly(stream: io.BufferedIOBase, left: int) -> Iterator[bytes]:
    while left:
        piece = stream.read1(min(left, _LINE))
        if not piece:
            raise ConnectionError("the body ends early")
        left -= len(piece)
        yield piece


def _chunks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    size = -1
    while size:
        line = stream.readline(_LINE)
        yield line
        size = int(line.split(b";")[0], 16)
        if size:
            yield from _exactly(stream, size + 2)
    while (line := stream.readline(_LINE)).strip():
        yield line
    yield line
