"""A bar for long loops of the client: stage, n of N, bytes, elapsed and remaining time; on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imagelake.cli.plain import safe
from imagelake.cli.render.lifecycle_tables import size
from imagelake.cli.shell import Shell, console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from imagelake.core.advance import Advance

_BAR_WIDTH = 12
_ROOMY = 100
"""The width from which on there is room for a bar beside its numbers."""
_STAGE_WIDTH = 24


class Bar:
    """Shows the newest stage; elapsed and remaining time are those of the stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stage: str | None = None
        self._task: TaskID | None = None

    def __call__(self, advance: Advance) -> None:
        """Show how far the work has come."""
        if self._task is None or advance.stage != self._stage:
            if self._task is not None:
                self._progress.remove_task(self._task)
            stage = safe(advance.stage, _STAGE_WIDTH)
            self._task = self._progress.add_task(stage, total=advance.total, count="", size="")
            self._stage = advance.stage
        self._progress.update(
            self._task, completed=advance.done, total=advance.total, count=_count(advance), size=_bytes(advance)
        )


def _count(advance: Advance) -> str:
    if advance.total is None:
        return f"{advance.done:,}" if advance.done else ""
    return f"{advance.done:,} of {advance.total:,}"


def _bytes(advance: Advance) -> str:
    if advance.bytes_done is None:
        return ""
    total = "" if advance.bytes_total is None else f" of {size(advance.bytes_total)}"
    return f"{size(advance.bytes_done)}{total}"


@contextmanager
def bar(shell: Shell) -> Iterator[Bar]:
    """A bar for as long as the block runs; hidden with --quiet and where stderr is no terminal."""
    hidden = shell.flags.quiet or not sys.stderr.isatty()
    with _columns(console(sys.stderr), hidden) as progress:
        yield Bar(progress)


def _columns(to: Console, hidden: bool) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    numbers = (
        TextColumn("{task.fields[count]}", markup=False),
        TextColumn("{task.fields[size]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left", style="dim", markup=False),
        TimeRemainingColumn(),
    )
    drawn = (BarColumn(bar_width=_BAR_WIDTH),) if to.width >= _ROOMY else ()
    return Progress(
        TextColumn("{task.description}", markup=False), *drawn, *numbers, console=to, transient=True, disable=hidden
    )
