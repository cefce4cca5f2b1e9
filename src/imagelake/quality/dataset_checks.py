"""The rules on a draft as a whole, as thresholds on its statistics: most of them only say what there is to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from imagelake.config.dataset_settings import DatasetSettings, StatisticsSettings
from imagelake.core.wording import listed
from imagelake.quality.catalogue import OFF
from imagelake.quality.measures import Measures
from imagelake.quality.severities import severities
from imagelake.quality.statistics import drift
from imagelake.quality.thresholds import Threshold

_BLOCK, _ENTITY = "statistics", "dataset."
_COUNTS = {
    "dataset.size_outliers": "boxes with a side far from the mean of their class",
    "dataset.crowded_images": "images with an unusual number of annotations",
    "dataset.odd_sizes": "images of an unusual size",
    "dataset.near_duplicates": "images that look like another one",
    "dataset.near_duplicates_across": "images that look like one in another split",
}
"""What each count of a draft is a count of, by its rule."""


def dataset_thresholds(measures: Measures, settings: DatasetSettings) -> tuple[Threshold, ...]:
    """A threshold for each rule of entity dataset that is not off, with its severity."""
    return tuple(_by_severity((*_ratios(measures, settings.statistics), *_counts(measures, settings)), settings))


def _by_severity(made: Sequence[Threshold], settings: DatasetSettings) -> Iterator[Threshold]:
    chosen: Mapping[str, str] = severities(settings)
    for threshold in made:
        severity = chosen[str(threshold.rule)]
        if severity != OFF:
            yield replace(threshold, severity=severity)


def _ratios(m: Measures, asked: StatisticsSettings) -> Iterator[Threshold]:
    s = m.statistics
    most = asked.max_class_imbalance
    said = f"the largest class has {s.imbalance:,.1f} times the annotations of the smallest; {most:g} are usual"
    yield _most("dataset.class_imbalance", s.imbalance, "max_class_imbalance", said, most)
    scarce = s.scarce(asked.min_class_annotations)
    said = f"classes with fewer than {asked.min_class_annotations} annotations: {listed(scarce)}"
    yield _most("dataset.class_scarce", len(scarce), "min_class_annotations", said, 0)
    changed = [f"{name} is new" for name in m.new_classes] + [f"{name} is gone" for name in m.vanished_classes]
    yield _none("dataset.classes_changed", len(changed), f"classes: {listed(changed)}")
    said = f"classes that a split lacks: {listed(s.uncovered)}"
    yield _none("dataset.split_coverage", len(s.uncovered), said)
    most = asked.max_split_shift
    said = f"the share of a split is {s.split_shift:.1%} off that of its recipe; {most:.1%} are usual"
    yield _most("dataset.split_shift", s.split_shift, "max_split_shift", said, most)
    moved, most = drift(m.classes, m.parent_classes), asked.max_drift
    said = f"{moved:.1%} of the annotations have moved between classes since the parent; {most:.1%} are usual"
    yield _most("dataset.drift", moved, "max_drift", said, most)


def _counts(m: Measures, settings: DatasetSettings) -> Iterator[Threshold]:
    asked = settings.statistics
    allowed = {
        "dataset.size_outliers": asked.max_size_outliers,
        "dataset.crowded_images": asked.max_crowded_images,
        "dataset.odd_sizes": asked.max_odd_sizes,
        "dataset.near_duplicates": asked.max_near_duplicates,
        "dataset.near_duplicates_across": asked.max_near_duplicates,
    }
    for rule, most in allowed.items():
        measure = rule.removeprefix(_ENTITY)
        count = getattr(m.statistics, measure)
        setting = "max_near_duplicates" if measure.startswith("near") else f"max_{measure}"
        if count is not None:
            yield _most(rule, count, setting, f"{count} {_COUNTS[rule]}", most)


def _none(rule: str, value: float, said: str) -> Threshold:
    """Nothing of it is usual; the one setting is the rule's severity."""
    return Threshold(rule.removeprefix(_ENTITY), value, rule, said, most=0, rule=rule, block="severities")


def _most(rule: str, value: float, setting: str, said: str, most: float) -> Threshold:
    return Threshold(rule.removeprefix(_ENTITY), value, setting, said, most=most, rule=rule, block=_BLOCK)
