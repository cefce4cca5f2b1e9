"""`imagelake rejections`: what is refused and why, or the same as a folder of files to mend. No Java."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagelake.cli import options
from imagelake.cli.bars import bar
from imagelake.cli.flags import command, lake_of
from imagelake.cli.plain import safe
from imagelake.cli.shell import Shell, emit
from imagelake.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.cli.render.answers import Document

_LIMIT = 200
_MESSAGE = 120

_Rules = Annotated[
    list[str] | None, typer.Option("--rule", metavar="PATTERN", help="A rule, or annotation.*; may be repeated.")
]
_Paths = Annotated[
    list[str] | None, typer.Option("--path", metavar="GLOB", help="Paths in the upload; may be repeated.")
]
_Upload = Annotated[
    str | None, typer.Option("--upload", metavar="ID", help="What this upload brought; the id's beginning will do.")
]
_Entities = Annotated[
    list[str] | None,
    typer.Option("--entity", metavar="E", help="file, image, annotation or category; may be repeated."),
]


def rejections(  # noqa: PLR0913  the options of a verb are its arguments
    context: typer.Context,
    dataset: options.Dataset,
    rule: _Rules = None,
    path: _Paths = None,
    upload: _Upload = None,
    entity: _Entities = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help=f"Rows to show; {_LIMIT} if left out.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FOLDER", help="Write what is refused as files to mend.")
    ] = None,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="Rows of the draft that are only flagged, instead of those refused.")
    ] = False,
) -> int:
    """What is refused and why: counts by rule, then examples; or, with --export, as files to mend and deliver again.
    With --warnings what was let in with a flag.
    """
    from imagelake.client import lake

    chosen: dict[str, Any] = {"rules": rule or (), "paths": path or (), "upload": upload, "entities": entity or ()}
    shell: Shell = context.obj
    if export is not None and limit is not None:
        raise UsageError("--export writes all that is chosen, and --limit chooses none", hint="leave --limit out")
    if warnings:
        if export is not None:
            raise UsageError("--export writes what is refused, and --warnings lists what was let in")
        _flagged(shell, dataset, chosen, _LIMIT if limit is None else limit)
        return 0
    with lake.open(*lake_of(shell.flags)) as opened:
        if export is not None:
            with bar(shell) as show_progress:
                document = opened.export_rejections(dataset, export, **chosen, progress=show_progress).as_json()
            emit(shell, document, lambda to: show_export(to, shell, document))
        else:
            rows = _LIMIT if limit is None else limit
            document = opened.rejections(dataset, **chosen, limit=rows).as_json()
            emit(shell, document, lambda to: show(to, shell, dataset, document))
    return 0


def _flagged(shell: Shell, dataset: str, chosen: dict[str, Any], limit: int) -> None:
    from imagelake.client.delta.tables import Tables
    from imagelake.client.quarantine.chosen import Chosen
    from imagelake.client.quarantine.flagged_rows import flagged_rows
    from imagelake.storage.open_lake import open_lake

    storage = open_lake(*lake_of(shell.flags)).storage
    document = flagged_rows(Tables(storage), storage, dataset, Chosen(**chosen), limit).as_json()
    emit(shell, document, lambda to: _show_flagged(to, shell, dataset, document))


def _show_flagged(to: Console, shell: Shell, dataset: str, document: Document) -> None:
    """How many rows of the draft carry each rule's flag, then rows."""
    from imagelake.cli.render.grid import filled, grid

    count, rows = document["count"], document["flagged"]
    if not count:
        to.print("no row of the draft has a flag")
        return
    by_rule = [{"rows": r["count"], **r, "meaning": r["doc"]} for r in document["rules"]]
    grid(to, by_rule, filled(by_rule, ("rows", "images", "severity", "rule", "meaning")), f"{count:,} flags")
    if rows:
        to.print()
        grid(to, rows, filled(rows, ("image_key", "entity", "category", "source_id", "rule")))
    if len(rows) < count:
        more = command(shell.flags, f"rejections {dataset} --warnings --limit {count}")
        to.print(f"{len(rows):,} of {count:,} are shown: {more} shows all", soft_wrap=True)


def show(to: Console, shell: Shell, dataset: str, document: Document) -> None:
    """Uploads that failed or were rejected as a whole, then how many rows each rule refuses, then rows."""
    from imagelake.cli.render.answers import problem_uploads
    from imagelake.cli.render.grid import filled, grid

    problem_uploads(to, document)
    count, rows = document["count"], document["rejections"]
    if not count:
        to.print("no row is rejected" if document.get("problems") else "nothing is rejected")
        return
    by_rule = [
        {"rows": r["count"], "files": r["files"], "rule": r["rule"], "meaning": r["doc"]} for r in document["rules"]
    ]
    grid(
        to, by_rule, filled(by_rule, ("rows", "files", "rule", "meaning")), f"{count:,} rejected", ("files", "meaning")
    )
    if rows:
        to.print()
        grid(to, rows, filled(rows, ("path", "locator", "rule", "message")), drop=("locator", "rule", "message"))
    if len(rows) < count:
        more = command(shell.flags, f"rejections {dataset} --limit {count}")
        to.print(f"{len(rows):,} of {count:,} are shown: {more} shows all", soft_wrap=True)
    files = command(shell.flags, f"rejections {dataset} --export FOLDER")
    to.print(f"to mend them as files: {files}", soft_wrap=True)


def show_export(to: Console, shell: Shell, document: Document) -> None:
    """Where the files are, and how to deliver them again."""
    if not document["rejections"]:
        to.print("nothing is rejected: nothing was written")
        return
    to.print(f"{document['rejections']:,} rejections are in {safe(document['folder'])}", style="bold", soft_wrap=True)
    for part in document["uploads"]:
        files = f"{part['documents']:,} documents, {part['pictures']:,} pictures"
        to.print(f"  upload {part['upload_id'][:12]} ({part['format']}): {files}", soft_wrap=True)
        if part["deliver"]:
            to.print(f"  mend them, then: {command(shell.flags, part['deliver'])}", soft_wrap=True)
        for note in part["notes"]:
            to.print(f"    {safe(note, _MESSAGE)}", soft_wrap=True)
