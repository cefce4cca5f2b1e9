"""What a report must say of duplicates, balance, outliers and coverage, counted in plain Python from few records."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from imagelake.client.lake import Lake


@dataclass(frozen=True)
class Picture:
    """An image as it is shown: pixels, a hash of its bytes, its split, and whether anybody has labelled it."""

    key: str
    width: int
    height: int
    content_hash: str
    split: str | None = None
    labelled: bool = True


@dataclass(frozen=True)
class Box:
    """A box of a class, in pixels of the shown image."""

    key: str
    category: str
    width: float
    height: float


def said(lake: Lake, ref: str) -> dict[str, Any]:
    """What the report of a version says, in the form of `counted`."""
    document = lake.report(ref).as_json()
    spread = document["distributions"]
    duplicates = document["duplicates"].get("equal_bytes")
    return {
        "classes": {c["name"]: (c["images"], c["annotations"]) for c in spread["classes"]},
        "imbalance": spread["imbalance"] and (spread["imbalance"]["ratio"], spread["imbalance"]["is_high"]),
        "without examples": set(spread["classes_without_examples"]),
        "missing": {name: set(splits) for name, splits in spread["classes_missing_in_splits"].items()},
        "splits": {s["name"]: (s["images"], s["annotations"]) for s in spread["splits"]},
        "labels": tuple(spread["labels"][n] for n in ("something", "nothing", "unlabelled")),
        "outliers": {name: (o["outliers"], o["total"]) for name, o in spread["outliers"].items()},
        "duplicates": duplicates and tuple(duplicates[n] for n in ("groups", "images", "across_splits")),
    }


def counted(pictures: Sequence[Picture], boxes: Sequence[Box], roots: Iterable[str], names: Iterable[str]) -> Any:
    """The same from the records; `names` are the declared classes, `roots` those outside the training index."""
    split_of = {p.key: p.split for p in pictures}
    splits = Counter(split_of.values())
    by_class = {name: [b for b in boxes if b.category == name] for name in (*names, *roots)}
    filled = sorted(len(of) for name, of in by_class.items() if of and name not in set(roots))
    ratio = filled[-1] / filled[0] if len(filled) > 1 else None
    missing = {name: set(splits) - {split_of[b.key] for b in of} for name, of in by_class.items() if of}
    having = {b.key for b in boxes}
    bare = [p for p in pictures if p.key not in having]
    groups = defaultdict(list)
    for picture in pictures:
        groups[picture.content_hash].append(picture)
    same = [group for group in groups.values() if len(group) > 1]
    across = sum(len({p.split for p in group}) > 1 for group in same)
    return {
        "classes": {name: (len({b.key for b in of}), len(of)) for name, of in by_class.items()},
        "imbalance": ratio and (ratio, ratio > 50),
        "without examples": {name for name, of in by_class.items() if not of} - set(roots),
        "missing": {name: absent for name, absent in missing.items() if absent},
        "splits": {s: (n, sum(split_of[b.key] == s for b in boxes)) for s, n in splits.items()},
        "labels": (len(having), sum(p.labelled for p in bare), sum(not p.labelled for p in bare)),
        "outliers": _outliers(pictures, by_class, Counter(b.key for b in boxes)),
        "duplicates": (len(same), sum(map(len, same)), across) if same else None,
    }


def _outliers(
    pictures: Sequence[Picture], by_class: dict[str, list[Box]], per_image: Counter[str]
) -> dict[str, tuple[int, int]]:
    """Measure to (outliers, values); measures without values are left out."""
    sizes = [(p.width * p.height) ** 0.5 for p in pictures]
    first, _, third = statistics.quantiles(sizes, n=4, method="inclusive")
    low, high = first - 3 * (third - first), third + 3 * (third - first)
    odd = sum(not low - 1e-6 <= size <= high + 1e-6 for size in sizes)
    sides = {side: [[getattr(b, side) for b in of] for of in by_class.values()] for side in ("width", "height")}
    measures = {
        "image_width": [[p.width for p in pictures]],
        "image_height": [[p.height for p in pictures]],
        "box_width": sides["width"],
        "box_height": sides["height"],
        "annotations_per_image": [[per_image[p.key] for p in pictures if p.labelled]],
    }
    found = {"image_size": (odd, len(sizes))}
    for name, parts in measures.items():
        total = sum(map(len, parts))
        if total:
            found[name] = (sum(_far(values) for values in parts if values), total)
    return found


def _far(values: Sequence[float]) -> int:
    mean, deviation = statistics.fmean(values), statistics.pstdev(values)
    return sum(abs(value - mean) > 5 * deviation + 1e-6 for value in values)
