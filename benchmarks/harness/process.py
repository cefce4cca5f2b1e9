"""Commands measured as whole process trees."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNS = 5
IMPORTS = (sys.executable, "-c", "import duckdb, deltalake")
"""The baseline of everything that needs no Java."""

_TREE = Path(__file__).with_name("tree.py")


@dataclass(frozen=True)
class Used:
    """What a command used: wall and CPU seconds of the whole tree, peak memory in MB, and what it printed.

    `largest` is the peak of the largest single process; `java` and `python` are sampled peaks of all Java processes
    and of all others, together.
    """

    wall: float
    cpu: float
    largest: int
    java: int
    python: int
    out: str = ""

    def figures(self) -> dict[str, str]:
        """Columns of a table."""
        return {"s": f"{self.wall:.2f}", "CPU s": f"{self.cpu:.2f}", "peak MB": f"{self.largest:,}"}

    def memory(self) -> dict[str, str]:
        """Columns of a table: peaks of Java and of Python."""
        return {"Java MB": f"{self.java:,}", "Python MB": f"{self.python:,}"}


def imagelake(*verb: str) -> tuple[str, ...]:
    """A command line of the imagelake that Python finds first."""
    return (sys.executable, "-m", "imagelake", *verb)


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Used:
    """Run a command once, with variables beside ours; RuntimeError with the end of what it said when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "used.json"
        line = [sys.executable, str(_TREE), str(result), *command]
        # modules are compiled once, as where a package is installed, whatever this shell says
        variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(environment or {})}
        done = subprocess.run(line, capture_output=True, text=True, env=variables)
        if done.returncode != 0:
            said = (done.stderr or done.stdout)[-2000:]
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {said}")
        return Used(**json.loads(result.read_text()), out=done.stdout)


def median(command: Sequence[str], runs: int = RUNS) -> Used:
    """The medians of several runs of a command that changes nothing."""
    return middle([measure(command) for _ in range(runs)])


def middle(several: Sequence[Used]) -> Used:
    """The medians of measured runs, with what the last one printed."""

    def of(value: Callable[[Used], float]) -> float:
        return statistics.median(value(used) for used in several)

    return Used(
        of(lambda u: u.wall),
        of(lambda u: u.cpu),
        round(of(lambda u: u.largest)),
        round(of(lambda u: u.java)),
        round(of(lambda u: u.python)),
        several[-1].out,
    )


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """The median wall seconds of several calls."""
    return statistics.median(seconds(work) for _ in range(runs))
