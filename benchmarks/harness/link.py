"""A store over a link: the files of a folder as S3 objects, each answer late, all together so fast and no faster.

python -m benchmarks.harness.link FOLDER MILLISECONDS MEGABYTES_A_SECOND prints its address; it ends with its input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "bucket"
_PIECE = 64 << 10


@dataclass(frozen=True)
class Link:
    """A running store: its address, and the requests that it has answered."""

    endpoint: str
    process: subprocess.Popen[str]

    def requests(self, below: str = "") -> int:
        """How many requests for objects below a prefix there were since the last call."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{below}\n")
        self.process.stdin.flush()
        return int(json.loads(self.process.stdout.readline()))


@contextmanager
def link(folder: Path, milliseconds: float, megabytes: float) -> Iterator[Link]:
    """The folder behind such a link, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.harness.link", str(folder), str(milliseconds), str(megabytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Link(process.stdout.readline().strip(), process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


class Pace:
    """So many bytes a second, over all connections."""

    def __init__(self, rate: float) -> None:
        self._rate, self._lock, self._free = rate, threading.Lock(), time.monotonic()

    def wait(self, size: int) -> None:
        """Until the link has carried so many bytes more."""
        with self._lock:
            self._free = max(self._free, time.monotonic()) + size / self._rate
            until = self._free
        time.sleep(max(0.0, until - time.monotonic()))


class Handler(BaseHTTPRequestHandler):
    """GET with Range, HEAD, and lists: what a reader asks of S3."""

    protocol_version = "HTTP/1.1"
    folder: Path
    delay: float
    pace: Pace
    keys: list[str]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def _answer(self, with_body: bool) -> None:
        time.sleep(self.delay)
        parts = urlsplit(self.path)
        key = unquote(parts.path).removeprefix(f"/{BUCKET}").removeprefix("/")
        if not key:
            self._send(200, _listing(self.folder, parse_qs(parts.query)), with_body)
            return
        self.keys.append(key)
        path = self.folder / key
        if not path.is_file():
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", with_body)
            return
        size = path.stat().st_size
        start, end = _range(self.headers.get("Range"), size)
        headers = {"ETag": '"x"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Accept-Ranges": "bytes"}
        partial = "Range" in self.headers
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self.send_response(206 if partial else 200)
        for name, value in {**headers, "Content-Length": str(end - start)}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self._copy(path, start, end)

    def _copy(self, path: Path, start: int, end: int) -> None:
        with path.open("rb", buffering=0) as stream:
            stream.seek(start)
            while start < end:
                data = stream.read(min(_PIECE, end - start))
                self.pace.wait(len(data))
                self.wfile.write(data)
                start += len(data)

    def _send(self, status: int, body: bytes, with_body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _range(header: str | None, size: int) -> tuple[int, int]:
    if header is None:
        return 0, size
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1 if last else size, size)


def _listing(folder: Path, query: dict[str, list[str]]) -> bytes:
    prefix = query.get("prefix", [""])[0]
    after = query.get("start-after", [""])[0]
    top = folder / prefix.rpartition("/")[0]
    keys = sorted(p.relative_to(folder).as_posix() for p in top.rglob("*") if p.is_file()) if top.is_dir() else []
    modified = datetime(2026, 1, 1, tzinfo=timezone.utc).isoformat().replace("+00:00", "Z")
    items = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{(folder / key).stat().st_size}</Size><ETag>x</ETag>"
        f"<LastModified>{modified}</LastModified></Contents>"
        for key in keys
        if key.startswith(prefix) and key > after
    )
    return f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode()


def main() -> None:
    """Serve until standard input ends; a line with a prefix asks for the number of requests below it."""
    folder, milliseconds, megabytes = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    Handler.folder, Handler.delay = folder, milliseconds / 1000
    Handler.pace, Handler.keys = Pace(megabytes * 1e6), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    for line in sys.stdin:
        print(json.dumps(sum(key.startswith(line.strip()) for key in Handler.keys)), flush=True)
        Handler.keys.clear()


if __name__ == "__main__":
    main()
