"""Counts by class and split of content: as labels for a query that counts, and as a version row has them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.gold.plan import Content
from imagelake.quality.statistics import Statistics, Tally
from imagelake.tables.frames import tally

_CATEGORY, _TRAINED, _CLASS_IMAGES, _CLASS = "category ", "trained ", "images of class ", "annotations of class "
_SPLIT_IMAGES, _SPLIT, _SPLIT_CLASS = "images of split ", "annotations of split ", "split and class "
"""Labels of the query: each ends in the name of a category or split, the last in both."""

_BETWEEN = "\u0000"


def class_labels(content: Content) -> tuple[DataFrame, ...]:
    """Frames of labels that count categories, and images and annotations of each class."""
    classes = content.annotations.select("image_key", "category")
    names = content.categories.select("name", "train_index")
    return (
        names.select(F.concat(F.lit(_CATEGORY), "name")),
        names.where("train_index IS NOT NULL").select(F.concat(F.lit(_TRAINED), "name")),
        classes.select(F.concat(F.lit(_CLASS), "category")),
        classes.distinct().select(F.concat(F.lit(_CLASS_IMAGES), "category")),
    )


def split_labels(splits: DataFrame, annotations: DataFrame) -> tuple[DataFrame, ...]:
    """Frames of labels that count images of each split, its annotations, and those of each class in it."""
    placed = annotations.select("image_key", "category").join(splits.select("image_key", "split"), "image_key")
    both = F.concat(F.lit(_SPLIT_CLASS), "split", F.lit(_BETWEEN), "category")
    labels = F.array_compact(F.array(F.concat(F.lit(_SPLIT), "split"), both))
    return (splits.select(F.concat(F.lit(_SPLIT_IMAGES), "split")), placed.select(F.explode(labels)))


def statistics_of(n: Mapping[str, int]) -> Statistics:
    """The classes and splits that these labels count."""
    categories = {*_ends(_CATEGORY, n), *_ends(_CLASS, n)}
    split_classes: dict[str, dict[str, int]] = {}
    for both, count in _ends(_SPLIT_CLASS, n).items():
        split, _, category = both.partition(_BETWEEN)
        split_classes.setdefault(category, {})[split] = count
    return Statistics(
        {name: Tally(n.get(_CLASS_IMAGES + name, 0), n.get(_CLASS + name, 0)) for name in sorted(categories)},
        frozenset(_ends(_TRAINED, n)),
        {name: Tally(count, n.get(_SPLIT + name, 0)) for name, count in sorted(_ends(_SPLIT_IMAGES, n).items())},
        split_classes,
    )


def count_statistics(content: Content, splits: DataFrame) -> Statistics:
    """The classes and splits of a content, counted."""
    return statistics_of(tally(*class_labels(content), *split_labels(splits, content.annotations)))


def as_json(tallies: Mapping[str, Tally]) -> str:
    """JSON: name to its number of images and annotations, as a version row has it."""
    return json.dumps({name: tally.as_json() for name, tally in tallies.items()}, ensure_ascii=False)


def _ends(prefix: str, n: Mapping[str, int]) -> dict[str, int]:
    return {label.removeprefix(prefix): count for label, count in n.items() if label.startswith(prefix)}
