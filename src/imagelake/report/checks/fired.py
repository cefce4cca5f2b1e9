"""Every rule that fired: on rows that were refused, and on rows that were accepted with its flag."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from imagelake.client.text import Row
from imagelake.quality.catalogue import BY_ID
from imagelake.report.checks.refused import meaning, open_rejections
from imagelake.report.scope import Scope

_FLAGGING = "warn"
_NEVER_FLAGS = frozenset(("reject", "quarantine", "off"))


@dataclass(frozen=True)
class Fired:
    """A rule: its severities here and its meaning, rows refused by it, and images and annotations with its flag."""

    rule: str
    severity: str
    doc: str
    refused: int
    images: int
    annotations: int

    @property
    def rows(self) -> int:
        """All rows it fired on."""
        return self.refused + self.images + self.annotations


def fired(scope: Scope) -> tuple[Fired, ...] | None:
    """The section, refusing rules first, then by rows; None when no rule fired."""
    refusals = {row["rule"]: row for row in _refusals(scope)}
    of_rule = partial(_fired, _overrides(scope), refusals, scope.flags)
    rows = sorted(map(of_rule, {*refusals, *scope.flags}), key=lambda f: (not f.refused, -f.rows, f.rule))
    return tuple(rows) or None


def _refusals(scope: Scope) -> list[Row]:
    """rule, the number of its rejections, their severities."""
    return scope.tables.query(
        "SELECT rule, count(*) AS n, list_sort(list(DISTINCT severity)) AS severities "
        f"FROM {open_rejections(scope).table} GROUP BY rule"
    )


def _overrides(scope: Scope) -> Mapping[str, str]:
    """Rule to the severity that the settings of the dataset give it."""
    return dict(json.loads(scope.settings).get("severities") or {})


def _fired(
    overrides: Mapping[str, str], refusals: Mapping[str, Row], flags: Mapping[str, tuple[int, int]], rule: str
) -> Fired:
    refusal = refusals.get(rule)
    severities = [str(s) for s in refusal["severities"] if s] if refusal else []
    if rule in flags:
        severity = overrides.get(rule) or (BY_ID[rule].severity if rule in BY_ID else _FLAGGING)
        severities.append(_FLAGGING if severity in _NEVER_FLAGS else severity)
    shown = ", ".join(dict.fromkeys(severities))
    return Fired(rule, shown, meaning(rule), refusal["n"] if refusal else 0, *flags.get(rule, (0, 0)))
