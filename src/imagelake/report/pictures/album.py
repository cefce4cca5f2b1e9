"""The pictures of a page: asked for by content hash while sections are made, then read and decoded all together.

Decoding happens in processes of its own (decode_child.py) with limited memory and time. A picture that cannot be read
or decoded, or that would make the page too large, is a reason in words instead.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

from imagelake.client.delta.blob_places import Blob, blobs, read_blob
from imagelake.client.delta.tables import Tables
from imagelake.core.advance import Advance, ProgressCallback, ignore_progress
from imagelake.errors import ImagelakeError
from imagelake.report.pictures.decode_child import LENGTH, pack
from imagelake.storage.base import Storage

SECONDS_EACH, SECONDS_ALL = 10.0, 20.0
_MOST_FILE = 256 << 20
_WORKERS = 4


@dataclass(frozen=True)
class Wish:
    """A picture that a section asks for: EXIF orientation (0: as its file says), longest side in pixels."""

    content_hash: str
    orientation: int
    side: int


@dataclass(frozen=True)
class Picture:
    """A picture as the page has it: its name there, a JPEG's data URI, the shown size in pixels; or the problem."""

    name: str
    uri: str | None = None
    width: int = 0
    height: int = 0
    problem: str | None = None


class Album:
    """Collects wishes, then develops them: `want` while sections are made, `develop` once, then `picture`."""

    def __init__(self, tables: Tables, storage: Storage, dataset: str) -> None:
        self._tables, self._storage, self._dataset = tables, storage, dataset
        self._wishes: dict[str, Wish] = {}
        self._pictures: dict[str, Picture] = {}

    def want(self, content_hash: str, orientation: int, side: int) -> str:
        """Ask for a picture; the hash is what to call it. The largest side asked for counts."""
        before = self._wishes.get(content_hash)
        largest = max(side, before.side if before else 0)
        self._wishes[content_hash] = Wish(content_hash, orientation or (before.orientation if before else 0), largest)
        return content_hash

    def develop(self, progress: ProgressCallback = ignore_progress) -> None:
        """Read and decode what was asked for, in that order, each within its time and all within theirs."""
        places = blobs(self._tables, self._dataset, self._wishes)
        deadline = time.monotonic() + SECONDS_ALL
        workers = max(1, min(_WORKERS, os.cpu_count() or 1, len(self._wishes)))
        with _decoders(workers) as pool, ThreadPoolExecutor(workers) as threads:
            one = partial(self._develop, places, pool, deadline)
            made = []
            for picture in threads.map(one, self._wishes.values(), range(len(self._wishes))):
                made.append(picture)
                progress(Advance("reading pictures", len(made), len(self._wishes)))
        self._pictures = dict(zip(self._wishes, made, strict=True))

    def leave_out(self, length: int) -> None:
        """Take the last pictures out of the page until it is shorter by that many bytes."""
        for content_hash, picture in reversed(self._pictures.items()):
            if length <= 0:
                return
            if picture.uri is not None:
                self._pictures[content_hash] = Picture(picture.name, problem="left out: the page would grow too large")
                length -= len(picture.uri)

    def picture(self, content_hash: str) -> Picture:
        """A developed picture."""
        return self._pictures[content_hash]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All that were developed."""
        return tuple(self._pictures.values())

    @property
    def shown(self) -> int:
        """How many can be seen."""
        return sum(p.uri is not None for p in self._pictures.values())

    def _develop(
        self,
        places: dict[str, tuple[Blob, ...]],
        pool: SimpleQueue[Decoder],
        deadline: float,
        wish: Wish,
        number: int,
    ) -> Picture:
        name = f"picture-{number}"
        if time.monotonic() > deadline:
            return Picture(name, problem=f"left out: all pictures together took longer than {SECONDS_ALL:g} s")
        found = places.get(wish.content_hash, ())
        if not found:
            return Picture(name, problem="its bytes have no place in the lake")
        if found[0].place.size > _MOST_FILE:
            return Picture(name, problem=f"its file is larger than {_MOST_FILE >> 20} MB")
        try:
            data = read_blob(self._storage, wish.content_hash, found)
        except ImagelakeError as error:
            return Picture(name, problem=error.message)
        decoder = pool.get()
        try:
            header, jpeg = decoder.decode(data, wish)
        finally:
            pool.put(decoder)
        if header.get("problem"):
            return Picture(name, problem=str(header["problem"]))
        uri = "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")
        return Picture(name, uri, int(header["width"]), int(header["height"]))


class Decoder:
    """A decoding process: started when first needed, and anew after a picture that ended or hung it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, data: bytes, wish: Wish) -> tuple[dict[str, Any], bytes]:
        """The answer's header, with a `problem` or a size, and the JPEG."""
        process = self._process or self._start()
        started = time.monotonic()
        timer = threading.Timer(SECONDS_EACH, process.kill)
        timer.start()
        try:
            assert process.stdin is not None
            process.stdin.write(pack({"orientation": wish.orientation, "side": wish.side}, data))
            process.stdin.flush()
            return self._answer(process)
        except (BrokenPipeError, EOFError):
            hung = time.monotonic() - started >= SECONDS_EACH
            self.close()
            took = f"decoding took longer than {SECONDS_EACH:g} s" if hung else "decoding ended its process"
            return {"problem": took}, b""
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "imagelake.report.pictures.decode_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_bare_environment(),
        )
        return self._process

    def _answer(self, process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], bytes]:
        assert process.stdout is not None
        (size,) = LENGTH.unpack(_exactly(process, LENGTH.size))
        header = dict(json.loads(_exactly(process, size)))
        return header, _exactly(process, int(header["length"]))


def _bare_environment() -> dict[str, str]:
    """What Python needs to find its modules and libraries; no credentials where hostile bytes are decoded."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "LANG") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _exactly(process: subprocess.Popen[bytes], size: int) -> bytes:
    assert process.stdout is not None
    data = process.stdout.read(size)
    if len(data) < size:
        raise EOFError
    return data


@contextmanager
def _decoders(count: int) -> Iterator[SimpleQueue[Decoder]]:
    decoders = [Decoder() for _ in range(count)]
    pool: SimpleQueue[Decoder] = SimpleQueue()
    for decoder in decoders:
        pool.put(decoder)
    try:
        yield pool
    finally:
        for decoder in decoders:
            decoder.close()
