"""A trivial http server in this process, to see what a proxy does to requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.servers.processes import LOOPBACK
from tests.servers.server import Server


class Plain(ThreadingHTTPServer):
    """Remembers what it was asked, and what it keeps."""

    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.asked: list[tuple[str, str]] = []
        self.kept: dict[str, bytes] = {}
        self.hosts: set[str] = set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Plain

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_PUT(self) -> None:
        self.server.hosts.add(self.headers["Host"])
        self.server.kept[self.path] = self._chunks() if self.headers["Transfer-Encoding"] else self._sized()
        self._answer(200)

    def do_GET(self) -> None:
        body = self.server.kept.get(self.path)
        if body is None:
            return self._answer(404)
        if "chunked" not in self.path:
            return self._answer(200, body)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command == "HEAD":
            return None
        self.wfile.write(b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:], b"")))
        return None

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        self._answer(204)

    def _sized(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.server.asked.append((self.command, self.path))
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serving() -> Iterator[tuple[Plain, Server]]:
    """The server itself, and its address as a proxy takes it."""
    with Plain() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        endpoint = f"http://{LOOPBACK}:{server.server_address[1]}"
        try:
            yield server, Server("moto", endpoint, None, None, "access", "secret", "us-east-1")
        finally:
            server.shutdown()
            thread.join()
