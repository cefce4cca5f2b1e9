"""Classes and splits: how many images and annotations each has, how even they are, and which class misses a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagelake.client.sql_text import Row
from imagelake.report.scope import ReportScope

MOST_CLASSES, MOST_NAMED = 200, 20
HIGH_IMBALANCE = 50
"""Annotations of the largest class for one of the smallest; from above it on the page warns."""

CLASSLESS = "without a class"


@dataclass(frozen=True)
class ClassRow:
    """A class: its images and annotations, and its annotations by split in the order of the splits."""

    name: str
    index: int | None
    images: int
    annotations: int
    by_split: tuple[int, ...]


@dataclass(frozen=True)
class SplitRow:
    """A split: images, those that are labelled, annotations, and its share of all images."""

    name: str
    images: int
    labelled: int
    annotations: int
    share: float


@dataclass(frozen=True)
class LabelCounts:
    """Images by how they are labelled: with something, with nothing, not at all."""

    something: int
    nothing: int
    unlabelled: int


@dataclass(frozen=True)
class Imbalance:
    """The classes with most and fewest annotations, among those that have any."""

    largest: str
    most: int
    smallest: str
    fewest: int

    @property
    def ratio(self) -> float:
        """Annotations of the largest class for one of the smallest."""
        return self.most / self.fewest

    @property
    def is_high(self) -> bool:
        """Whether it is above HIGH_IMBALANCE."""
        return self.ratio > HIGH_IMBALANCE


@dataclass(frozen=True)
class Missing:
    """A class that has annotations, but none in these splits."""

    name: str
    splits: tuple[str, ...]


@dataclass(frozen=True)
class ClassTable:
    """All classes, those with most annotations first, and what follows from their counts."""

    rows: tuple[ClassRow, ...]

    @property
    def shown(self) -> tuple[ClassRow, ...]:
        """Those that the table shows."""
        return self.rows[:MOST_CLASSES]

    @property
    def more(self) -> int:
        """How many the table leaves out."""
        return len(self.rows) - len(self.shown)

    @property
    def empty(self) -> tuple[str, ...]:
        """The classes of the training index without an annotation."""
        return tuple(c.name for c in self.rows if not c.annotations and c.index is not None)

    @property
    def imbalance(self) -> Imbalance | None:
        """None with fewer than two classes that have annotations."""
        filled = [c for c in self.rows if c.annotations and c.index is not None]
        if len(filled) < 2:
            return None
        return Imbalance(filled[0].name, filled[0].annotations, filled[-1].name, filled[-1].annotations)

    def missing(self, splits: Sequence[str]) -> tuple[Missing, ...]:
        """The classes that some of these splits do not have; `splits` in the order of `by_split`."""
        absent = (
            Missing(c.name, tuple(s for s, n in zip(splits, c.by_split, strict=True) if not n))
            for c in self.rows
            if c.annotations
        )
        return tuple(m for m in absent if m.splits)


def classes(scope: ReportScope) -> ClassTable:
    """Every category of the version, those without annotations too, and annotations without a class."""
    rows = scope.tables.query(
        "SELECT c.class, i.split, count(*) AS images, sum(c.n)::BIGINT AS annotations "
        f"FROM {scope.classes_of_images} AS c JOIN {scope.images} AS i ON i.id = c.image GROUP BY c.class, i.split"
    )
    by_class: dict[str | None, list[Row]] = {name: [] for name in scope.categories}
    for row in rows:
        by_class.setdefault(scope.name_of(row["class"]), []).append(row)
    made = [_class(scope, name, of_class) for name, of_class in by_class.items()]
    return ClassTable(tuple(sorted(made, key=lambda c: (-c.annotations, c.name))))


def _class(scope: ReportScope, name: str | None, rows: Sequence[Row]) -> ClassRow:
    by_split = {r["split"]: r["annotations"] for r in rows}
    return ClassRow(
        name or CLASSLESS,
        scope.categories.get(name) if name is not None else None,
        sum(r["images"] for r in rows),
        sum(by_split.values()),
        tuple(by_split.get(split, 0) for split in scope.splits),
    )


def splits(scope: ReportScope) -> tuple[SplitRow, ...]:
    """Every split, in the scope's order."""
    rows = scope.tables.query(
        f"SELECT i.split, count(*) AS images, count(*) FILTER (WHERE len(labelled) > 0) AS labelled, "
        f"coalesce(sum(a.n), 0)::BIGINT AS annotations FROM {scope.images} AS i LEFT JOIN {scope.annotated} AS a "
        "ON a.image = i.id GROUP BY i.split"
    )
    total = sum(r["images"] for r in rows)
    by_name = {r["split"]: r for r in rows}
    ordered = [by_name[name] for name in scope.splits]
    return tuple(
        SplitRow(r["split"], r["images"], r["labelled"], r["annotations"], r["images"] / total) for r in ordered
    )


def labels(scope: ReportScope) -> LabelCounts:
    """Images by how they are labelled."""
    row = scope.one(
        "SELECT count(a.n) AS something, "
        "count(*) FILTER (WHERE a.n IS NULL AND len(labelled) > 0) AS nothing, "
        "count(*) FILTER (WHERE a.n IS NULL AND coalesce(len(labelled), 0) = 0) AS unlabelled "
        f"FROM {scope.images} AS i LEFT JOIN {scope.annotated} AS a ON a.image = i.id"
    )
    return LabelCounts(**row)
