"""`report`: a page about a version, or about the difference of two, for people to look at."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagelake.cli.bars import bar
from imagelake.cli.flags import lake_of
from imagelake.cli.plain import safe
from imagelake.cli.shell import Shell, console, write_json
from imagelake.errors import UsageError

if TYPE_CHECKING:
    from imagelake.report.build_report import Report

_STDOUT = "-"


def report(
    context: typer.Context,
    ref: Annotated[
        str,
        typer.Argument(metavar="REF", help="A version or draft, such as D@v3; D@v2..D@v3 shows what differs."),
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Where to; D-v3.html by default, - is stdout.")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> int:
    """One HTML page: the verdict, what was refused, pictures of every class, what changed, how it is spread."""
    from imagelake.client import lake

    shell: Shell = context.obj
    if out == _STDOUT and (shell.flags.as_json or open_it):
        raise UsageError("--out - writes the page to stdout", hint="leave out --json and --open, or name a file")
    with lake.open(*lake_of(shell.flags)) as opened, bar(shell) as show_progress:
        page = opened.report(ref, progress=show_progress)
    if out == _STDOUT:
        _to_stdout(page)
        return 0
    path = page.write(out)
    if shell.flags.json_layout is not None:
        document = page.as_json() | {"place": str(path), "bytes": len(page.bytes)}
        write_json(shell.out, document, shell.flags.json_layout)
    else:
        to = console(shell.out)
        to.print(f"{safe(str(path))}  ({_size(len(page.bytes))})")
        to.print(safe(page.verdict))
    if open_it:
        _open(path)
    return 0


def _to_stdout(page: Report) -> None:
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(page.html)
    else:
        binary.write(page.bytes)
    sys.stdout.flush()


def _open(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.as_uri()):
        raise UsageError(f"no browser could be started for {path}", hint="open the file by hand")


def _size(length: int) -> str:
    return f"{length / 1e6:.1f} MB" if length >= 100_000 else f"{length / 1e3:.0f} kB"
