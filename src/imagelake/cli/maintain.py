"""The verb maintain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from imagelake.cli.flags import lake_of
from imagelake.cli.shell import emit
from imagelake.cli.text import safe

if TYPE_CHECKING:
    from rich.console import Console


def maintain(
    context: typer.Context,
    only: Annotated[
        Literal["uploads", "locks"] | None,
        typer.Option(
            "--only",
            help="uploads: unfinished uploads in parts, and files that never got their name. locks: leases of runs.",
        ),
    ] = None,
) -> int:
    """Keep the lake in order: remove what killed runs left behind, once it is a day old or the run has surely ended."""
    from imagelake.context import system_clock
    from imagelake.maintenance.leftovers import remove_leftovers, remove_run_locks
    from imagelake.storage.lake import open_lake

    storage = open_lake(*lake_of(context.obj.flags)).storage
    removed: dict[str, Any] = {}
    if only != "locks":
        removed |= remove_leftovers(storage, system_clock).as_json()
    if only != "uploads":
        removed["locks"] = list(remove_run_locks(storage, system_clock))
    emit(context.obj, {"only": only, **removed}, lambda to: _show(to, removed))
    return 0


def _show(to: Console, removed: Mapping[str, Any]) -> None:
    labels = {"uploads": "unfinished uploads", "files": "temporary files", "locks": "leases of killed runs"}
    for kind, paths in removed.items():
        to.print(f"{labels[kind]} removed: {len(paths):,}")
        for path in paths:
            to.print(f"  {safe(path)}", soft_wrap=True)
