"""The draft of a dataset: images, units of labels, categories, open rejections; its settings; removals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.model.labels import Annotation
from tests.model.uploads import Label, Record, Upload

Unit = tuple[str, str]
"""An image key and a kind: what an upload replaces as a whole."""

WAITING = {"image.file_missing", "annotation.image_unknown"}
OF_IMAGE = {"orphan", "unknown", "ambiguous", "rejected"}
"""Annotation rules that say nothing about the labels themselves: annotation.image_…"""


@dataclass(frozen=True)
class Settings:
    """What a dataset decides for itself."""

    severities: tuple[tuple[str, str], ...] = ()
    auto: bool = False
    match_by_name: bool = False
    unlisted: str = "keep"
    fractions: tuple[tuple[str, float], ...] = (("train", 0.8), ("val", 0.1), ("test", 0.1))
    group_by: str | None = None
    stratify: bool = False
    seed: int = 0
    max_rejected: float = 0.5

    def rejects(self, rule: str) -> bool:
        """Whether a rule that warns by default rejects here."""
        return dict(self.severities).get(rule) == "reject"


@dataclass(frozen=True)
class Row:
    """An image of the draft."""

    content: str
    width: int
    height: int
    orientation: int
    split: str | None = None
    labelled: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, str], ...] = ()
    bytes_changed: bool = False


@dataclass(frozen=True)
class Rejection:
    """An open rejection: what is refused (its id are the first five fields), by which delivery, and what waits."""

    entity: str
    path: str
    locator: str
    rule: str
    raw: Any
    key: str | None = None
    kind: str | None = None
    upload: Upload | None = None
    sequence: int = 0
    record: Record | None = None
    label: Label | None = None

    @property
    def id(self) -> tuple[Any, ...]:
        """The same defect again is the same rejection."""
        return self.entity, self.path, self.locator, self.rule, self.raw


@dataclass
class Draft:
    """The dataset as it would be published: images by key, labels by unit, categories, open rejections by id."""

    images: dict[str, Row] = field(default_factory=dict)
    labels: dict[Unit, Counter[Annotation]] = field(default_factory=dict)
    categories: dict[str, tuple[str | None, int | None]] = field(default_factory=dict)
    rejections: dict[tuple[Any, ...], Rejection] = field(default_factory=dict)

    def copy(self) -> Draft:
        """A draft of its own with the same rows."""
        return Draft(dict(self.images), dict(self.labels), dict(self.categories), dict(self.rejections))

    def of(self, unit: Unit) -> tuple[bool, Counter[Annotation]]:
        """Whether somebody looked for the kind in the image, and what is there."""
        row = self.images.get(unit[0])
        return row is not None and unit[1] in row.labelled, self.labels.get(unit, Counter())

    def labels_rejected(self, key: str) -> bool:
        """The flag image.labels_rejected: labels of a kind the image counts as labelled for are refused."""
        refused = (r for r in self.rejections.values() if r.entity == "annotation" and r.key == key)
        return any(
            r.kind in self.images[key].labelled and r.rule.removeprefix("annotation.image_") not in OF_IMAGE
            for r in refused
        )

    def state(self) -> tuple[Any, ...]:
        """All that an upload can change."""
        flags = {key: self.labels_rejected(key) for key in self.images}
        labels = {unit: count for unit, count in self.labels.items() if count}
        return self.images, flags, labels, self.categories, self.rejections.keys()

    def used(self) -> set[str]:
        """The categories that own an annotation."""
        return {annotation.category for count in self.labels.values() for annotation in count}


@dataclass
class Outcome:
    """What a delivery did: the draft after it, counts by entity, warnings, and what it brought."""

    draft: Draft
    images: Counter[str] = field(default_factory=Counter)
    annotations: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    units: set[Unit] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)

    def count_removed(self, before: Draft) -> None:
        """What was there and is gone, by key."""
        self.images["removed"] = len(before.images.keys() - self.draft.images.keys())
        for unit, rows in before.labels.items():
            self.annotations["removed"] += (rows - self.draft.labels.get(unit, Counter())).total()


class Refused(Exception):
    """The upload as a whole is rejected: nothing of it counts."""


def remove(draft: Draft, keys: Iterable[str]) -> Outcome:
    """Images go, their labels, and what was open about them; categories stay."""
    gone, after = set(keys), draft.copy()
    after.images = {k: row for k, row in draft.images.items() if k not in gone}
    after.labels = {u: count for u, count in draft.labels.items() if u[0] not in gone}
    after.rejections = {i: r for i, r in draft.rejections.items() if r.key not in gone}
    out = Outcome(after)
    out.count_removed(draft)
    return out
