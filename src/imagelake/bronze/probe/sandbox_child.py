"""The probing process: examines a list of files within limits and writes the answers to a pipe.

It is forked, not started: decoders are loaded and the list is in memory already. It never touches what it shares with
its parent but the pipe and the marker.
"""

from __future__ import annotations

import gc
import json
import math
import mmap
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from imagelake.bronze.probe.probe_file import Answer, FileProgress, Inspector, ProbeItem
from imagelake.bronze.probe.probe_image import prepare_decoders

Stage = Literal["idle", "reading", "decoding"]

_STAGES: tuple[Stage, ...] = ("idle", "reading", "decoding")
_IDLE, _READING, _DECODING = range(3)
_LENGTH = struct.Struct("<Q")
_MARK = struct.Struct("<qqd")
_REPORT_FILES, _REPORT_SECONDS = 64, 0.2
_CPU_RENEWAL = 0.5  # seconds


@dataclass(frozen=True)
class Mark:
    """The file a process is at, its stage, and when that last got on (monotonic seconds)."""

    number: int
    stage: Stage
    since: float


class Marker:
    """A mark in memory that parent and child share; the child makes it, for probe_file.FileProgress too."""

    def __init__(self, seconds: float) -> None:
        self._memory = mmap.mmap(-1, _MARK.size)
        self._seconds = seconds
        self._number = 0
        self._cpu_renewed = -math.inf
        self._set(_IDLE)

    def begin(self, number: int) -> None:
        """A file is begun."""
        self._number = number
        self._set(_READING)

    def reading(self) -> None:
        """More of it was read."""
        self._set(_READING)

    def decoding(self) -> None:
        """The decoder has it."""
        self._set(_DECODING)

    def end(self) -> None:
        """All files are done."""
        self._set(_IDLE)

    def get(self) -> Mark:
        """The mark as it is now."""
        number, stage, since = _MARK.unpack_from(self._memory)
        return Mark(int(number), _STAGES[stage], float(since))

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()

    def _set(self, stage: int) -> None:
        now = time.monotonic()
        _MARK.pack_into(self._memory, 0, self._number, stage, now)
        if stage != _IDLE and now - self._cpu_renewed > _CPU_RENEWAL:
            self._cpu_renewed = now
            _limit_cpu(self._seconds)


def message(value: Any) -> bytes:
    """A value as it goes over the pipe: its length, and JSON, which garbage from a broken process cannot misuse."""
    data = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(data)) + data


def take_messages(buffer: bytearray) -> list[Any]:
    """The whole messages at the front of a buffer, which are removed from it."""
    messages, at = [], 0
    while len(buffer) - at >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(buffer, at)
        end = at + _LENGTH.size + length
        if end > len(buffer):
            break
        messages.append(json.loads(bytes(buffer[at + _LENGTH.size : end])))
        at = end
    del buffer[:at]
    return messages


def run_child(items: Sequence[ProbeItem], pipe: int, marker: Marker, inspector: Inspector, parent: int) -> None:
    """Examine all items, write lists of answers in their order, and end; does not return."""
    try:
        _isolate(pipe)
        prepare_decoders(inspector.limits)
        _limit_memory(inspector.limits.memory_mb)
        _inspect_all(items, pipe, marker, inspector, parent)
    finally:
        os._exit(0)


def _inspect_all(items: Sequence[ProbeItem], pipe: int, marker: Marker, inspector: Inspector, parent: int) -> None:
    answers: list[Answer] = []
    reported = time.monotonic()
    for number in range(len(items)):
        marker.begin(number)
        answers.append(_inspected(inspector, items, number, marker))
        if len(answers) >= _REPORT_FILES or time.monotonic() - reported > _REPORT_SECONDS:
            if os.getppid() != parent:
                return
            _write(pipe, message(answers))
            answers, reported = [], time.monotonic()
    marker.end()
    _write(pipe, message(answers))


def _inspected(inspector: Inspector, items: Sequence[ProbeItem], number: int, progress: FileProgress) -> Answer:
    try:
        return inspector.inspect_file(items, number, progress)
    except Exception as error:  # noqa: BLE001  hostile input: whatever it sets off is recorded as its fault
        return Answer(problem_rule="image.probe_crashed", problem=f"{type(error).__name__}: {str(error)[:300]}")


def _isolate(pipe: int) -> None:
    """Let go of everything inherited: signals, sockets and files of the parent, its output; leave no core dump."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    gc.freeze()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for fd in _open_files():
        if fd > 2 and fd != pipe:
            try:
                os.close(fd)
            except OSError:
                continue  # the listing's own descriptor


def _open_files() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    except FileNotFoundError:
        return list(range(256))


def _limit_memory(megabytes: int) -> None:
    """Address space: what the process has now, and so much more."""
    if sys.platform != "linux":
        return
    with open("/proc/self/statm") as file:  # noqa: PTH123
        pages = int(file.read().split()[0])
    limit = pages * mmap.PAGESIZE + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _limit_cpu(seconds: float) -> None:
    """The parent watches the clock; this one ends a decoder that has outlived its parent."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time() + seconds + _CPU_RENEWAL) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
