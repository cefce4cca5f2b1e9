"""Runs a command and writes what its whole process tree used: python tree.py RESULT.json COMMAND …

Processes that outlive the command, as Java does, become children of this one (prctl PR_SET_CHILD_SUBREAPER), which
waits for them, so that their CPU time is counted. The exit code is the command's.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

_SUBREAPER = 36
_SECONDS = 0.3


class Peaks(threading.Thread):
    """Samples the memory (proportional set size, MB) that Java and all other processes have together."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.java = self.python = 0

    def run(self) -> None:
        while True:
            sizes = {"java": 0, "python": 0}
            for pid in descendants(os.getpid()):
                sizes["java" if _name(pid) == "java" else "python"] += pss(pid)
            self.java, self.python = max(self.java, sizes["java"] // 1024), max(self.python, sizes["python"] // 1024)
            time.sleep(_SECONDS)


def descendants(root: int) -> list[int]:
    """The ids of the processes below one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended
    below = [root]
    for pid in below:
        below.extend(child for child, parent in parents.items() if parent == pid)
    return below[1:]


def pss(pid: int) -> int:
    """KB of a process, shared pages by their share; 0 of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def main() -> int:
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    peaks = Peaks()
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[2:])
    peaks.start()
    code = process.wait()
    wall = time.perf_counter() - start
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "largest": used.ru_maxrss // 1024}
    Path(sys.argv[1]).write_text(json.dumps(measured | {"java": peaks.java, "python": peaks.python}))
    return code


if __name__ == "__main__":
    sys.exit(main())
