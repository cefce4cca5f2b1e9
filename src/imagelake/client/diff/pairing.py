"""Which removed and added annotations are one annotation that changed.

Annotations have no lasting ids: exporters renumber them. Within one image and one kind a removed row and an added row
are paired

1. when both, and no other row of their side, carry the same source document and source id, and then the same source
   id, if they overlap or have equal geometry: an id that now stands for something elsewhere was given anew;
2. else by overlap: of all pairs that overlap the one with the highest intersection over union first, ties by equal
   category and then by annotation key. An annotation without a box covers its whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from imagelake.client.sql_text import Row

Pair = tuple[Row, Row]

GEOMETRY = ("bbox", "polygons", "rle_size", "rle_counts", "keypoints")
"""The columns that say where an annotation is."""


def overlap(a: Row | None, b: Row | None) -> float:
    """Intersection over union of two boxes {x, y, w, h}; without a box: 1 with another such one, 0 with a box."""
    if a is None or b is None:
        return 1.0 if a is b else 0.0
    width = min(a["x"] + a["w"], b["x"] + b["w"]) - max(a["x"], b["x"])
    height = min(a["y"] + a["h"], b["y"] + b["h"]) - max(a["y"], b["y"])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / (a["w"] * a["h"] + b["w"] * b["h"] - shared))


def pair(gone: Iterable[Row], come: Iterable[Row]) -> tuple[list[Pair], list[Row], list[Row]]:
    """(changed pairs, removed rows, added rows) of annotation rows, in a fixed order.

    Rows are paired within equal (`image_key`, `kind`); besides these they hold annotation_key, category, GEOMETRY,
    source_document and source_id.
    """
    left, right = _groups(gone), _groups(come)
    pairs: list[Pair] = []
    removed: list[Row] = []
    added: list[Row] = []
    for key in sorted({*left, *right}):
        before, after = left.get(key, []), right.get(key, [])
        for identity in (_by_document, _by_source, None):
            matched = _same_id(before, after, identity) if identity else _by_overlap(before, after)
            pairs += matched
            before = _without(before, [p[0] for p in matched])
            after = _without(after, [p[1] for p in matched])
        removed += before
        added += after
    return pairs, removed, added


def _groups(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda r: str(r["annotation_key"])):
        groups.setdefault((row["image_key"], row["kind"]), []).append(row)
    return groups


def _by_document(row: Row) -> Hashable:
    return None if row["source_id"] is None else (row["source_document"], row["source_id"])


def _by_source(row: Row) -> Hashable:
    return None if row["source_id"] is None else str(row["source_id"])


def _same_id(before: Sequence[Row], after: Sequence[Row], of: Callable[[Row], Hashable]) -> list[Pair]:
    left, right = _unique(before, of), _unique(after, of)
    pairs = ((row, right[key]) for key, row in left.items() if key in right)
    return [(a, b) for a, b in pairs if overlap(a["bbox"], b["bbox"]) > 0 or all(a[c] == b[c] for c in GEOMETRY)]


def _unique(rows: Sequence[Row], of: Callable[[Row], Hashable]) -> dict[Hashable, Row]:
    groups: dict[Hashable, list[Row]] = {}
    for row in rows:
        if of(row) is not None:
            groups.setdefault(of(row), []).append(row)
    return {key: same[0] for key, same in groups.items() if len(same) == 1}


def _by_overlap(before: Sequence[Row], after: Sequence[Row]) -> list[Pair]:
    candidates = []
    for i, a in enumerate(before):
        for j, b in enumerate(after):
            shared = overlap(a["bbox"], b["bbox"])
            if shared > 0:
                candidates.append((-shared, a["category"] != b["category"], i, j))
    pairs: list[Pair] = []
    used: tuple[set[int], set[int]] = (set(), set())
    for _, _, i, j in sorted(candidates):
        if i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
            pairs.append((before[i], after[j]))
    return pairs


def _without(rows: Sequence[Row], matched: Sequence[Row]) -> list[Row]:
    ids = {id(r) for r in matched}
    return [r for r in rows if id(r) not in ids]
