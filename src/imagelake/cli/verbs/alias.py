"""The verb alias: names for versions, set, moved and removed without Java."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagelake.cli.flags import command, lake_of, load_settings
from imagelake.cli.shell import Shell, emit
from imagelake.cli.user import user_name
from imagelake.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.gold.aliases import VersionKey
    from imagelake.storage.base import Storage


def alias(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="The version to name, such as D@v3; with --remove D.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9, - and _, starting with a letter.")],
    remove: Annotated[bool, typer.Option("--remove", help="Remove the alias; the version stays.")] = False,
    author: Annotated[str | None, typer.Option("--author", help="Who moves it; you by default.")] = None,
) -> int:
    """Let NAME stand for a version from now on: D@NAME. Or, with --remove, for none. Needs no Java and no lease."""
    from imagelake.gold.aliases import AliasMove, check_alias, move_alias
    from imagelake.runs.context import system_clock
    from imagelake.storage.open_lake import open_lake
    from imagelake.tables.delta.small_tables import SmallTables

    check_alias(name)
    storage = open_lake(*lake_of(context.obj.flags)).storage
    dataset, target = (_dataset(storage, ref, name), None) if remove else _version(storage, ref)
    tables = SmallTables(storage, load_settings(context.obj.flags).delta.checkpoint_interval)
    before = move_alias(tables, AliasMove(dataset, name, target, author or user_name(), system_clock))
    storage.flush()
    document = _document(dataset, name, before, target)
    emit(context.obj, document, lambda to: _show(to, context.obj, document))
    return 0


def _version(storage: Storage, ref: str) -> tuple[str, VersionKey]:
    """Dataset and version that a reference names; NotFound lists the versions, UsageError refuses a draft."""
    from imagelake.client import catalog
    from imagelake.client.delta.tables import Tables
    from imagelake.client.refs import parse_ref

    parsed = parse_ref(ref)
    if parsed.is_draft:
        raise UsageError(
            f"{ref} is no published version, and an alias names one",
            hint=f"publish it under that name: imagelake publish {parsed.dataset} --alias NAME",
        )
    target = catalog.resolve(Tables(storage), parsed)
    catalog.require_readable(target)
    assert target.version is not None  # only a draft has none
    return target.dataset, (target.version.number, target.version.recipe)


def _dataset(storage: Storage, text: str, name: str) -> str:
    """The dataset whose alias is removed."""
    from imagelake.client import catalog
    from imagelake.client.delta.tables import Tables
    from imagelake.client.refs import parse_ref

    dataset = parse_ref(text).dataset
    if text != dataset:
        raise UsageError(f"--remove takes a dataset, not {text!r}", hint=f"imagelake alias --remove {dataset} {name}")
    catalog.require_dataset(Tables(storage), dataset)
    return dataset


def _document(dataset: str, name: str, before: VersionKey | None, after: VersionKey | None) -> dict[str, Any]:
    from imagelake.client.refs import version_name

    status = "unchanged" if before == after else "set" if before is None else "moved" if after else "removed"
    return {
        "dataset": dataset,
        "alias": name,
        "status": status,
        "version": version_name(dataset, *after) if after else None,
        "before": version_name(dataset, *before) if before else None,
    }


def _show(to: Console, shell: Shell, document: dict[str, Any]) -> None:
    name, version, before = f"{document['dataset']}@{document['alias']}", document["version"], document["before"]
    sentence = {
        "set": f"{name} is {version} now",
        "moved": f"{name} is {version} now, before it was {before}",
        "removed": f"{name} is removed, it was {before}",
        "unchanged": f"nothing changed: {name} is {version} already"
        if version
        else f"nothing changed: no alias {name}",
    }[document["status"]]
    to.print(sentence, style="bold", soft_wrap=True)
    if document["status"] in ("set", "moved") and not shell.flags.quiet:
        to.print(f"  next: {command(shell.flags, f'show {name}')}", soft_wrap=True)
