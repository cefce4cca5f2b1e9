"""How the content is spread: classes, sizes of images and boxes, splits, labels, equal bytes, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from imagelake.client.text import Row
from imagelake.quality.catalogue import BY_ID
from imagelake.report.pictures.album import Album
from imagelake.report.scope import Scope

MOST_CLASSES, MOST_SIZES, MOST_GROUPS, MOST_KEYS = 200, 10, 10, 5
_SIDES = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
_COUNTS = (1, 2, 3, 6, 11, 21, 51, 101)
_SMALL, _MEDIUM = 32 * 32, 96 * 96


@dataclass(frozen=True)
class ClassRow:
    """A class: its images and annotations, and its annotations by split in the order of the splits."""

    name: str
    index: int | None
    images: int
    annotations: int
    by_split: tuple[int, ...]


@dataclass(frozen=True)
class SplitRow:
    """A split: images, those that are labelled, annotations, and its share of all images."""

    name: str
    images: int
    labelled: int
    annotations: int
    share: float


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram."""

    label: str
    count: int


@dataclass(frozen=True)
class Histogram:
    """Bars in their order; `doc` says what is counted and names the smallest, middle and largest value."""

    title: str
    doc: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Duplicates:
    """Images with equal bytes: groups, images in them, groups that lie in several splits, and the largest groups."""

    groups: int
    images: int
    across_splits: int
    examples: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Warned:
    """A rule that warns: its meaning and how many images and annotations carry it."""

    rule: str
    doc: str
    images: int
    annotations: int


@dataclass(frozen=True)
class Labels:
    """Images by how they are labelled: with something, with nothing, not at all."""

    something: int
    nothing: int
    unlabelled: int


@dataclass(frozen=True)
class Distributions:
    """Everything this section shows."""

    splits: tuple[SplitRow, ...]
    classes: tuple[ClassRow, ...]
    more_classes: int
    empty_classes: tuple[str, ...]
    labels: Labels
    histograms: tuple[Histogram, ...]
    sizes: tuple[tuple[str, int], ...]
    duplicates: Duplicates
    warned: tuple[Warned, ...]


def distributions(scope: Scope, album: Album) -> Distributions | None:
    """The section; None when there is no image."""
    if not scope.splits:
        return None
    classes, more = _classes(scope)
    histograms = (_image_sizes(scope), _box_shares(scope), _box_areas(scope), _annotations_per_image(scope))
    return Distributions(
        splits=_splits(scope),
        classes=classes,
        more_classes=more,
        empty_classes=tuple(c.name for c in classes if not c.annotations and c.index is not None),
        labels=_labels(scope),
        histograms=tuple(h for h in histograms if any(bar.count for bar in h.bars)),
        sizes=_sizes(scope),
        duplicates=_duplicates(scope),
        warned=_warned(scope),
    )


def _classes(scope: Scope) -> tuple[tuple[ClassRow, ...], int]:
    rows = scope.tables.query(
        "SELECT c.class, i.split, count(*) AS images, sum(c.n)::BIGINT AS annotations "
        f"FROM {scope.classes_of_images} AS c JOIN {scope.images} AS i ON i.id = c.image GROUP BY c.class, i.split"
    )
    by_class: dict[str | None, list[Row]] = {name: [] for name in scope.categories}
    for row in rows:
        by_class.setdefault(scope.name_of(row["class"]), []).append(row)
    found = [_class(scope, name, of_class) for name, of_class in by_class.items()]
    most_first = sorted(found, key=lambda c: (-c.annotations, c.name))
    return tuple(most_first[:MOST_CLASSES]), max(0, len(found) - MOST_CLASSES)


def _class(scope: Scope, name: str | None, rows: Sequence[Row]) -> ClassRow:
    by_split = {r["split"]: r["annotations"] for r in rows}
    return ClassRow(
        name or "without a class",
        scope.categories.get(name) if name is not None else None,
        sum(r["images"] for r in rows),
        sum(by_split.values()),
        tuple(by_split.get(split, 0) for split in scope.splits),
    )


def _splits(scope: Scope) -> tuple[SplitRow, ...]:
    rows = scope.tables.query(
        f"SELECT i.split, count(*) AS images, count(*) FILTER (WHERE len(labelled) > 0) AS labelled, "
        f"coalesce(sum(a.n), 0)::BIGINT AS annotations FROM {scope.images} AS i LEFT JOIN {scope.annotated} AS a "
        "ON a.image = i.id GROUP BY i.split"
    )
    total = sum(r["images"] for r in rows)
    by_name = {r["split"]: r for r in rows}
    ordered = [by_name[name] for name in scope.splits]
    return tuple(
        SplitRow(r["split"], r["images"], r["labelled"], r["annotations"], r["images"] / total) for r in ordered
    )


def _labels(scope: Scope) -> Labels:
    row = scope.one(
        "SELECT count(a.n) AS something, "
        "count(*) FILTER (WHERE a.n IS NULL AND len(labelled) > 0) AS nothing, "
        "count(*) FILTER (WHERE a.n IS NULL AND coalesce(len(labelled), 0) = 0) AS unlabelled "
        f"FROM {scope.images} AS i LEFT JOIN {scope.annotated} AS a ON a.image = i.id"
    )
    return Labels(**row)


def _image_sizes(scope: Scope) -> Histogram:
    longest = "greatest(width, height)"
    doc = _spread(scope, longest, scope.images, "{:,.0f} px")
    return Histogram("Image size", f"Images by their longer side. {doc}", _bars(scope, longest, scope.images, _SIDES))


