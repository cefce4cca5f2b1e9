"""How far long work has come, for whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Advance:
    """The stage of the work, and how many of its steps are done; `total` is None while nobody knows.

    `bytes_done` and `bytes_total` are None for stages that read no files.
    """

    stage: str
    done: int = 0
    total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None


ProgressCallback = Callable[[Advance], None]


def ignore_progress(advance: Advance) -> None:
    """The callback of work that nobody watches."""
