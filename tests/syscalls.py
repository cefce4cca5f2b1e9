"""What a program makes the kernel write to disk, and in which order: strace tells."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]

_SYNCS = {"fsync": "sync", "fdatasync": "sync", "syncfs": "flush"}
_NAMES = ("link", "linkat", "rename", "renameat", "renameat2")
_REMOVALS = ("unlink", "unlinkat")
_LINE = re.compile(r"^(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()(?P<rest>.*)$")
_DESCRIPTOR = re.compile(r"^\d+<(?P<path>[^>]*)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Call:
    """A system call that succeeded, and its path.

    `sync`: a file or folder is on disk; `flush`: all of its file system is; `name`: the file `source` has got
    this name; `remove`: a name has gone. The first two stand where they ended, the others where they began.
    """

    kind: str
    path: str
    source: str | None = field(default=None, compare=False)


def traced(folder: Path, program: str, *arguments: str) -> list[Call]:
    """Run a Python program under strace and return what it synced, named and removed, in order.

    AssertionError with what strace or the program said when one of them fails: a machine that forbids tracing cannot
    show that anything is durable.
    """
    log = folder / "strace.log"
    strace = ["strace", "-f", "-y", "-s", "4096", "--seccomp-bpf", "-o", str(log)]
    command = [
        *strace,
        "-e",
        f"trace={','.join((*_SYNCS, *_NAMES, *_REMOVALS))}",
        sys.executable,
        "-c",
        program,
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, f"strace or the program it traces failed: {done.stderr}"
    calls = list(_calls(log.read_text().splitlines()))
    assert calls, f"strace saw nothing: {done.stderr}"
    return calls


def _calls(lines: list[str]) -> Iterator[Call]:
    begun: dict[str, str] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        name = match["name"] or match["resumed"]
        rest = match["rest"]
        if match["resumed"]:
            rest = begun.pop(match["pid"]) + rest
        elif "<unfinished ...>" in rest:
            begun[match["pid"]] = rest
        if name in _SYNCS and "<unfinished ...>" not in line and rest.endswith("= 0"):
            yield Call(_SYNCS[name], _DESCRIPTOR.match(rest)["path"])  # type: ignore[index]
        elif name not in _SYNCS and not match["resumed"] and "= -1" not in rest:
            source, *target = _QUOTED.findall(rest)
            yield Call("remove", source) if name in _REMOVALS else Call("name", target[0], source)