def _box_shares(scope: Scope) -> Histogram:
    share = "sqrt(share)"
    source = f"(SELECT share FROM {scope.annotations} WHERE share IS NOT NULL)"
    doc = _spread(scope, f"100 * {share}", source, "{:.1f} %")
    bars = _bars(scope, share, source, _SHARES)
    named = tuple(Bar(_percent(bar.label), bar.count) for bar in bars)
    return Histogram("Box size in its image", f"Boxes by the square root of their share of the image. {doc}", named)


def _percent(label: str) -> str:
    """An interval of shares in percent."""
    words = (f"{float(w) * 100:g}" if w.replace(".", "").isdigit() else w for w in label.split(" "))
    return f"{' '.join(words)} %"


def _box_areas(scope: Scope) -> Histogram:
    source = f"(SELECT area FROM {scope.annotations} WHERE area IS NOT NULL)"
    row = scope.one(
        f"SELECT count(*) FILTER (WHERE area < {_SMALL}) AS small, "
        f"count(*) FILTER (WHERE area >= {_SMALL} AND area < {_MEDIUM}) AS medium, "
        f"count(*) FILTER (WHERE area >= {_MEDIUM}) AS large FROM {source}"
    )
    bars = (
        Bar("small, below 32²", row["small"]),
        Bar("medium, below 96²", row["medium"]),
        Bar("large", row["large"]),
    )
    doc = _spread(scope, "sqrt(area)", source, "{:,.0f} px")
    return Histogram(
        "Box area in pixels", f"Boxes by area, in the bounds of COCO; as the side of a square: {doc}", bars
    )


def _annotations_per_image(scope: Scope) -> Histogram:
    source = (
        f"(SELECT coalesce(a.n, 0) AS n FROM {scope.images} AS i LEFT JOIN {scope.annotated} AS a ON a.image = i.id "
        "WHERE len(labelled) > 0)"
    )
    bars = _bars(scope, "n", source, _COUNTS)
    named = tuple(Bar(_whole(bar.label), bar.count) for bar in bars)
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


def _bars(scope: Scope, value: str, source: str, edges: Sequence[float]) -> tuple[Bar, ...]:
    """How many values lie in each interval, with the empty ones at both ends left out."""
    cases = " ".join(f"WHEN v < {edge} THEN {place}" for place, edge in enumerate(edges))
    rows = scope.tables.query(
        f"SELECT CASE {cases} ELSE {len(edges)} END AS bin, count(*) AS n FROM (SELECT {value} AS v FROM {source}) "
        "GROUP BY bin"
    )
    counts = {r["bin"]: r["n"] for r in rows}
    labels = [f"below {edges[0]}", *(f"{low} to {high}" for low, high in pairwise(edges)), f"{edges[-1]} or more"]
    places = range(min(counts, default=0), max(counts, default=-1) + 1)
    return tuple(Bar(labels[place], counts.get(place, 0)) for place in places)


def _spread(scope: Scope, value: str, source: str, form: str) -> str:
    row = scope.one(f"SELECT min(v) AS a, median(v) AS b, max(v) AS c FROM (SELECT {value} AS v FROM {source})")
    if row["a"] is None:
        return ""
    smallest, middle, largest = (form.format(float(row[c])) for c in "abc")
    return f"Smallest {smallest}, median {middle}, largest {largest}."


def _sizes(scope: Scope) -> tuple[tuple[str, int], ...]:
    rows = scope.tables.query(
        f"SELECT width, height, count(*) AS n FROM {scope.images} GROUP BY width, height "
        f"ORDER BY n DESC, width, height LIMIT {MOST_SIZES}"
    )
    return tuple((f"{r['width']} by {r['height']}", r["n"]) for r in rows)


def _duplicates(scope: Scope) -> Duplicates:
    groups = scope.tables.once(
        "_report_duplicates",
        f"SELECT content_hash, count(*) AS n, min(split) <> max(split) AS across FROM {scope.images} "
        "GROUP BY content_hash HAVING count(*) > 1",
    )
    row = scope.one(
        "SELECT count(*) AS groups, coalesce(sum(n), 0)::BIGINT AS images, "
        f"count(*) FILTER (WHERE across) AS across FROM {groups}"
    )
    examples = scope.tables.query(
        f"SELECT g.n, list_sort(arg_min(i.image_key, i.draw, {MOST_KEYS})) AS keys FROM {scope.images} AS i "
        f"JOIN (SELECT * FROM {groups} ORDER BY n DESC, content_hash LIMIT {MOST_GROUPS}) AS g USING (content_hash) "
        "GROUP BY g.n, content_hash ORDER BY g.n DESC, content_hash"
    )
    return Duplicates(row["groups"], row["images"], row["across"], tuple((r["n"], tuple(r["keys"])) for r in examples))


def _warned(scope: Scope) -> tuple[Warned, ...]:
    counts: dict[str, dict[str, int]] = {}
    for entity, table in (("images", scope.images), ("annotations", scope.annotations)):
        flags = f"SELECT unnest(flags) AS rule FROM {table} WHERE len(flags) > 0"
        for row in scope.tables.query(f"SELECT rule, count(*) AS n FROM ({flags}) GROUP BY rule"):
            counts.setdefault(row["rule"], {})[entity] = row["n"]
    found = [
        Warned(rule, BY_ID[rule].doc if rule in BY_ID else "", n.get("images", 0), n.get("annotations", 0))
        for rule, n in counts.items()
    ]
    return tuple(sorted(found, key=lambda w: (-w.images - w.annotations, w.rule)))
