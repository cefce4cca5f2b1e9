"""How classes and splits have drifted between two versions: what is new, what vanished, counts and shares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import live
from imagelake.report.scope import Totals

MOST_ROWS, MOST_NAMED = 30, 20


@dataclass(frozen=True)
class ShareChange:
    """A class or split before and after: its number of annotations or images, and its part of all of them."""

    name: str
    before: int
    after: int
    share_before: float
    share_after: float

    @property
    def shift(self) -> float:
        """By how much its share has changed."""
        return self.share_after - self.share_before


@dataclass(frozen=True)
class Drift:
    """Classes by annotations and splits by images; those whose share has changed most first."""

    classes: tuple[ShareChange, ...]
    splits: tuple[ShareChange, ...]

    @property
    def new_classes(self) -> tuple[str, ...]:
        """Classes with annotations that had none before."""
        return tuple(sorted(c.name for c in self.classes if c.after and not c.before))

    @property
    def vanished_classes(self) -> tuple[str, ...]:
        """Classes that had annotations and have none now."""
        return tuple(sorted(c.name for c in self.classes if c.before and not c.after))

    @property
    def shown_classes(self) -> tuple[ShareChange, ...]:
        """The first classes whose numbers differ."""
        return tuple(c for c in self.classes if c.before != c.after)[:MOST_ROWS]

    @property
    def more_classes(self) -> int:
        """How many classes with other numbers are not shown."""
        return sum(c.before != c.after for c in self.classes) - len(self.shown_classes)

    @property
    def has_moved_splits(self) -> bool:
        """Whether any split has another number of images."""
        return any(s.before != s.after for s in self.splits)

    def as_json(self) -> dict[str, Any]:
        """Everything, as plain data."""
        return {
            "new_classes": list(self.new_classes),
            "vanished_classes": list(self.vanished_classes),
            "classes": [vars(c) for c in self.classes],
            "splits": [vars(s) for s in self.splits],
        }


def drift(before: Totals, after: Totals) -> Drift:
    """The drift between two ends."""
    return Drift(_shares(before.classes, after.classes), _shares(before.splits, after.splits))


def _shares(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[ShareChange, ...]:
    totals = [max(1, sum(side.values())) for side in (before, after)]
    rows = [
        ShareChange(
            name,
            before.get(name, 0),
            after.get(name, 0),
            before.get(name, 0) / totals[0],
            after.get(name, 0) / totals[1],
        )
        for name in {*before, *after}
    ]
    return tuple(sorted(rows, key=lambda s: (-abs(s.shift), s.name)))


def totals_of(tables: Tables, end: Target) -> Totals:
    """The totals of a version row; counted from rows for a draft, or where the version row has none."""
    if end.version is not None:
        row = catalog.details(tables, end.version, ("class_stats", "split_stats"))
        if row["class_stats"] and row["split_stats"]:
            classes, splits = (json.loads(row[name]) for name in ("class_stats", "split_stats"))
            return Totals(
                {name: int(of["annotations"]) for name, of in classes.items()},
                {name: int(of["images"]) for name, of in splits.items()},
            )
    return Totals(_grouped(tables, end, "annotation", "category"), _grouped(tables, end, "split", "split"))


def _grouped(tables: Tables, end: Target, entity: str, column: str) -> dict[str, int]:
    rows = tables.query(
        f"SELECT {column} AS name, count(*) AS n FROM {live(tables, end, entity, (column,))} "
        f"WHERE {column} IS NOT NULL GROUP BY {column}"
    )
    return {row["name"]: row["n"] for row in rows}
