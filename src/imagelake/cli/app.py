"""The command `imagelake`: its verbs, and the flags all of them share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagelake.cli.flags import Flags, parse_json_layout
from imagelake.cli.shell import Shell
from imagelake.cli.verbs import (
    alias,
    demo,
    gate,
    get,
    lifecycle,
    look,
    maintain,
    quarantine,
    report,
    serve,
    settings,
    write,
)

_EPILOG = "--lake, --conf, --set, --json, -q and -v may stand anywhere on the line: imagelake --help"

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Uploads of annotated images in, validated and versioned training sets out.",
    epilog="Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 upload rejected, 4 quality gate failed, "
    "5 locked by another writer, 6 not found. 1 and 5 are worth retrying.",
)

for verb in (
    demo.demo,
    write.run,
    write.ingest,
    write.build,
    gate.gate,
    write.publish,
    write.remove,
    alias.alias,
    look.show,
    look.diff,
    quarantine.rejections,
    report.report,
    look.sql,
    look.verify,
    get.get,
    serve.urls,
    maintain.maintain,
    look.doctor,
    look.version,
):
    app.command(epilog=_EPILOG)(verb)
app.command("set", epilog=_EPILOG)(settings.set_settings)
app.add_typer(lifecycle.app, name="lifecycle")


def use_plain_help() -> None:
    """Print help in bold and dim where typer has yellow, which nobody reads on a light background."""
    from typer import rich_utils

    rich_utils.STYLE_USAGE = rich_utils.STYLE_TYPES = "bold"
    rich_utils.STYLE_OPTION_ENVVAR = "dim"


@app.callback(invoke_without_command=True)
def root(  # noqa: PLR0913  the flags of a command are its arguments
    context: typer.Context,
    lake: Annotated[
        str | None,
        typer.Option("--lake", metavar="URI", envvar="IMAGELAKE_LAKE", help="Root of the lake; ./lake by default."),
    ] = None,
    conf: Annotated[
        Path | None, typer.Option("--conf", metavar="FILE", envvar="IMAGELAKE_CONF", help="Settings over the defaults.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")
    ] = None,
    as_json: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="[=LAYOUT]",
            help="One JSON document on stdout: =pretty indents it, =lines writes one line; by default indented on a "
            "terminal.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, short reports.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done; tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Uploads of annotated images in, validated and versioned training sets out."""
    flags = Flags(lake, conf, tuple(overrides or ()), parse_json_layout(as_json), quiet, verbose)
    context.obj = Shell(flags, context.obj)
    if version:
        look.version(context)
    elif context.invoked_subcommand is None:
        use_plain_help()
        typer.echo(context.get_help())
