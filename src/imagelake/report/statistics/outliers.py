"""Values far from the others: sizes of images and boxes, numbers of annotations."""

from __future__ import annotations

from dataclasses import dataclass

from imagelake.quality.statistics import DEVIATIONS, QUARTILE_FACTOR
from imagelake.report.scope import ReportScope

MOST_KEYS = 5


@dataclass(frozen=True)
class Outliers:
    """A measure: how many of how many values lie outside `usual`, and some image keys, the farthest first."""

    name: str
    title: str
    usual: str
    total: int
    outliers: int
    keys: tuple[str, ...]


def outliers(scope: ReportScope) -> tuple[Outliers, ...]:
    """Every measure that has values."""
    made = (_odd_sizes(scope), *_image_sides(scope), *_box_sides(scope), _annotations(scope))
    return tuple(m for m in made if m.total)


def _odd_sizes(scope: ReportScope) -> Outliers:
    """Images whose size, the square root of width by height, lies far outside the quartiles."""
    source = f"(SELECT id AS image, sqrt(width::DOUBLE * height) AS v FROM {scope.images})"
    q = scope.one(f"SELECT quantile_cont(v, [0.25, 0.75]) AS q FROM {source}")["q"] or (0.0, 0.0)
    room = QUARTILE_FACTOR * (q[1] - q[0])
    low, high = max(0.0, q[0] - room), q[1] + room
    # quantiles are interpolated: equal values may differ from them in their last bit
    source = f"(SELECT *, {low - 1e-6} AS low, {high + 1e-6} AS high, {(low + high) / 2} AS middle FROM {source})"
    return _counted(
        scope, ("image_size", "Image size (root of width by height)"), f"{low:,.0f} to {high:,.0f} px", source
    )


def _image_sides(scope: ReportScope) -> tuple[Outliers, ...]:
    return tuple(
        _by_deviation(
            scope,
            (f"image_{side}", f"Image {side}"),
            f"(SELECT id AS image, {side}::DOUBLE AS v, 0 AS part FROM {scope.images})",
            "px",
        )
        for side in ("width", "height")
    )


def _box_sides(scope: ReportScope) -> tuple[Outliers, ...]:
    return tuple(
        _by_deviation(
            scope,
            (f"box_{side}", f"Box {side}"),
            f"(SELECT image, {side[0]}::DOUBLE AS v, coalesce(class, -1) AS part FROM {scope.annotations} "
            f"WHERE {side[0]} IS NOT NULL)",
            None,
        )
        for side in ("width", "height")
    )


def _annotations(scope: ReportScope) -> Outliers:
    source = (
        f"(SELECT i.id AS image, coalesce(a.n, 0)::DOUBLE AS v, 0 AS part FROM {scope.images} AS i "
        f"LEFT JOIN {scope.annotated} AS a ON a.image = i.id WHERE len(labelled) > 0)"
    )
    names = ("annotations_per_image", "Annotations of a labelled image")
    return _by_deviation(scope, names, source, "")


def _by_deviation(scope: ReportScope, names: tuple[str, str], source: str, unit: str | None) -> Outliers:
    """Outliers among the values `v` of each `part`; `unit` None: the parts differ, and no one range is usual."""
    parts = (
        f"(SELECT part, avg(v) - {DEVIATIONS} * stddev_pop(v) AS low, avg(v) + {DEVIATIONS} * stddev_pop(v) AS high, "
        f"avg(v) AS middle FROM {source} GROUP BY part)"
    )
    usual = "by class"
    if unit is not None:
        row = scope.one(f"SELECT any_value(greatest(low, 0)) AS low, any_value(high) AS high FROM {parts}")
        usual = "" if row["low"] is None else f"{row['low']:,.0f} to {row['high']:,.0f} {unit}".strip()
    # a mean of equal values may differ from them in its last bits
    joined = (
        f"(SELECT s.image, s.v, p.low - 1e-6 AS low, p.high + 1e-6 AS high, p.middle FROM {source} AS s "
        f"JOIN {parts} AS p USING (part))"
    )
    return _counted(scope, names, usual, joined)


def _counted(scope: ReportScope, names: tuple[str, str], usual: str, source: str) -> Outliers:
    """source: a table of image, v, low, high, middle."""
    row = scope.one(
        "SELECT count(*) AS total, count(*) FILTER (WHERE v < low OR v > high) AS outliers, "
        f"arg_max(image, abs(v - middle), {10 * MOST_KEYS}) FILTER (WHERE v < low OR v > high) AS images FROM {source}"
    )
    ids = list(dict.fromkeys(row["images"] or ()))[:MOST_KEYS]
    keys = {}
    if ids:
        listed = ", ".join(map(str, ids))
        rows = scope.tables.query(f"SELECT id, image_key FROM {scope.images} WHERE id IN ({listed})")
        keys = {r["id"]: r["image_key"] for r in rows}
    return Outliers(*names, usual, row["total"], row["outliers"], tuple(keys[i] for i in ids))
