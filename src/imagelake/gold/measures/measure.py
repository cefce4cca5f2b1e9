"""What the gate judges of a draft and its splits, counted in two queries."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imagelake.gold.measures.relations import Relations
from imagelake.gold.measures.version_statistics import count_statistics
from imagelake.gold.plan import Uploads
from imagelake.quality.catalogue import WAITING
from imagelake.quality.measures import Measures, UploadRows
from imagelake.quality.statistics import DEVIATIONS, QUARTILE_FACTOR

_WAITING = ", ".join(f"'{rule}'" for rule in WAITING)

_ROUNDING = 1e-6
"""A mean of equal values may differ from them in its last bits."""


def _usual(column: str, names: str) -> str:
    """Columns low… and high…: the ends of what is usual, DEVIATIONS below and above the mean."""
    room = f"{DEVIATIONS} * stddev_pop({column})"
    return f"avg({column}) - {room} AS low{names}, avg({column}) + {room} AS high{names}"


def _is_outside(column: str, names: str = "") -> str:
    return f"({column} < low{names} - {_ROUNDING} OR {column} > high{names} + {_ROUNDING})"


_ROWS = f"""
WITH sizes AS (SELECT sqrt(CAST(width AS DOUBLE) * height) AS value FROM {{images}}),
quartiles AS (
    SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY value) AS first,
        percentile_cont(0.75) WITHIN GROUP (ORDER BY value) AS third FROM sizes),
usual_sizes AS (
    SELECT first - {QUARTILE_FACTOR} * (third - first) AS low, third + {QUARTILE_FACTOR} * (third - first) AS high
    FROM quartiles),
boxes AS (SELECT coalesce(category, '') AS class, w, h FROM {{annotations}} WHERE w IS NOT NULL),
usual_boxes AS (SELECT class, {_usual("w", "_w")}, {_usual("h", "_h")} FROM boxes GROUP BY class),
counts AS (SELECT image, count(*) AS n FROM {{annotations}} GROUP BY image),
numbers AS (
    SELECT CAST(coalesce(n, 0) AS DOUBLE) AS value FROM {{images}} LEFT JOIN counts USING (image) WHERE is_labelled),
usual_numbers AS (SELECT {_usual("value", "")} FROM numbers)
SELECT 'images' AS what, CAST(NULL AS STRING) AS of, count(*) AS n FROM {{images}}
UNION ALL SELECT 'annotations', NULL, count(*) FROM {{annotations}}
UNION ALL SELECT 'annotated', NULL, count(*) FROM counts
UNION ALL SELECT 'open', NULL, count(*) FROM {{rejections}}
UNION ALL SELECT 'rejected', entity, count(*) FROM {{rejections}} WHERE rule NOT IN ({_WAITING}) GROUP BY entity
UNION ALL SELECT 'rejected of upload', upload_id, count(*) FROM {{rejections}}
    WHERE rule NOT IN ({_WAITING}) AND entity = 'annotation' GROUP BY upload_id
UNION ALL SELECT 'rule', rule, count(*) FROM {{flags}} GROUP BY rule
UNION ALL SELECT 'rule', rule, count(*) FROM {{rejections}} GROUP BY rule
UNION ALL SELECT 'odd sizes', NULL, count(*) FROM sizes CROSS JOIN usual_sizes WHERE {_is_outside("value")}
UNION ALL SELECT 'size outliers', NULL, count(*) FROM boxes JOIN usual_boxes USING (class)
    WHERE {_is_outside("w", "_w")} OR {_is_outside("h", "_h")}
UNION ALL SELECT 'crowded', NULL, count(*) FROM numbers CROSS JOIN usual_numbers WHERE {_is_outside("value")}
"""  # noqa: S608 — of constants of this module


def measure(relations: Relations, uploads: Uploads, parent: Mapping[str, Any] | None) -> Measures:
    """What the gate judges, but for what near-duplicates there are and what shares the splits should have.

    parent: the row of the version before, None for a first one.
    """
    counted = count_statistics(relations)
    counts: dict[str, Counter[str | None]] = {}
    for what, of, count in relations.rows(_ROWS):
        counts.setdefault(what, Counter())[of] += count

    def n(what: str, of: str | None = None) -> int:
        return counts.get(what, Counter())[of]

    return Measures(
        n("images"),
        n("annotations"),
        n("open"),
        n("rejected", "image"),
        n("rejected", "annotation"),
        tuple(
            UploadRows(upload_id, row["source"], row["annotations"]["read"], n("rejected of upload", upload_id))
            for upload_id, row in {row["upload_id"]: row for row in uploads.built}.items()
        ),
        n("annotated"),
        {str(rule): broken for rule, broken in sorted(counts.get("rule", Counter()).items(), key=str)},
        {name: of_class.annotations for name, of_class in counted.classes.items() if of_class.annotations},
        None if parent is None else _classes_of(parent),
        replace(
            counted,
            size_outliers=n("size outliers"),
            crowded_images=n("crowded"),
            odd_sizes=n("odd sizes"),
        ),
    )


def _classes_of(version: Mapping[str, Any]) -> dict[str, int]:
    """Annotations by class, as its row in gold.versions has them."""
    counts = json.loads(version["class_stats"] or "{}")
    return {name: of_class["annotations"] for name, of_class in counts.items()}
