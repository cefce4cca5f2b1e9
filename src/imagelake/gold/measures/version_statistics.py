"""Counts by class and split of a draft or version, and as a version row has them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from imagelake.gold.measures.relations import Relations
from imagelake.quality.statistics import LabelCount, Statistics

COUNTS = """
SELECT 'category' AS what, name AS of, CAST(NULL AS STRING) AS also, count(*) AS n FROM {categories} GROUP BY name
UNION ALL SELECT 'trained', name, NULL, count(*) FROM {categories} WHERE train_index IS NOT NULL GROUP BY name
UNION ALL SELECT 'class', category, NULL, count(*) FROM {annotations} WHERE category IS NOT NULL GROUP BY category
UNION ALL SELECT 'images of class', category, NULL, count(DISTINCT image) FROM {annotations}
    WHERE category IS NOT NULL GROUP BY category
UNION ALL SELECT 'images of split', split, NULL, count(*) FROM {splits} GROUP BY split
UNION ALL SELECT 'split', split, NULL, count(*) FROM {annotations} JOIN {splits} USING (image) GROUP BY split
UNION ALL SELECT 'class in split', category, split, count(*) FROM {annotations} JOIN {splits} USING (image)
    WHERE category IS NOT NULL GROUP BY category, split
"""
"""Rows of what is counted, of what, of what else, and how often."""


def count_statistics(relations: Relations) -> Statistics:
    """The classes and splits of a content, counted."""
    return statistics_of(relations.rows(COUNTS))


def statistics_of(rows: Iterable[tuple[Any, ...]]) -> Statistics:
    """The classes and splits that rows of COUNTS tell of."""
    counts: dict[str, dict[str, int]] = {}
    split_classes: dict[str, dict[str, int]] = {}
    for what, of, also, n in rows:
        if also is None:
            counts.setdefault(what, {})[of] = n
        else:
            split_classes.setdefault(of, {})[also] = n
    annotations, images = counts.get("class", {}), counts.get("images of class", {})
    return Statistics(
        {
            name: LabelCount(images.get(name, 0), annotations.get(name, 0))
            for name in _names(counts, "category", "class")
        },
        frozenset(counts.get("trained", {})),
        {
            name: LabelCount(counts["images of split"][name], counts.get("split", {}).get(name, 0))
            for name in _names(counts, "images of split")
        },
        # in one order whoever counted: sums of shares depend on it in their last bits
        {name: dict(sorted(split_classes[name].items())) for name in sorted(split_classes)},
    )


def as_json(tallies: Mapping[str, LabelCount]) -> str:
    """JSON: name to its number of images and annotations, as a version row has it."""
    return json.dumps({name: tally.as_json() for name, tally in tallies.items()}, ensure_ascii=False)


def _names(counts: Mapping[str, Mapping[str, int]], *kinds: str) -> list[str]:
    return sorted({name for kind in kinds for name in counts.get(kind, {})})
