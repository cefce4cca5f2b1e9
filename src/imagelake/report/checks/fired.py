"""Every rule that fired: on rows that were refused, and on rows that were accepted with its flag."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagelake.client.inspect.upload_states import furthest
from imagelake.client.sql_text import Row
from imagelake.quality.catalogue import BY_ID
from imagelake.report.checks.refused_images import open_rejections
from imagelake.report.checks.rule_titles import flag_severity, meaning, overrides
from imagelake.report.scope import ReportScope

_WITHOUT_ROWS = ("upload", "file", "category")


@dataclass(frozen=True)
class Fired:
    """A rule: its severities here and its meaning, rows refused by it, and images and annotations with its flag.

    `remark` is what a rule on the dataset as a whole has to say, or how often uploads, their files or classes broke it.
    """

    rule: str
    severity: str
    doc: str
    refused: int
    images: int
    annotations: int
    remark: str | None = None

    @property
    def rows(self) -> int:
        """All rows it fired on."""
        return self.refused + self.images + self.annotations


def fired(scope: ReportScope) -> tuple[Fired, ...] | None:
    """The section, refusing rules first, then by rows; None when no rule fired."""
    refusals, chosen = {row["rule"]: row for row in _refusals(scope)}, overrides(scope)
    of_rows = [_fired(rule, refusals.get(rule), scope.flags.get(rule), chosen) for rule in {*refusals, *scope.flags}]
    rows = sorted((*of_rows, *_of_dataset(scope), *_of_uploads(scope)), key=lambda f: (not f.refused, -f.rows, f.rule))
    return tuple(rows) or None


def _of_dataset(scope: ReportScope) -> Iterator[Fired]:
    """Rules on the dataset as a whole, which the gate has asked."""
    for row in scope.judgement:
        if row["rule"] is not None and not row["holds"]:
            yield Fired(row["rule"], row["severity"], meaning(row["rule"]), 0, 0, 0, row["message"])


def _of_uploads(scope: ReportScope) -> Iterator[Fired]:
    """Rules on uploads, files and classes, which no row carries: what the reports of the built uploads have counted."""
    columns = ("sequence", "state", "warnings", "infos")
    last = scope.row.get("last_sequence")
    until = "" if last is None else f" AND sequence <= {int(last)}"
    source = f"{furthest(scope.tables, columns, scope.target.dataset)} WHERE state = 'built'{until}"
    counts: Counter[tuple[str, str]] = Counter()
    for row in scope.tables.query(f"SELECT warnings, infos FROM {source}"):
        for severity, column in (("warn", "warnings"), ("info", "infos")):
            for rule, count in json.loads(row[column] or "{}").items():
                if rule in BY_ID and BY_ID[rule].entity in _WITHOUT_ROWS:
                    counts[rule, severity] += count
    for (rule, severity), count in counts.items():
        yield Fired(rule, severity, meaning(rule), 0, 0, 0, f"{count:,} in the uploads until now")


def _refusals(scope: ReportScope) -> list[Row]:
    """rule, the number of its rejections, their severities."""
    return scope.tables.query(
        "SELECT rule, count(*) AS n, list_sort(list(DISTINCT severity)) AS severities "
        f"FROM {open_rejections(scope).table} GROUP BY rule"
    )


def _fired(rule: str, refusal: Row | None, flags: tuple[int, int] | None, chosen: Mapping[str, str]) -> Fired:
    severities = [str(s) for s in refusal["severities"] if s] if refusal else []
    if flags:
        severities.append(flag_severity(rule, chosen))
    shown = ", ".join(dict.fromkeys(severities))
    return Fired(rule, shown, meaning(rule), refusal["n"] if refusal else 0, *(flags or (0, 0)))
