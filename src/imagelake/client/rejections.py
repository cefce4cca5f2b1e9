"""What is refused, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagelake.client import catalog
from imagelake.client.tables import Tables
from imagelake.client.text import Row
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
    """Rejections of one dataset, by delivery and place."""

    dataset: str
    rejections: tuple[Rejection, ...]

    def as_json(self) -> dict[str, Any]:
        """{"rejections": [...]}."""
        return {"rejections": [{c: getattr(r, c) for c in _COLUMNS} for r in self.rejections]}


def rejections(tables: Tables, dataset: str, *, closed: bool = False) -> Rejections:
    """The open rejections of a dataset, or those closed since. NotFound when there is no such dataset."""
    state = "NOT NULL" if closed else "NULL"
    tail = f"WHERE closed_at IS {state} ORDER BY ALL"
    columns = tuple(dict.fromkeys((*_ORDER, *_COLUMNS, "closed_at")))
    rows = tables.rows(silver.REJECTIONS, columns, check_dataset_id(dataset), tail)
    if not rows:
        catalog.require_dataset(tables, dataset)
    return Rejections(dataset, tuple(_rejection(r) for r in rows))


def _rejection(row: Row) -> Rejection:
    return Rejection(**{c: row[c] for c in _COLUMNS})
