"""Changes since the parent version, or between any two: counted, and shown as pictures before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imagelake.client.catalog import Target
from imagelake.client.text import Row
from imagelake.report.difference import Comparison, Counts, Move, changed_keys, counts, moves, sample
from imagelake.report.pictures.album import Album
from imagelake.report.pictures.scene import Scene, scene, shapes, turn_of
from imagelake.report.scope import Scope, annotation_rows, check_rows, image_rows
from imagelake.report.statistics.drift import Drift, drift

MOST_PAIRS = 8
_SIDE = 320

_GROUPS = (
    ("relabelled", "Labels changed", "images of both versions whose annotations differ"),
    ("bytes", "Pictures changed", "images whose bytes differ under the same key"),
    ("added", "Images added", "images that only the newer version has"),
    ("removed", "Images removed", "images that only the older version has"),
)


@dataclass(frozen=True)
class Pair:
    """An image before and after; None on the side that does not have it. Counts are of annotations."""

    key: str
    before: Scene | None
    after: Scene | None
    removed: int
    added: int


@dataclass(frozen=True)
class Group:
    """A kind of change: how many images changed so, and a few of them."""

    title: str
    doc: str
    total: int
    pairs: tuple[Pair, ...]

    @property
    def is_one_sided(self) -> bool:
        """Whether all pictures are of one end."""
        return all(pair.before is None or pair.after is None for pair in self.pairs)


@dataclass(frozen=True)
class Changes:
    """What differs between two versions, named in `before` and `after`."""

    before: str
    after: str
    counts: tuple[Counts, ...]
    moves: tuple[Move, ...]
    groups: tuple[Group, ...]
    drift: Drift

    @property
    def is_empty(self) -> bool:
        """Whether nothing that is shown differs."""
        return (
            not self.moves
            and not self.drift.has_moved_splits
            and not any(c.added or c.removed or c.changed or c.renamed for c in self.counts)
        )


@dataclass(frozen=True)
class _Side:
    """One end for the sampled images: rows of images and annotations, and the annotation keys only it has."""

    images: Mapping[str, Row]
    annotations: Mapping[str, Sequence[Row]]
    only: set[str]
    look: str


def since_parent(scope: Scope, album: Album) -> Changes | None:
    """The section of a version's page; None when it has no parent that may be read."""
    parent = _parent(scope)
    return None if parent is None else changes(Comparison(scope.tables, parent, scope.target), album)


def changes(comparison: Comparison, album: Album) -> Changes:
    """What differs, with samples chosen by a hash of the image key."""
    check_rows(comparison.tables, comparison.before)
    moved = moves(comparison)
    sampled = {kind: sample(comparison, kind, MOST_PAIRS) for kind, _, _ in _GROUPS}
    keys = sorted({key for _, some in sampled.values() for key in some})
    before = _side(comparison, comparison.before, keys, "removed")
    after = _side(comparison, comparison.after, keys, "added")
    groups = tuple(
        Group(title, doc, sampled[kind][0], tuple(_pair(key, before, after, album) for key in sampled[kind][1]))
        for kind, title, doc in _GROUPS
        if sampled[kind][0]
    )
    ends = (comparison.before.name, comparison.after.name)
    drifted = drift(comparison.tables, comparison.before, comparison.after)
    return Changes(*ends, counts(comparison), moved, groups, drifted)


def _parent(scope: Scope) -> Target | None:
    history = scope.target.history
    if scope.target.version is None:
        version = history.newest
    else:
        number, _, recipe = str(scope.row["parent"] or "").removeprefix("v").partition(".")
        version = history.find(int(number), int(recipe or 1)) if number.isdigit() else None
    if version is None or version.state == "retired":
        return None
    return Target(scope.target.dataset, version, history)


def _side(comparison: Comparison, end: Target, keys: list[str], look: str) -> _Side:
    only = changed_keys(comparison, "gone" if look == "removed" else "come", keys)
    tables = comparison.tables
    return _Side(image_rows(tables, end, keys), annotation_rows(tables, end, keys, only), only, look)


def _pair(key: str, before: _Side, after: _Side, album: Album) -> Pair:
    removed, added = (
        sum(r["annotation_key"] in side.only for r in side.annotations.get(key, ())) for side in (before, after)
    )
    return Pair(key, _scene(key, before, "before", album), _scene(key, after, "after", album), removed, added)


def _scene(key: str, side: _Side, word: str, album: Album) -> Scene | None:
    image = side.images.get(key)
    if image is None:
        return None
    rows, turn = side.annotations.get(key, ()), turn_of(image)
    changed = [r for r in rows if r["annotation_key"] in side.only]
    same = [r for r in rows if r["annotation_key"] not in side.only]
    drawn = shapes(same, turn, "other") + shapes(changed, turn, side.look)
    name = album.want(image["content_hash"], image["orientation"], _SIDE)
    return scene(name, f"{key[:200]}, {word}", turn.size, drawn, rows[0]["total"] if rows else 0)
