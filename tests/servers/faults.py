"""A proxy on loopback between an S3 client and a server: it spoils chosen requests and keeps a log of all."""

from __future__ import annotations

import contextlib
import io
import socket
import socketserver
import ssl
import struct
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from tests.servers import certificate
from tests.servers.processes import LOOPBACK
from tests.servers.server import Server
from tests.servers.wire import Head, read_head, until_closed

# drop_answer: the request takes effect, the client gets no byte. status: the server never sees it, the client gets
# that error. late_status: it takes effect, the client gets that error. reset: RST amid the request, the server never
# sees it. slow: the answer waits for so many seconds; held: the request does, before the server gets it. cut_answer:
# the connection ends amid the answer's body.
Kind = Literal["drop_answer", "status", "late_status", "reset", "slow", "held", "cut_answer"]

CODES = {
    400: "RequestTimeout",
    403: "AccessDenied",
    404: "NoSuchKey",
    409: "ConditionalRequestConflict",
    412: "PreconditionFailed",
    500: "InternalError",
    503: "SlowDown",
}
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Request:
    """What a fault may look at. The path is decoded, the query is as sent, the headers' names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


@dataclass(frozen=True, eq=False)
class Fault:
    """Something that happens to the first `times` requests that match."""

    match: Callable[[Request], bool]
    kind: Kind
    status: int | None = None
    times: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Seen:
    """A request in the log; `status` is what the client was told or, if it was told nothing, what the server said."""

    method: str
    path: str
    query: str
    status: int | None
    fault: Kind | None
    range: str | None = None


class Proxy:
    """A running proxy. Append to `rules` at any time; the first that matches and is not used up wins."""

    def __init__(self, server: Server, ca_bundle: Path | None) -> None:
        self.endpoint = ""
        self.ca_bundle = ca_bundle
        self.rules: list[Fault] = []
        self.stopping = threading.Event()
        upstream = urlsplit(server.http)
        self._address = upstream.hostname or LOOPBACK, upstream.port or 80
        self._lock = threading.Lock()
        self._fired: Counter[Fault] = Counter()
        self._seen: list[Seen] = []

    @property
    def requests(self) -> list[Seen]:
        """All requests so far, in the order of their answers."""
        with self._lock:
            return list(self._seen)

    def fault_for(self, request: Request) -> Fault | None:
        """The fault that this request meets, counted as used."""
        with self._lock:
            for fault in self.rules:
                if self._fired[fault] < fault.times and fault.match(request):
                    self._fired[fault] += 1
                    return fault
        return None

    def has_fired(self, fault: Fault) -> bool:
        """Whether a request has met this fault."""
        with self._lock:
            return self._fired[fault] > 0

    def log(self, request: Request, status: int | None, fault: Fault | None) -> None:
        asked = request.headers.get("range")
        seen = Seen(request.method, request.path, request.query, status, fault.kind if fault else None, asked)
        with self._lock:
            self._seen.append(seen)

    def connect(self) -> socket.socket:
        """A connection to the server: one for each request, as none of them can be stale."""
        return socket.create_connection(self._address, timeout=120)


class _Client:
    """One connection of a client."""

    def __init__(self, proxy: Proxy, connection: socket.socket) -> None:
        self._proxy = proxy
        self._connection = connection
        self._stream = connection.makefile("rb")

    def serve(self) -> None:
        with self._stream:
            while (head := read_head(self._stream)) and self._exchange(head):
                pass

    def _exchange(self, head: Head) -> bool:
        """One request and its answer; whether the connection goes on."""
        method, target, _ = head.first
        path, _, query = target.partition("?")
        request = Request(method, unquote(path), query, head.headers)
        fault = self._proxy.fault_for(request)
        if head.headers.get("expect", "").lower() == "100-continue":
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fault and fault.kind == "reset":
            return self._reset(request, head, fault)
        body = b"".join(head.body(self._stream))
        if fault and fault.kind == "status":
            return self._refuse(request, fault) and head.lasting()
        # no Expect, which the proxy has answered; like Host and the rest of the head it is not changed otherwise
        return self._forward(request, head.raw(without="expect") + body, fault) and head.lasting()

    def _reset(self, request: Request, head: Head, fault: Fault) -> bool:
        next(head.body(self._stream), b"")
        self._proxy.log(request, None, fault)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        return False

    def _refuse(self, request: Request, fault: Fault) -> bool:
        status = fault.status or 500
        code = CODES.get(status, "Injected")
        xml = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>injected</Message></Error>'
        head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(xml)}\r\n\r\n"
        self._proxy.log(request, status, fault)
        self._connection.sendall((head + ("" if request.method == "HEAD" else xml)).encode())
        return True

    def _forward(self, request: Request, raw: bytes, fault: Fault | None) -> bool:
        if fault is not None and fault.kind == "held" and self._proxy.stopping.wait(fault.seconds):
            return False
        with self._proxy.connect() as server, server.makefile("rb") as stream:
            server.sendall(raw)
            answer = read_head(stream)
            while answer and answer.first[1].startswith("1"):
                answer = read_head(stream)
            if answer is None:
                self._proxy.log(request, None, fault)
                return False
            return self._relay(request, answer, stream, fault)

    def _relay(self, request: Request, answer: Head, stream: io.BufferedReader, fault: Fault | None) -> bool:
        status = int(answer.first[1])
        silent = request.method == "HEAD" or status in (204, 304)
        framed = silent or answer.framed()
        pieces = iter(()) if silent else answer.body(stream) if framed else until_closed(stream)
        if fault is None:
            self._proxy.log(request, status, None)
            self._connection.sendall(answer.raw())
            for piece in pieces:
                self._connection.sendall(piece)
            return framed and answer.lasting()
        body = b"".join(pieces)
        if fault.kind == "late_status":
            return self._refuse(request, fault)
        if fault.kind == "slow":
            self._proxy.stopping.wait(fault.seconds)
        self._proxy.log(request, status, fault)
        if fault.kind in ("slow", "held"):
            self._connection.sendall(answer.raw() + body)
        if fault.kind == "cut_answer":
            self._connection.sendall(answer.raw() + body[: len(body) // 2])
        return fault.kind in ("slow", "held") and framed and answer.lasting()


class _Listener(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    daemon_threads = False  # so that server_close waits for them

    def __init__(self, proxy: Proxy, tls: ssl.SSLContext | None) -> None:
        super().__init__((LOOPBACK, 0), socketserver.BaseRequestHandler)
        self._proxy = proxy
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def finish_request(self, request: object, _: object) -> None:
        """Serve one connection, in a thread of its own; a client or a server that goes away ends it."""
        assert isinstance(request, socket.socket)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = request
        if self._tls:
            connection = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        with connection, contextlib.suppress(OSError, ValueError):
            with self._lock:
                self._open.add(connection)
            if not self._proxy.stopping.is_set():
                _Client(self._proxy, connection).serve()
        with self._lock:
            self._open.discard(connection)

    def shutdown_request(self, request: object) -> None:
        """Nothing: the connection is closed, and after a reset a farewell would be one too many."""

    def stop(self) -> None:
        self._proxy.stopping.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


@contextmanager
def proxy(server: Server, *, tls: bool) -> Iterator[Proxy]:
    """A proxy before a server's http endpoint; with `tls` clients speak https to it, with the server's certificate."""
    with tempfile.TemporaryDirectory() as folder:
        context, ca_bundle = None, None
        if tls:
            own = certificate.existing(server.folder) if server.folder else certificate.create(Path(folder))
            context, ca_bundle = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), own.ca_bundle
            context.load_cert_chain(own.with_key)
        running = Proxy(server, ca_bundle)
        listener = _Listener(running, context)
        running.endpoint = f"http{'s' if tls else ''}://{LOOPBACK}:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield running
        finally:
            listener.stop()
            thread.join()
