"""The machine a benchmark runs on, and what else keeps it busy."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

IDLE = 0.1
"""The CPU share of others up to which a run counts as undisturbed."""

_SECONDS = 1.0


@dataclass(frozen=True)
class Machine:
    """Processor, cores, 1-minute load, and the share of all cores (0 to 1) that others took just before the run."""

    processor: str
    cores: int
    load: float
    others: float

    def __str__(self) -> str:
        """One line for a table."""
        return (
            f"{self.cores} cores, {self.processor}; before the run: load {self.load:.1f}, "
            f"{self.others:.0%} of the processor taken by others"
        )


def look() -> Machine:
    """The machine now; takes a second, in which this process does nothing."""
    busy, total = _ticks()
    time.sleep(_SECONDS)
    later, whole = _ticks()
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    processor = names[0].partition(":")[2].strip() if names else "unknown processor"
    others = (later - busy) / max(1, whole - total)
    return Machine(processor, os.cpu_count() or 1, os.getloadavg()[0], round(others, 2))


def _ticks() -> tuple[int, int]:
    """(busy, all) ticks of all cores since the start."""
    ticks = [int(t) for t in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
