"""`diff A B`: what changed, counted and row by row.

An image is changed when its key stays and its row hash differs; renamed when the same bytes are gone under one key and
come under another. Annotations are paired as imagelake.client.diff.pairing says; those that only followed a renamed
image have not changed. A draft's images have the split that versions of recipe 1 gave them last, new ones `unassigned`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import ENTITIES, tables_of
from imagelake.client.diff.paired import Paired, paired
from imagelake.client.diff.pairing import GEOMETRY, Pair, pair
from imagelake.client.diff.row_difference import Sides, side_tables, sides
from imagelake.client.sql_text import Row
from imagelake.core import digest


@dataclass(frozen=True)
class Change:
    """One change: entity (image, annotation, split, category), change (added, removed, changed, renamed, moved).

    `what` says what changed: bytes, size, labelled, attributes; moved, relabelled; split; supercategory, train_index.
    `before` and `after` show the row on either side, None where there is none.
    """

    entity: str
    change: str
    what: tuple[str, ...]
    image_key: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"what": list(self.what)}


@dataclass(frozen=True)
class Diff:
    """What changed from one version to another; `with_rows` puts every change into the document.

    `paired` are the annotations where they are not among the `listed` changes: counted where they lie, and listed only
    when `changes` are asked for. `waiting_saves` is the number of labels that were saved for a draft that is compared
    and not yet delivered; None between versions.
    """

    from_ref: str
    to_ref: str
    listed: tuple[Change, ...]
    with_rows: bool
    waiting_saves: int | None = None
    paired: Paired | None = None

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Every change: of images, annotations, categories, splits."""
        if self.paired is None:
            return self.listed
        images = tuple(c for c in self.listed if c.entity == "image")
        boxes = (_annotation_change(before, after) for before, after in self.paired.rows())
        return (*images, *boxes, *self.listed[len(images) :])

    def count(self, entity: str, change: str) -> int:
        """How many changes of that kind there are."""
        if entity == "annotation" and self.paired is not None:
            return self._paired_counts.get(change, 0)
        return sum(c.entity == entity and c.change == change for c in self.listed)

    @cached_property
    def _paired_counts(self) -> dict[str, int]:
        return self.paired.counts() if self.paired else {}

    @property
    def splits(self) -> dict[str, dict[str, int]]:
        """Split name to images added, removed, moved_in and moved_out; splits without a change are left out."""
        counts: dict[str, dict[str, int]] = {}
        for change in self.listed:
            if change.entity == "split":
                for side, word in ((change.before, "out"), (change.after, "in")):
                    if side is not None:
                        zero = dict.fromkeys(("added", "removed", "moved_in", "moved_out"), 0)
                        key = f"moved_{word}" if change.change == "moved" else change.change
                        counts.setdefault(side["split"], zero)[key] += 1
        return dict(sorted(counts.items()))

    def as_json(self) -> dict[str, Any]:
        """Counts as programs rely on them; "rows" lists images, annotations, categories, then moves between splits."""
        document: dict[str, Any] = {
            "from": self.from_ref,
            "to": self.to_ref,
            "images": {c: self.count("image", c) for c in ("added", "removed", "changed", "renamed")},
            "annotations": {c: self.count("annotation", c) for c in ("added", "removed", "changed")},
            "splits": self.splits,
            "categories": {c: self._categories(c) for c in ("added", "removed")},
        }
        if self.waiting_saves is not None:
            document["waiting_saves"] = self.waiting_saves
        if self.with_rows:
            shown = (c for c in self.changes if c.entity != "split" or c.change == "moved")
            document["rows"] = [c.as_json() for c in shown]
        return document

    def _categories(self, change: str) -> list[str]:
        sides = (c.after or c.before for c in self.listed if c.entity == "category" and c.change == change)
        return [side["name"] for side in sides if side]


def diff(tables: Tables, before: Target, after: Target, rows: bool = False, waiting: int | None = None) -> Diff:
    """What changed from one version or draft to another, of one dataset or two; `waiting` saves are only said."""
    tables.open_together([*tables_of(before, ENTITIES), *tables_of(after, ENTITIES)])
    images, categories, splits = (sides(tables, before, after, e) for e in ("image", "category", "split"))
    listed = changes({"image": images, "annotation": Sides([], []), "category": categories, "split": splits})
    renames = _renames(listed)
    boxes = side_tables(tables, before, after, "annotation")
    pairs = paired(tables, boxes, renames, lambda gone, come: _followed(gone, come, renames))
    return Diff(before.name, after.name, listed, rows, waiting, pairs)


def changes(sides: Mapping[str, Sides]) -> tuple[Change, ...]:
    """What the rows that differ amount to: rows of image, annotation, category and split."""
    images = list(_images(sides["image"]))
    renames = _renames(images)
    boxes = list(_annotations(sides["annotation"], renames))
    categories = list(_categories(sides["category"]))
    return (*images, *boxes, *categories, *_splits(sides["split"], renames))


