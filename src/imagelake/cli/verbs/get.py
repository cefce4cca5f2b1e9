"""The verb that takes a version out of the lake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagelake.cli import options, selection_options
from imagelake.cli.flags import lake_of
from imagelake.cli.plain import safe
from imagelake.cli.shell import Shell, console, emit

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.exports.folder import Progress
    from imagelake.exports.get import Exported


def get(  # noqa: PLR0913  the options of a verb are its arguments
    context: typer.Context,
    ref: options.Ref,
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="A new folder; an empty one is fine.")],
    layout: Annotated[
        str, typer.Option("--format", metavar="F", help="files, coco, …: docs/exports.md has them all.")
    ] = "files",
    partition_by: options.PartitionBy = None,
    split: options.InSplit = None,
    where: options.Where = None,
    images: options.Images = None,
    sample: options.Sample = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="With the images that nobody labelled, as images without objects.")
    ] = False,
) -> int:
    """Download a version into a new folder, as its images or in a format that other tools read. The folder appears when
    it is whole; the same command takes up what an interrupted one left.
    """
    from imagelake.client import lake

    keys = None if images is None else selection_options.listed(images)
    with lake.open(*lake_of(context.obj.flags)) as opened, _bar(context.obj) as progress:
        exported = opened.get(
            ref,
            folder,
            format=layout,
            partition_by=partition_by,
            split=split,
            where=where,
            images=keys,
            sample=sample,
            unlabelled=unlabelled,
            progress=progress,
        )
    emit(context.obj, exported.as_json(), lambda to: _show(to, exported))
    return 0


@contextmanager
def _bar(shell: Shell) -> Iterator[Progress]:
    """A bar of images, with elapsed and remaining time; on a terminal only."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    is_hidden = shell.flags.quiet or not sys.stderr.isatty()
    with Progress(*columns, console=console(sys.stderr), transient=True, disable=is_hidden) as bar:
        task = bar.add_task("images", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(to: Console, exported: Exported) -> None:
    """Where it is, what it holds, and what the format could not hold."""
    state = "wrote" if exported.is_new else "already there:"
    version = exported.ref.partition("#")[0].partition("?")[0]
    to.print(f"{state} {safe(exported.folder)}: {exported.images} images of {safe(version)} as {exported.format}")
    if exported.unlabelled:
        to.print(f"  left out: {exported.unlabelled} images that nobody labelled (--unlabelled takes them)")
    for what, count in exported.losses.items():
        to.print(f"  not in this format: {count} {safe(what)}")
    for note in exported.notes:
        to.print(f"  {safe(note)}")
