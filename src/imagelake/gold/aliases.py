"""Names for versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from imagelake.errors import Conflict, NotFound, UsageError
from imagelake.runs.context import Clock
from imagelake.tables import gold
from imagelake.tables.delta.commit import Txn
from imagelake.tables.spec import TableSpec

ALIAS = re.compile(r"^[a-z][a-z0-9_-]{0,62}\Z")
_RESERVED = re.compile(r"^(latest|draft|v\d.*)$")
_TRIES = 20

VersionKey = tuple[int, int]
"""Number and recipe of a version: x and y of vX.y."""


class AliasTables(Protocol):
    """What reads and appends the rows of gold.aliases: DeltaStore in a run, SmallTables without Java."""

    def collect(self, spec: TableSpec, dataset: str) -> list[dict[str, Any]]:
        """All rows of one dataset."""

    def append_rows(self, spec: TableSpec, rows: Sequence[Mapping[str, Any]], txn: Txn | None = None) -> bool:
        """Append rows; False when the transaction is not new."""


@dataclass(frozen=True)
class AliasMove:
    """An alias with the version to name from now on, None to remove the alias; who moves it, and when."""

    dataset: str
    alias: str
    target: VersionKey | None
    author: str | None
    clock: Clock


def check_alias(alias: str) -> str:
    """The alias itself when it is a valid one; UsageError otherwise."""
    if not ALIAS.match(alias) or _RESERVED.match(alias):
        raise UsageError(
            f"{alias!r} is not a valid alias",
            hint="a-z, 0-9, - and _, starting with a letter; not latest, draft or v1, v2, …",
        )
    return alias


def move_alias(tables: AliasTables, move: AliasMove) -> VersionKey | None:
    """Let an alias name a version, or remove it; the version it named before. A row is appended only for a difference.

    Rows carry the transaction `alias/<dataset>`, so of two writers one appends and the other looks again: no lease is
    needed, and a long build does not hold up an alias. NotFound to remove an alias that never was one.
    """
    check_alias(move.alias)
    for _ in range(_TRIES):
        rows = sorted(tables.collect(gold.ALIASES, move.dataset), key=lambda row: row["sequence"])
        before = _named(rows, move)
        if before == move.target:
            return before
        number, recipe = move.target or (None, None)
        sequence = int(rows[-1]["sequence"] if rows else 0) + 1
        row = {
            "dataset": move.dataset,
            "sequence": sequence,
            "alias": move.alias,
            "number": number,
            "recipe": recipe,
            "author": move.author,
            "at": move.clock(),
        }
        if tables.append_rows(gold.ALIASES, [row], Txn(f"alias/{move.dataset}", sequence)):
            return before
    raise Conflict(
        f"alias {move.alias} of {move.dataset} was set by others {_TRIES} times", hint="run the command again"
    )


def _named(rows: Sequence[Mapping[str, Any]], move: AliasMove) -> VersionKey | None:
    """The version that the alias names now."""
    history = [row for row in rows if row["alias"] == move.alias]
    if not history and move.target is None:
        current = {row["alias"]: row["number"] for row in rows}
        names = sorted(name for name, number in current.items() if number is not None)
        raise NotFound(
            f"{move.dataset} has no alias {move.alias!r}",
            hint=f"aliases: {', '.join(names)}" if names else f"{move.dataset} has no aliases yet",
        )
    if not history or history[-1]["number"] is None:
        return None
    return history[-1]["number"], history[-1]["recipe"] or 1
