"""Processes of this machine: naming one so that a later process with the same number is not taken for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process by number and start time (clock ticks since boot; None where the system does not tell)."""

    pid: int
    start_time: int | None


def process(pid: int) -> Process:
    """The running process with this number."""
    facts = _stat(pid)
    return Process(pid, int(facts[19]) if facts else None)


def machine_id() -> str | None:
    """What two processes have in common when each can see whether the other runs: one boot, one space of numbers.

    None where the system does not tell; then nobody's end can be seen from here.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return None


def is_alive(which: Process) -> bool:
    """False when that very process has ended; a later one with its number is another. True when in doubt."""
    if which.start_time is None:
        return True
    facts = _stat(which.pid)
    if facts is None:
        return False
    state, started = facts[0], int(facts[19])
    if started != which.start_time:
        return False
    # a killed process nobody has waited for is a zombie: it has ended once its last thread has
    return state not in ("Z", "X") or _threads(which.pid) > 1


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third (state) on; see proc(5). The name before them may hold anything."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _threads(pid: int) -> int:
    try:
        return sum(1 for _ in (_PROC / str(pid) / "task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return 0
