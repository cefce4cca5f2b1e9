"""The verb that takes a version out of the lake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagelake.cli import options, selection_options
from imagelake.cli.bars import bar
from imagelake.cli.flags import lake_of
from imagelake.cli.plain import safe
from imagelake.cli.shell import emit
from imagelake.core.advance import Advance

if TYPE_CHECKING:
    from rich.console import Console

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
    with lake.open(*lake_of(context.obj.flags)) as opened, bar(context.obj) as show:
        show(Advance("choosing images"))
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
            progress=lambda done, total: show(Advance("writing images", done, total)),
        )
    emit(context.obj, exported.as_json(), lambda to: _show(to, exported))
    return 0


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
