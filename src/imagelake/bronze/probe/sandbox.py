"""Probing in forked processes: a file that kills or hangs its decoder ends as an answer and harms nothing else."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from imagelake.bronze.probe.probe_file import Answer, Inspector, ProbeItem
from imagelake.bronze.probe.sandbox_child import Marker, run_child, take_messages
from imagelake.errors import ConfigError, ImagelakeError

End = Literal["done", "died", "hung"]

_SETBACKS = 3  # ends in a row without a file being examined
_OVERSLEPT = 1.0  # seconds
_STALL_SECONDS = 300.0


@dataclass(frozen=True)
class _Verdict:
    """What is known of a file that has ended its process: `bare` means that now only its hash is asked for."""

    bare: bool = False
    lost: bool = False
    rule: str | None = None
    problem: str | None = None


def probe(items: Sequence[ProbeItem], inspector: Inspector) -> list[Answer]:
    """One answer for each item, in their order; usually one forked process for them all.

    A file that ends the process is tried once more, because something else may have ended it; then, as a file that
    takes too long, it is only hashed, and its answer has the rule image.probe_crashed or image.probe_timeout.
    """
    answers: list[Answer] = []
    verdicts: dict[int, _Verdict] = {}
    setbacks = 0
    while len(answers) < len(items):
        first = len(answers)
        verdict = verdicts.get(first)
        if verdict is not None and verdict.lost:
            answers.append(Answer(problem_rule=verdict.rule, problem=verdict.problem))
            continue
        with _Child(_batch(items, first, verdicts), inspector) as child:
            end = child.run()
            mark = child.marker.get()
            answers += [_judged(a, verdicts.get(first + i)) for i, a in enumerate(child.answers)]
        if end == "done":
            continue
        setbacks = setbacks + 1 if mark.stage == "idle" else 0
        if setbacks == 0:
            if end == "hung" and mark.stage == "reading":
                raise _stalled(items[first + mark.number])
            verdicts[first + mark.number] = _next_verdict(
                verdicts.get(first + mark.number), end, inspector.limits.seconds
            )
        elif setbacks >= _SETBACKS:
            raise _never_begins()
    return answers


def _batch(items: Sequence[ProbeItem], first: int, verdicts: dict[int, _Verdict]) -> Sequence[ProbeItem]:
    if not verdicts:
        return items
    stop = min((n for n, v in verdicts.items() if v.lost and n > first), default=len(items))
    batch = list(items[first:stop])
    for number, verdict in verdicts.items():
        if verdict.bare and first <= number < stop:
            batch[number - first] = items[number]._replace(bare=True)
    return batch


def _next_verdict(old: _Verdict | None, end: End, seconds: float) -> _Verdict:
    if old is not None and old.bare:
        return _Verdict(lost=True, rule=old.rule, problem=old.problem)
    if end == "hung":
        message = f"decoding took longer than {seconds:g} s (ingest.probe_seconds)"
        return _Verdict(bare=True, rule="image.probe_timeout", problem=message)
    if old is None:
        return _Verdict()
    return _Verdict(bare=True, rule="image.probe_crashed", problem="decoding ended its process twice")


def _judged(answer: Answer, verdict: _Verdict | None) -> Answer:
    if verdict is None or verdict.rule is None:
        return answer
    return answer._replace(problem_rule=verdict.rule, problem=verdict.problem)


def _never_begins() -> ConfigError:
    return ConfigError(
        "the probing process ends before it has begun",
        hint="this machine may be short of memory or processes; give spark.master fewer cores",
    )


def _stalled(item: ProbeItem) -> ImagelakeError:
    # no file can do that, only its disk
    return ImagelakeError(
        f"reading {item.uri} has made no headway for {_STALL_SECONDS:g} s",
        hint="see to the disk, then run the same command again",
    )


class _Child:
    """A probing process, which ends with this context."""

    def __init__(self, items: Sequence[ProbeItem], inspector: Inspector) -> None:
        self.answers: list[Answer] = []
        self.marker = Marker(inspector.limits.seconds)
        self._count = len(items)
        self._seconds = inspector.limits.seconds
        self._pipe, for_child = os.pipe()
        parent = os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads: the child runs none of their code
            self._pid = os.fork()
        if self._pid == 0:
            run_child(items, for_child, self.marker, inspector, parent)
        os.close(for_child)

    def run(self) -> End:
        """Collect answers until there is one for each item, or the process died or made no headway for too long."""
        buffer = bytearray()
        resumed = time.monotonic()
        while len(self.answers) < self._count:
            mark = self.marker.get()
            allowed = self._seconds if mark.stage == "decoding" else max(self._seconds, _STALL_SECONDS)
            left = max(mark.since, resumed) + allowed - time.monotonic()
            if left <= 0:
                return "hung"
            asked = time.monotonic()
            ready, _, _ = select.select([self._pipe], [], [], min(left, self._seconds))
            if time.monotonic() - asked > self._seconds + _OVERSLEPT:
                resumed = time.monotonic()  # we were paused, and perhaps so was the child: its time starts anew
            if ready:
                data = os.read(self._pipe, 1 << 20)
                if not data:
                    return "died"
                buffer += data
                self._take(buffer)
        return "done"

    def __enter__(self) -> _Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # where the system reaps children by itself
            os.waitpid(self._pid, 0)
        os.close(self._pipe)
        self.marker.close()

    def _take(self, buffer: bytearray) -> None:
        for rows in take_messages(buffer):
            self.answers += [Answer(*row) for row in rows]
