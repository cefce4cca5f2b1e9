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
        Literal["uploads"] | None,
        typer.Option("--only", help="uploads: unfinished uploads in parts, and files that never got their name."),
    ] = None,
) -> int:
    """Keep the lake in order: remove what killed runs left behind, once it is a day old."""
    from imagelake.context import system_clock
    from imagelake.maintenance.leftovers import remove_leftovers
    from imagelake.storage.lake import open_lake

    found = remove_leftovers(open_lake(*lake_of(context.obj.flags)).storage, system_clock)
    emit(context.obj, {"only": only or "uploads", **found.as_json()}, lambda to: _show(to, found.as_json()))
    return 0


def _show(to: Console, found: Mapping[str, Any]) -> None:
    for what, paths in (("unfinished uploads", found["uploads"]), ("temporary files", found["files"])):
        to.print(f"{what} removed: {len(paths):,}")
        for path in paths:
            to.print(f"  {safe(path)}", soft_wrap=True)
