"""The verbs that look: answered by the client, without Java."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from imagelake.cli import options
from imagelake.cli.bars import bar
from imagelake.cli.flags import lake_of, load_settings
from imagelake.cli.shell import Shell, emit, write_json
from imagelake.errors import UsageError


def show(
    context: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="[D|REF]", help="A dataset, or a version such as D@v3 or D@draft.")
    ] = None,
    runs: Annotated[bool, typer.Option("--runs", help="What ran, when, and how it ended.")] = False,
    table: Annotated[
        str | None, typer.Option("--table", metavar="T", help="A table's history, such as gold.image_log.")
    ] = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="A dataset's settings in force, and where each comes from.")
    ] = False,
) -> int:
    """Datasets; one dataset's versions, or its settings; one version; runs; a table's history."""
    from imagelake.cli.render import answers
    from imagelake.client import lake

    if sum((what is not None, runs, table is not None)) > 1:
        raise UsageError("show takes one of: a dataset or reference, --runs, --table T")
    if settings and (what is None or "@" in what):
        raise UsageError("--settings shows those of one dataset", hint="imagelake show D --settings")
    if settings and what is not None:
        _show_settings(context.obj, what)
        return 0
    with lake.open(*lake_of(context.obj.flags)) as opened:
        if runs:
            _emit(context.obj, opened.runs().as_json(), answers.runs)
        elif table is not None:
            _emit(context.obj, opened.table(table).as_json(), answers.table)
        elif what is None:
            _emit(context.obj, opened.show().as_json(), answers.datasets)
        else:
            _emit(context.obj, opened.show(what).as_json(), answers.version if "@" in what else answers.dataset)
    return 0


def _show_settings(shell: Shell, dataset: str) -> None:
    from imagelake.cli.render import answers
    from imagelake.client.delta.tables import Tables
    from imagelake.client.inspect.settings_list import settings_list
    from imagelake.storage.open_lake import open_lake

    storage = open_lake(*lake_of(shell.flags)).storage
    _emit(shell, settings_list(Tables(storage), storage, dataset).as_json(), answers.dataset_settings)


def diff(
    context: typer.Context,
    before: Annotated[str, typer.Argument(metavar="REF", help="The older version.")],
    after: Annotated[str, typer.Argument(metavar="REF", help="The newer version.")],
    rows: Annotated[bool, typer.Option("--rows", help="Every image and annotation that differs.")] = False,
) -> int:
    """What changed between two versions, by image and by annotation; first of all in test."""
    from imagelake.cli.render import answers
    from imagelake.client import lake

    with lake.open(*lake_of(context.obj.flags)) as opened:
        _emit(context.obj, opened.diff(before, after, rows=rows).as_json(), answers.diff)
    return 0


def sql(
    context: typer.Context,
    query: Annotated[str, typer.Argument(metavar="SQL", help="A query in DuckDB's SQL; - reads it from stdin.")],
    at: Annotated[str | None, typer.Option("--at", metavar="REF", help="The version the views show.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="The answer as CSV on stdout.")] = False,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", metavar="FILE", help="Write the answer into a new Parquet file.")
    ] = None,
) -> int:
    """Ask: views images, annotations, categories, splits, class_stats, versions, aliases, rejections, uploads, runs, or
    images_at('D@v3') and the like. SHOW TABLES lists the views, DESCRIBE images the columns of one.
    """
    from imagelake.cli.render import answers, sql_files
    from imagelake.client import lake

    shell: Shell = context.obj
    if csv and (shell.flags.as_json or parquet is not None):
        raise UsageError("--csv writes the answer to stdout", hint="leave out --json and --parquet, or leave out --csv")
    if parquet is not None:
        sql_files.require_new(parquet)
    text = sys.stdin.read() if query == "-" else query
    with lake.open(*lake_of(shell.flags)) as opened:
        answer = opened.sql(text, at=at)
        if csv:
            sql_files.write_csv(shell.out, answer)
        elif parquet is not None:
            _emit(shell, sql_files.write_parquet(parquet, answer), sql_files.parquet_file)
        else:
            _emit(shell, answer.as_json(), answers.sql)
    return 0


def verify(
    context: typer.Context,
    ref: options.Ref,
    rows_only: Annotated[bool, typer.Option("--rows-only", help="Check the rows, not the images' bytes.")] = False,
) -> int:
    """Compute a version's digest anew from its rows, and the hash of every image from its bytes."""
    from imagelake.cli.render import answers
    from imagelake.client import lake

    with lake.open(*lake_of(context.obj.flags)) as opened, bar(context.obj) as show_progress:
        document = opened.verify(ref, rows_only=rows_only, progress=show_progress).as_json()
    _emit(context.obj, document, answers.verify)
    return 0 if document["ok"] else 1


def doctor(
    context: typer.Context,
    config: Annotated[bool, typer.Option("--config", help="Print the merged settings, secrets masked.")] = False,
) -> int:
    """Check Java, jars, the workers' Python and the lake's mark; or print the settings in force."""
    from imagelake.cli.render import answers

    settings = load_settings(context.obj.flags)
    if config:
        from imagelake.config.settings import masked

        _emit(context.obj, masked(settings), answers.config)
        return 0
    from imagelake.doctor.machine import checks

    results = [vars(check) for check in checks(settings)]
    _emit(context.obj, {"checks": results}, answers.checks)
    return 0 if all(check["ok"] for check in results) else 2


def version(context: typer.Context) -> int:
    """Print the version of imagelake."""
    from importlib.metadata import version as installed

    number = installed("imagelake")
    layout = context.obj.flags.json_layout
    if layout is not None:
        write_json(context.obj.out, {"version": number}, layout)
    else:
        print(f"imagelake {number}", file=context.obj.out)
    return 0


def _emit(shell: Shell, document: Mapping[str, Any], view: Any) -> None:
    emit(shell, document, lambda to: view(to, document))
