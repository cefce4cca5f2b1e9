"""The verb that hands out URLs: for a labelling tool, a browser, or a download by other means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imagelake.cli import options, selection_options
from imagelake.cli.flags import lake_of
from imagelake.cli.plain import safe
from imagelake.cli.shell import aside, emit
from imagelake.storage.s3.presign import DEFAULT_SECONDS

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.client.serve.urls import Urls


def urls(  # noqa: PLR0913  the options of a verb are its arguments
    context: typer.Context,
    ref: options.Ref,
    split: options.InSplit = None,
    where: options.Where = None,
    images: options.Images = None,
    sample: options.Sample = None,
    expires: Annotated[
        int, typer.Option("--expires", metavar="SECONDS", help="How long they live; at most 7 days.")
    ] = DEFAULT_SECONDS,
) -> int:
    """A presigned URL for each image that is an object of its own; whoever holds one can read that image."""
    from imagelake.client import lake

    keys = None if images is None else selection_options.listed(images)
    with lake.open(*lake_of(context.obj.flags)) as opened:
        answer = opened.urls(ref, split=split, where=where, images=keys, sample=sample, expires=expires)
    emit(context.obj, answer.as_json(), lambda to: _view(to, answer))
    if answer.hint and not context.obj.flags.as_json:
        aside(context.obj, answer.hint)
    return 0


def _view(to: Console, answer: Urls) -> None:
    """One image a line: key, tab, URL, never broken."""
    for row in answer.rows:
        to.file.write(f"{safe(row.key)}\t{row.url}\n")  # as it is: a console would turn the tab into spaces