def _images(sides: Sides) -> Iterable[Change]:
    gone, come = ({r["image_key"]: r for r in side} for side in (sides.gone, sides.come))
    for key in sorted(gone.keys() & come.keys()):
        what = _image_change(gone[key], come[key])
        yield Change("image", "changed", what, key, _image(gone[key]), _image(come[key]))
    by_bytes: dict[str, list[str]] = {}
    for key in sorted(come.keys() - gone.keys(), reverse=True):
        by_bytes.setdefault(come[key]["content_hash"], []).append(key)
    for key in sorted(gone.keys() - come.keys()):
        same = by_bytes.get(gone[key]["content_hash"])
        after = _image(come[same.pop()]) if same else None
        change, what = ("renamed", ("key",)) if after else ("removed", ())
        yield Change("image", change, what, key, _image(gone[key]), after)
    for key in sorted(k for keys in by_bytes.values() for k in keys):
        yield Change("image", "added", (), key, None, _image(come[key]))


def _image(row: Row) -> dict[str, Any]:
    return {c: row[c] for c in ("image_key", "content_hash", "width", "height")}


def _image_change(a: Row, b: Row) -> tuple[str, ...]:
    columns = {
        "bytes": ("content_hash",),
        "size": ("width", "height", "orientation"),
        "labelled": ("labelled",),
        "attributes": ("attributes",),
    }
    return tuple(word for word, names in columns.items() if any(a[n] != b[n] for n in names))


def _renames(images: Sequence[Change]) -> dict[str, str]:
    return {
        c.before["image_key"]: c.after["image_key"] for c in images if c.change == "renamed" and c.before and c.after
    }


def _annotations(sides: Sides, renames: dict[str, str]) -> Iterable[Change]:
    gone, come = sides.gone, sides.come
    if renames:
        gone, come = _followed(gone, come, renames)
    pairs, removed, added = pair(gone, come)
    rows: list[tuple[Row | None, Row | None]] = [*pairs, *((r, None) for r in removed), *((None, r) for r in added)]
    return sorted((_annotation_change(a, b) for a, b in rows), key=lambda c: c.image_key or "")


def _annotation_change(before: Row | None, after: Row | None) -> Change:
    if before and after:
        return _pair_change((before, after))
    row = before or after
    assert row is not None
    shown = _annotation(row)
    if before:
        return Change("annotation", "removed", (), row["image_key"], shown, None)
    return Change("annotation", "added", (), row["image_key"], None, shown)


def _followed(gone: list[Row], come: list[Row], renames: dict[str, str]) -> tuple[list[Row], list[Row]]:
    """The rows under the images' new keys, without those that then are the same."""
    moved = []
    for row in gone:
        if row["image_key"] in renames:
            row = row | {"image_key": renames[row["image_key"]]}
            row["row_hash"] = digest.annotation_hash(row)
        moved.append(row)
    rest: dict[bytes, list[Row]] = {}
    for row in come:
        rest.setdefault(row["row_hash"], []).append(row)
    left = [r for r in moved if not rest.get(r["row_hash"]) or not rest[r["row_hash"]].pop()]
    return left, [r for rows in rest.values() for r in rows]


def _pair_change(rows: Pair) -> Change:
    a, b = rows
    what = ["moved"] if any(a[c] != b[c] for c in GEOMETRY) else []
    what += ["relabelled"] if a["category"] != b["category"] else []
    what += ["attributes"] if (a["is_crowd"], a["attributes"]) != (b["is_crowd"], b["attributes"]) else []
    return Change("annotation", "changed", tuple(what), b["image_key"], _annotation(a), _annotation(b))


def _annotation(row: Row) -> dict[str, Any]:
    box = row["bbox"]
    shown = None if box is None else [box[c] for c in "xywh"]
    return {"kind": row["kind"], "category": row["category"], "bbox": shown, "source_id": row["source_id"]}


def _categories(sides: Sides) -> Iterable[Change]:
    gone, come = ({r["name"]: r for r in side} for side in (sides.gone, sides.come))
    columns = ("name", "supercategory", "train_index")
    for key in sorted(gone.keys() | come.keys()):
        a, b = gone.get(key), come.get(key)
        change = "changed" if a and b else "removed" if a else "added"
        what = tuple(c for c in columns if a and b and a[c] != b[c])
        yield Change("category", change, what, None, a and {c: a[c] for c in columns}, b and {c: b[c] for c in columns})


def _splits(sides: Sides, renames: dict[str, str]) -> Iterable[Change]:
    gone = {str(renames.get(r["image_key"], r["image_key"])): str(r["split"]) for r in sides.gone}
    come = {str(r["image_key"]): str(r["split"]) for r in sides.come}
    for key in sorted(gone.keys() | come.keys()):
        a, b = gone.get(key), come.get(key)
        if a == b:
            continue
        change = "moved" if a and b else "removed" if a else "added"
        what = ("split",) if change == "moved" else ()
        before, after = ({"split": name} if name else None for name in (a, b))
        yield Change("split", change, what, key, before, after)
