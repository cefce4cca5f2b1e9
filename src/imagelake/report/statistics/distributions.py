"""How the content is spread: classes, splits, labels, outliers, sizes of images and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from imagelake.report.scope import ReportScope
from imagelake.report.statistics.classes import ClassTable, LabelCounts, Missing, SplitRow, classes, labels, splits
from imagelake.report.statistics.outliers import Outliers, outliers

MOST_SIZES = 10
_SIDES = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
_COUNTS = (1, 2, 3, 6, 11, 21, 51, 101)
_SMALL, _MEDIUM = 32 * 32, 96 * 96


@dataclass(frozen=True)
class HistogramBar:
    """One bar of a histogram."""

    label: str
    count: int


@dataclass(frozen=True)
class Histogram:
    """Bars in their order; `doc` says what is counted and names the smallest, middle and largest value."""

    title: str
    doc: str
    bars: tuple[HistogramBar, ...]


@dataclass(frozen=True)
class Distributions:
    """Everything this section shows."""

    splits: tuple[SplitRow, ...]
    classes: ClassTable
    labels: LabelCounts
    outliers: tuple[Outliers, ...]
    histograms: tuple[Histogram, ...]
    sizes: tuple[tuple[str, int], ...]

    @property
    def missing(self) -> tuple[Missing, ...]:
        """Classes that some split does not have."""
        return self.classes.missing([split.name for split in self.splits])

    def as_json(self) -> dict[str, Any]:
        """The numbers without the histograms, every class among them."""
        imbalance = self.classes.imbalance
        return {
            "splits": [vars(split) for split in self.splits],
            "labels": vars(self.labels),
            "classes": [asdict(row) for row in self.classes.rows],
            "classes_without_examples": list(self.classes.empty),
            "imbalance": imbalance and {**vars(imbalance), "ratio": imbalance.ratio, "is_high": imbalance.is_high},
            "classes_missing_in_splits": {m.name: list(m.splits) for m in self.missing},
            "outliers": {
                o.name: {"total": o.total, "outliers": o.outliers, "keys": list(o.keys)} for o in self.outliers
            },
        }


def distributions(scope: ReportScope) -> Distributions | None:
    """The section; None when there is no image."""
    if not scope.splits:
        return None
    histograms = (_image_sizes(scope), _box_shares(scope), _box_areas(scope), _annotations_per_image(scope))
    return Distributions(
        splits=splits(scope),
        classes=classes(scope),
        labels=labels(scope),
        outliers=outliers(scope),
        histograms=tuple(h for h in histograms if any(bar.count for bar in h.bars)),
        sizes=_sizes(scope),
    )


def _image_sizes(scope: ReportScope) -> Histogram:
    longest = "greatest(width, height)"
    doc = _spread(scope, longest, scope.images, "{:,.0f} px")
    return Histogram("Image size", f"Images by their longer side. {doc}", _bars(scope, longest, scope.images, _SIDES))


def _box_shares(scope: ReportScope) -> Histogram:
    share = "sqrt(share)"
    source = f"(SELECT share FROM {scope.annotations} WHERE share IS NOT NULL)"
    doc = _spread(scope, f"100 * {share}", source, "{:.1f} %")
    bars = _bars(scope, share, source, _SHARES)
    named = tuple(HistogramBar(_percent(bar.label), bar.count) for bar in bars)
    return Histogram("Box size in its image", f"Boxes by the square root of their share of the image. {doc}", named)


def _percent(label: str) -> str:
    """An interval of shares in percent."""
    words = (f"{float(w) * 100:g}" if w.replace(".", "").isdigit() else w for w in label.split(" "))
    return f"{' '.join(words)} %"


def _box_areas(scope: ReportScope) -> Histogram:
    source = f"(SELECT w::DOUBLE * h AS area FROM {scope.annotations} WHERE w IS NOT NULL)"
    row = scope.one(
        f"SELECT count(*) FILTER (WHERE area < {_SMALL}) AS small, "
        f"count(*) FILTER (WHERE area >= {_SMALL} AND area < {_MEDIUM}) AS medium, "
        f"count(*) FILTER (WHERE area >= {_MEDIUM}) AS large FROM {source}"
    )
    bars = (
        HistogramBar("small, below 32²", row["small"]),
        HistogramBar("medium, below 96²", row["medium"]),
        HistogramBar("large", row["large"]),
    )
    doc = _spread(scope, "sqrt(area)", source, "{:,.0f} px")
    return Histogram(
        "Box area in pixels", f"Boxes by area, in the bounds of COCO; as the side of a square: {doc}", bars
    )


def _annotations_per_image(scope: ReportScope) -> Histogram:
    source = (
        f"(SELECT coalesce(a.n, 0) AS n FROM {scope.images} AS i LEFT JOIN {scope.annotated} AS a ON a.image = i.id "
        "WHERE len(labelled) > 0)"
    )
    bars = _bars(scope, "n", source, _COUNTS)
    named = tuple(HistogramBar(_whole(bar.label), bar.count) for bar in bars)
    doc = _spread(scope, "n", source, "{:,.0f}")
    return Histogram("Annotations of an image", f"Labelled images by their number of annotations. {doc}", named)


def _whole(label: str) -> str:
    """An interval of whole numbers: `2 to 3` without its end is `2`."""
    words = label.split(" ")
    if words[0] == "below":
        return str(int(words[1]) - 1)
    if len(words) == 3 and words[1] == "to":
        low, high = int(words[0]), int(words[2]) - 1
        return str(low) if low == high else f"{low} to {high}"
    return label


def _bars(scope: ReportScope, value: str, source: str, edges: Sequence[float]) -> tuple[HistogramBar, ...]:
    """How many values lie in each interval, with the empty ones at both ends left out."""
    cases = " ".join(f"WHEN v < {edge} THEN {place}" for place, edge in enumerate(edges))
    rows = scope.tables.query(
        f"SELECT CASE {cases} ELSE {len(edges)} END AS bin, count(*) AS n FROM (SELECT {value} AS v FROM {source}) "
        "GROUP BY bin"
    )
    counts = {r["bin"]: r["n"] for r in rows}
    labels = [f"below {edges[0]}", *(f"{low} to {high}" for low, high in pairwise(edges)), f"{edges[-1]} or more"]
    places = range(min(counts, default=0), max(counts, default=-1) + 1)
    return tuple(HistogramBar(labels[place], counts.get(place, 0)) for place in places)


def _spread(scope: ReportScope, value: str, source: str, form: str) -> str:
    row = scope.one(f"SELECT min(v) AS a, median(v) AS b, max(v) AS c FROM (SELECT {value} AS v FROM {source})")
    if row["a"] is None:
        return ""
    smallest, middle, largest = (form.format(float(row[c])) for c in "abc")
    return f"Smallest {smallest}, median {middle}, largest {largest}."


def _sizes(scope: ReportScope) -> tuple[tuple[str, int], ...]:
    rows = scope.tables.query(
        f"SELECT width, height, count(*) AS n FROM {scope.images} GROUP BY width, height "
        f"ORDER BY n DESC, width, height LIMIT {MOST_SIZES}"
    )
    return tuple((f"{r['width']} by {r['height']}", r["n"]) for r in rows)
