"""What a gate judges: the counts of a draft, which one query gives, and the shares that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imagelake.quality.statistics import Statistics, drift


@dataclass(frozen=True)
class UploadRows:
    """Annotations that one upload since the parent version brought, and how many of them are rejected."""

    upload_id: str
    source: str
    read: int
    rejected: int

    @property
    def share(self) -> float:
        """Rejected of read, 0 to 1."""
        return share(self.rejected, max(self.read, self.rejected))


@dataclass(frozen=True)
class Measures:
    """Rows of the draft and its open rejections.

    `rejected` counts all open rejections; `rejected_images` and `rejected_annotations` leave out those that wait for
    an image. `annotated` are the images with an annotation. `rules`: rows of the draft that carry a rule's flag, and
    open rejections of it, by rule; `classes`: annotations by class, `parent_classes` those of the parent version, None
    before the first.
    """

    images: int = 0
    annotations: int = 0
    rejected: int = 0
    rejected_images: int = 0
    rejected_annotations: int = 0
    uploads: tuple[UploadRows, ...] = ()
    annotated: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    parent_classes: Mapping[str, int] | None = None
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def rows(self) -> int:
        """Rows that were judged: images, annotations and open rejections."""
        return self.images + self.annotations + self.rejected

    @property
    def new_classes(self) -> tuple[str, ...]:
        """Classes with annotations that had none in the parent version; none before the first."""
        return () if self.parent_classes is None else _only_in(self.classes, self.parent_classes)

    @property
    def vanished_classes(self) -> tuple[str, ...]:
        """Classes of the parent version that have no annotation any more."""
        return () if self.parent_classes is None else _only_in(self.parent_classes, self.classes)

    def numbers(self) -> dict[str, float]:
        """The measures of the whole draft by name, without those of uploads and rules."""
        return {
            "images": self.images,
            "annotations": self.annotations,
            "rejected": self.rejected,
            "rejected_share": share(self.rejected, self.rows),
            "rejected_images": self.rejected_images,
            "rejected_images_share": share(self.rejected_images, self.images + self.rejected_images),
            "rejected_annotations": self.rejected_annotations,
            "rejected_annotations_share": share(
                self.rejected_annotations, self.annotations + self.rejected_annotations
            ),
            "rejected_upload_share": max((upload.share for upload in self.uploads), default=0.0),
            "unannotated_images": self.images - self.annotated,
            "unannotated_images_share": share(self.images - self.annotated, self.images),
            "classes": sum(count > 0 for count in self.classes.values()),
            "new_classes": len(self.new_classes),
            "vanished_classes": len(self.vanished_classes),
            "class_imbalance": self.statistics.imbalance,
            "drift": drift(self.classes, self.parent_classes),
            "split_shift": self.statistics.split_shift,
            "size_outliers": self.statistics.size_outliers,
            "crowded_images": self.statistics.crowded_images,
            "odd_sizes": self.statistics.odd_sizes,
            **self._look_alikes(),
        }

    def _look_alikes(self) -> dict[str, float]:
        counts = {name: getattr(self.statistics, name) for name in ("near_duplicates", "near_duplicates_across")}
        return {name: count for name, count in counts.items() if count is not None}


def share(part: int, whole: int) -> float:
    """The part of a whole, 0 where there is no whole."""
    return part / whole if whole else 0.0


def _only_in(classes: Mapping[str, int], others: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(name for name, count in classes.items() if count and not others.get(name)))
