"""What is refused, and why: rows, and whole uploads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagelake.client import catalog
from imagelake.client.tables import Tables
from imagelake.client.text import Row
from imagelake.client.uploads import ProblemUpload, problem_uploads
from imagelake.keys import check_dataset_id
from imagelake.tables import silver

_COLUMNS = ("upload_id", "path", "locator", "rule", "severity", "message", "raw")
_ORDER = ("delivery", "path", "locator", "rule", "rejection_id")


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
class Rejections:
    """Rejections of one dataset, by delivery and place, and the uploads that failed or were rejected."""

    dataset: str
    rejections: tuple[Rejection, ...]
    problems: tuple[ProblemUpload, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """{"rejections": [...], "problems": [...]}."""
        return {
            "rejections": [{c: getattr(r, c) for c in _COLUMNS} for r in self.rejections],
            "problems": [p.as_json() for p in self.problems],
        }


def rejections(tables: Tables, dataset: str, *, closed: bool = False) -> Rejections:
    """The open rejections and problem uploads of a dataset, or the rejections closed since.

    NotFound when there is no such dataset.
    """
    state = "NOT NULL" if closed else "NULL"
    tail = f"WHERE closed_at IS {state} ORDER BY ALL"
    columns = tuple(dict.fromkeys((*_ORDER, *_COLUMNS, "closed_at")))
    rows = tables.rows(silver.REJECTIONS, columns, check_dataset_id(dataset), tail)
    if not rows:
        catalog.require_dataset(tables, dataset)
    problems = () if closed else problem_uploads(tables, dataset)
    return Rejections(dataset, tuple(_rejection(r) for r in rows), problems)


def _rejection(row: Row) -> Rejection:
    return Rejection(**{c: row[c] for c in _COLUMNS})
