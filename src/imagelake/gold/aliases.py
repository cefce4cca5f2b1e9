"""Names for versions."""

from __future__ import annotations

import re

from imagelake.errors import Conflict, UsageError
from imagelake.runs.context import Context
from imagelake.tables import gold
from imagelake.tables.delta.commit import Txn

ALIAS = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")
_RESERVED = re.compile(r"^(latest|draft|v\d.*)$")
_TRIES = 20


def check_alias(alias: str) -> str:
    """The alias itself when it is a valid one; UsageError otherwise."""
    if not ALIAS.match(alias) or _RESERVED.match(alias):
        raise UsageError(
            f"{alias!r} is no alias", hint="a-z, 0-9, - and _, starting with a letter; not latest, draft or v1, v2, …"
        )
    return alias


def set_alias(ctx: Context, dataset: str, alias: str, number: int, recipe: int, author: str | None) -> None:
    """Let an alias name a version from now on. Nothing happens when it already does."""
    app_id = f"alias/{dataset}"
    for _ in range(_TRIES):
        rows = sorted(ctx.tables.collect(gold.ALIASES, dataset), key=lambda r: r["sequence"])
        now = [r for r in rows if r["alias"] == alias]
        if now and (now[-1]["number"], now[-1]["recipe"]) == (number, recipe):
            return
        sequence = (rows[-1]["sequence"] if rows else 0) + 1
        row = {
            "dataset": dataset,
            "sequence": sequence,
            "alias": alias,
            "number": number,
            "recipe": recipe,
            "author": author,
            "at": ctx.clock(),
        }
        ctx.tables.append_rows(gold.ALIASES, [row], Txn(app_id, sequence))
    raise Conflict(f"alias {alias} of {dataset} was set by others {_TRIES} times", hint="run the command again")
