"""What a benchmark is, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SIZES = ("small", "full")


@dataclass(frozen=True)
class Row:
    """One ratio of a run: the figure measured divided by its baseline, both of the same run.

    `name` is unique in a table. `better` says in which direction a change is a gain. `figures` are further columns by
    heading, as they are printed.
    """

    name: str
    ratio: float
    better: Literal["less", "more"]
    figures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: what it measures, the baseline of its ratios, how often it measures, and its two sizes.

    `small` and `full` measure in a folder, where lakes and uploads are made unless an earlier run left them there, and
    give their rows one by one.
    """

    name: str
    measures: str
    baseline: str
    runs: str
    small: Callable[[Path], Iterable[Row]]
    full: Callable[[Path], Iterable[Row]]

    def rows(self, size: str, folder: Path) -> Iterable[Row]:
        """Measure in a size of SIZES."""
        return {"small": self.small, "full": self.full}[size](folder)
