"""What is refused, and why: counts by rule, rows as examples, and whole uploads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from imagelake.client import catalog
from imagelake.client.delta.tables import Tables
from imagelake.client.inspect.upload_states import ProblemUpload, problem_uploads
from imagelake.client.quarantine.chosen import Chosen, condition
from imagelake.client.sql_text import Row, select, texts
from imagelake.core.upload_paths import check_dataset_id
from imagelake.errors import UsageError
from imagelake.quality.catalogue import BY_ID
from imagelake.tables import silver

_COLUMNS = ("upload_id", "path", "locator", "rule", "severity", "message", "raw")
_PLACE = ("delivery", "path", "locator", "rule", "rejection_id")
ORDER = 'delivery, "path", length(locator), locator, rule, rejection_id'
"""The order of rejections: by upload and place, annotations[9] before annotations[10]."""


@dataclass(frozen=True)
class Rejection:
    """One refused row: where it was, the rule it broke, and what was delivered."""

    upload_id: str
    path: str | None
    locator: str | None
    rule: str
    severity: str
    message: str
    raw: str | None


@dataclass(frozen=True)
class RuleCount:
    """How many rows a rule refuses, in how many files, and what the rule means; None for one this release lacks."""

    rule: str
    count: int
    files: int
    doc: str | None

    @classmethod
    def of(cls, rule: str, count: int, files: int) -> RuleCount:
        """The count with the rule's meaning."""
        return cls(rule, count, files, BY_ID[rule].doc if rule in BY_ID else None)

    def as_json(self) -> dict[str, Any]:
        """{"rule", "count", "files", "doc"}."""
        return asdict(self)


@dataclass(frozen=True)
class Rejections:
    """Rejections of one dataset, by upload and place, and the uploads that failed or were rejected.

    `count` and `rules` (most frequent first) are of all that were chosen; `rejections` are all of them or, with a
    limit, examples of every rule.
    """

    dataset: str
    count: int
    rules: tuple[RuleCount, ...]
    rejections: tuple[Rejection, ...]
    problems: tuple[ProblemUpload, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """{"count", "rules": [...], "rejections": [...], "problems": [...]}."""
        return {
            "count": self.count,
            "rules": [r.as_json() for r in self.rules],
            "rejections": [{c: getattr(r, c) for c in _COLUMNS} for r in self.rejections],
            "problems": [p.as_json() for p in self.problems],
        }


def rejections(tables: Tables, dataset: str, chosen: Chosen, limit: int | None = None) -> Rejections:
    """The chosen rejections of a dataset, at most `limit` of them as rows; with the open ones its problem uploads.

    NotFound when there is no such dataset; UsageError for a limit below 0, and as `condition` says.
    """
    check_dataset_id(dataset)
    if limit is not None and limit < 0:
        raise UsageError(f"a limit of {limit} rejections", hint="0 shows counts only")
    where = condition(tables, dataset, chosen)
    counts = rule_counts(tables, dataset, where)
    if not counts:
        catalog.require_dataset(tables, dataset)
    problems = () if chosen.closed else problem_uploads(tables, dataset)
    total = sum(rule.count for rule in counts)
    if limit is not None and limit < total:
        where = f"rejection_id IN ({texts(_examples(tables, dataset, where, limit))})" if limit else "false"
    columns = tuple(dict.fromkeys((*_PLACE, *_COLUMNS, "entity", "closed_at")))
    rows = tables.rows(silver.REJECTIONS, columns, dataset, f"WHERE {where} ORDER BY {ORDER}") if total else []
    return Rejections(dataset, total, counts, tuple(_rejection(r) for r in rows), problems)


def rule_counts(tables: Tables, dataset: str, where: str) -> tuple[RuleCount, ...]:
    """How many rows for which the condition holds each rule refuses, most frequent first."""
    source = tables.relation(
        silver.REJECTIONS, ("rule", "path", "entity", "image_key", "upload_id", "closed_at"), dataset
    )
    rows = tables.query(
        f'SELECT rule, count(*) AS n, count(DISTINCT (upload_id, "path")) AS files FROM {source} '
        f"WHERE {where} GROUP BY rule ORDER BY n DESC, rule"
    )
    return tuple(RuleCount.of(r["rule"], r["n"], r["files"]) for r in rows)


def _examples(tables: Tables, dataset: str, where: str, limit: int) -> list[str]:
    """Ids of the first rows of every rule in turn: payloads are read only for these."""
    columns = (*_PLACE, "entity", "upload_id", "closed_at")
    source = tables.relation(silver.REJECTIONS, columns, dataset)
    rows = tables.query(
        f"SELECT rejection_id FROM (SELECT {select(_PLACE)}, row_number() OVER (PARTITION BY rule ORDER BY {ORDER}) "
        f"AS turn FROM {source} WHERE {where} QUALIFY turn <= {limit}) ORDER BY turn, {ORDER} LIMIT {limit}"
    )
    return [str(row["rejection_id"]) for row in rows]


def _rejection(row: Row) -> Rejection:
    return Rejection(**{c: row[c] for c in _COLUMNS})
