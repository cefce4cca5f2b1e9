"""Where a verb's words go: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, TextIO

from imagelake.cli.flags import Flags, JsonLayout
from imagelake.cli.plain import safe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Spinner
    from rich.progress import TaskID

_PIPE_WIDTH = 4000
"""Wide enough that no line breaks where nobody looks: a pipe wants one row a line."""
_STDOUT = 1
_COLOURS = {
    **dict.fromkeys(("bar.complete", "bar.finished", "progress.spinner"), "bold"),
    "bar.pulse": "cyan",  # without a colour rich takes a bright magenta
    **dict.fromkeys(("bar.back", "progress.elapsed", "progress.remaining"), "dim"),
    **dict.fromkeys(("progress.download", "progress.filesize", "progress.filesize.total"), "none"),
}
"""The terminal's own colour, bold or dim, where rich has yellow and others that a light background swallows."""


@dataclass(frozen=True)
class Shell:
    """What a verb is given: the flags, and the stream its result belongs on."""

    flags: Flags
    out: TextIO = field(default_factory=lambda: sys.stdout)


def emit(shell: Shell, document: Mapping[str, Any], show: Callable[[Console], None]) -> None:
    """The result, once: as one JSON document, or shown to people."""
    if shell.flags.json_layout is not None:
        write_json(shell.out, document, shell.flags.json_layout)
    else:
        show(console(shell.out))


def write_json(out: TextIO, document: Mapping[str, Any], layout: JsonLayout = "auto") -> None:
    """One JSON document and a line end; ASCII only, so that no terminal obeys what an upload wrote."""
    indented = layout == "pretty" or (layout == "auto" and out.isatty())
    out.write(json.dumps(plain(document), indent=2 if indented else None, allow_nan=False) + "\n")
    out.flush()


def plain(value: Any) -> Any:
    """The value in JSON's terms: times as ISO 8601, bytes as hex, NaN and infinities as null, anything else as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else str(value)


def console(stream: TextIO) -> Console:
    """A console that takes text literally: no markup, no emoji names, no colour where nobody looks."""
    from rich.console import Console
    from rich.theme import Theme

    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(
        file=stream, markup=False, emoji=False, highlight=False, width=width, soft_wrap=False, theme=Theme(_COLOURS)
    )


def complain(message: str, hint: str | None) -> None:
    """One line `error: …` on stderr, red on a terminal, and one line `hint: …`."""
    red, off = ("\x1b[31m", "\x1b[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    print(f"{red}error: {safe(message)}{off}", file=sys.stderr)
    if hint:
        print(f"hint: {safe(hint)}", file=sys.stderr)


def aside(shell: Shell, sentence: str) -> None:
    """One line on stderr beside the result; nothing with --quiet."""
    if not shell.flags.quiet:
        print(safe(sentence), file=sys.stderr)


class Progress:
    """Tells what is being done now, and for how long the whole has run: on a terminal, from the first sentence on;
    nothing anywhere else.
    """

    def __init__(self, visible: bool) -> None:
        self._visible = visible
        self._spinner: tuple[Spinner, TaskID] | None = None

    def __call__(self, sentence: str) -> None:
        """Show this sentence."""
        if not self._visible:
            return
        if self._spinner is None:
            self._spinner = _spinner()
        spinner, task = self._spinner
        spinner.update(task, description=safe(sentence))
        spinner.start()

    def pause(self) -> None:
        """Clear the line, so that something else can be printed; the next sentence starts it again."""
        if self._spinner is not None:
            self._spinner[0].stop()


def _spinner() -> tuple[Spinner, TaskID]:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    spinner = Progress(*columns, console=console(sys.stderr), transient=True)
    return spinner, spinner.add_task("", total=None)


@contextmanager
def progress(shell: Shell) -> Iterator[Progress]:
    """Progress for as long as the block runs; hidden with --quiet and where stderr is no terminal."""
    telling = Progress(visible=sys.stderr.isatty() and not shell.flags.quiet)
    try:
        yield telling
    finally:
        telling.pause()


@contextmanager
def document_only(as_json: bool) -> Iterator[TextIO]:
    """The stream for results. With `as_json` everything else that writes to stdout, the JVM too, goes to stderr."""
    if not as_json:
        yield sys.stdout
        return
    with _saved_stdout() as out, redirect_stdout(sys.stderr):
        yield out


@contextmanager
def _saved_stdout() -> Iterator[TextIO]:
    """The stream stdout was, while descriptor 1 leads to stderr; unchanged where stdout is no descriptor (in tests)."""
    sys.stdout.flush()
    try:
        real = sys.stdout.fileno() == _STDOUT
    except (OSError, ValueError, AttributeError):
        real = False
    if not real:
        yield sys.stdout
        return
    copy = os.dup(_STDOUT)
    os.dup2(sys.stderr.fileno(), _STDOUT)
    try:
        with os.fdopen(copy, "w", encoding="utf-8", closefd=False) as out:
            yield out
    finally:
        os.dup2(copy, _STDOUT)
        os.close(copy)
