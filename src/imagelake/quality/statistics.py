"""What a draft looks like as a whole: classes, splits, outliers, copies. Numbers that Spark has counted, and theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEVIATIONS = 5
"""Standard deviations from the mean, beyond which a side or a number is an outlier."""

QUARTILE_FACTOR = 3.0
"""Distances between the quartiles below the first or above the third, beyond which an image's size is odd."""


@dataclass(frozen=True)
class LabelCount:
    """Images and annotations of a class or split."""

    images: int = 0
    annotations: int = 0

    def as_json(self) -> dict[str, int]:
        """Both numbers by name."""
        return {"images": self.images, "annotations": self.annotations}


@dataclass(frozen=True)
class Statistics:
    """Counts of a draft or version.

    `classes` has every category, `trained` those of the training index; `split_classes` the annotations of each class
    by split; `shares` what the split recipe asks for, of images that no upload puts into a split.
    `size_outliers` are boxes with a side DEVIATIONS from the mean of their class, `crowded_images` labelled images with
    a number of annotations DEVIATIONS from their mean, `odd_sizes` images whose size, the square root of width by
    height, lies QUARTILE_FACTOR outside the quartiles; `near_duplicates` images that look like another one, and
    `near_duplicates_across` those of them whose like is in another split; None where nobody has looked.
    """

    classes: Mapping[str, LabelCount] = field(default_factory=dict)
    trained: frozenset[str] = frozenset()
    splits: Mapping[str, LabelCount] = field(default_factory=dict)
    split_classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    size_outliers: int = 0
    crowded_images: int = 0
    odd_sizes: int = 0
    near_duplicates: int | None = None
    near_duplicates_across: int | None = None

    @property
    def imbalance(self) -> float:
        """Annotations of the largest class for one of the smallest that has any; 1 with fewer than two such classes."""
        counts = [self.classes[name].annotations for name in self.trained if self.classes[name].annotations]
        return max(counts) / min(counts) if len(counts) > 1 else 1.0

    def scarce(self, least: int) -> tuple[str, ...]:
        """The classes of the training index with fewer annotations than that."""
        return tuple(sorted(name for name in self.trained if self.classes[name].annotations < least))

    @property
    def uncovered(self) -> tuple[str, ...]:
        """`class in split` for each split with images that lacks a class with at least as many images as splits."""
        filled = [split for split, tally in self.splits.items() if tally.images]
        enough = [name for name, tally in self.classes.items() if tally.images >= len(filled) and tally.annotations]
        gaps = ((n, s) for n in enough for s in filled if not self.split_classes.get(n, {}).get(s))
        return tuple(f"{name} in {split}" for name, split in sorted(gaps))

    @property
    def split_shift(self) -> float:
        """How far the share of a split is from what the recipe asks for, 0 to 1, at worst; 0 without images."""
        total = sum(tally.images for tally in self.splits.values())
        names = {*self.splits, *self.shares} if total else ()
        shifts = (abs(self.splits.get(n, LabelCount()).images / total - self.shares.get(n, 0.0)) for n in names)
        return max(shifts, default=0.0)


def drift(classes: Mapping[str, int], parent: Mapping[str, int] | None) -> float:
    """How much of the annotations would have to change class to have the parent's shares, 0 to 1 (total variation)."""
    if not parent or not sum(parent.values()) or not sum(classes.values()):
        return 0.0
    before, after = sum(parent.values()), sum(classes.values())
    names = {*classes, *parent}
    return sum(abs(classes.get(name, 0) / after - parent.get(name, 0) / before) for name in names) / 2
