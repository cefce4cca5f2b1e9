"""The words of the draft: settings, images, annotations, open rejections; what a delivery answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tests.model.uploads import Attributes, Image, Points, Record, Upload

Unit = tuple[str, str]
"""An image key and a kind: what an upload replaces as a whole."""

WAITING = {"image.file_missing", "annotation.image_unknown"}
OF_IMAGE = {f"annotation.image_{reason}" for reason in ("orphan", "unknown", "ambiguous", "rejected")}
"""Annotation rules that say nothing about the labels themselves."""


@dataclass(frozen=True)
class Recipe:
    """A way to split: shares by name in order, the attribute that joins images, whether classes are spread."""

    fractions: tuple[tuple[str, float], ...] = (("train", 0.8), ("val", 0.1), ("test", 0.1))
    group_by: str | None = None
    stratify: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Settings(Recipe):
    """What a dataset decides for itself, and how its recipe 1 begins."""

    severities: tuple[tuple[str, str], ...] = ()
    auto: bool = False
    match_by_name: bool = False
    unlisted: str = "keep"
    max_rejected: float = 0.5
    max_unannotated: float = 1.0
    max_class_changes: int | None = None

    def refuses(self, rule: str) -> bool:
        """Whether a rule that warns by default keeps a row out here."""
        return not {(rule, "quarantine"), (rule, "reject")}.isdisjoint(self.severities)

    def rejects(self, rule: str) -> bool:
        """Whether a row that breaks the rule has its whole upload refused."""
        return (rule, "reject") in self.severities


@dataclass(frozen=True)
class Row(Image):
    """An image of the draft: its bytes, and what is said of it."""

    split: str | None = None
    labelled: frozenset[str] = frozenset()
    attributes: Attributes = ()
    bytes_changed: bool = False


class Annotation(NamedTuple):
    """A row of the draft without its image and kind."""

    category: str
    box: Points | None = None
    polygon: Points | None = None


@dataclass(frozen=True)
class Rejection:
    """An open rejection: what is refused (`raw`: a label, a name, a file), of which image, kind and record.

    The same defect again is the same rejection.
    """

    upload: Upload = field(compare=False)
    sequence: int = field(compare=False)
    entity: str
    path: str
    locator: str
    rule: str
    raw: Any
    key: str | None = field(default=None, compare=False)
    kind: str | None = field(default=None, compare=False)
    record: Record = field(default=Record("", 0, "", frozenset()), compare=False)

    @property
    def says(self) -> Record:
        """What it says of its image, without the labels, which are rejections of their own."""
        return replace(self.record, labels=())

    @property
    def waits(self) -> set[Unit]:
        """The units that wait, under the name that their image is waited for by."""
        kinds = {self.kind} if self.kind else self.record.kinds
        return {(self.record.waits_for, kind) for kind in kinds} if self.rule in WAITING else set()


@dataclass
class Draft:
    """Images by key, annotations by unit, categories with parent and training index; rejections that are open, each by
    itself. A unit is here when its image counts as labelled for its kind, be it without any annotation.

    A draft is never changed, only replaced: a version is the draft as it was, but for what was open then.
    """

    images: dict[str, Row] = field(default_factory=dict)
    labels: dict[Unit, Counter[Annotation]] = field(default_factory=dict)
    categories: dict[str, tuple[str | None, int | None]] = field(default_factory=dict)
    rejections: dict[Rejection, Rejection] = field(default_factory=dict)

    def told(self) -> list[Record]:
        """What the labels that wait say of their images."""
        return [r.says for r in self.rejections.values() if r.rule in WAITING]

    def used(self) -> Counter[str]:
        """The categories that own annotations, and how many."""
        return Counter(annotation.category for rows in self.labels.values() for annotation in rows.elements())

    def labels_rejected(self, key: str) -> bool:
        """The flag image.labels_rejected: labels of a kind the image counts as labelled for are refused."""
        refused = (r for r in self.rejections.values() if r.entity == "annotation" and r.rule not in OF_IMAGE)
        return any(r.key == key and r.kind in self.images[key].labelled for r in refused)


@dataclass
class Delivered:
    """A delivery: its number, how it ended, what became of its files, images and annotations, what it warns of.

    `matched_by_name` is the number of images whose rows it changes and that it names by their base names alone. What it
    `brings` and what it `changed` are units, and keys of images of which it has or changed the bytes.
    """

    sequence: int
    upload: Upload | None
    state: str = "built"
    files: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    annotations: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    matched_by_name: int = 0
    brings: set[Any] = field(default_factory=set)
    changed: set[Any] = field(default_factory=set)


def count(read: int, accepted: int, unchanged: int, ignored: int = 0) -> Counter[str]:
    """Nothing is dropped uncounted: what is read, and neither accepted, unchanged nor ignored, is rejected."""
    rejected = read - accepted - unchanged - ignored
    return Counter(accepted=accepted, unchanged=unchanged, rejected=rejected, ignored=ignored)
