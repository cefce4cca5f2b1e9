"""Changes since the parent version, or between any two: counted, and shown as pictures before and after."""

from __future__ import annotations

from dataclasses import dataclass

from imagelake.client.catalog import Target
from imagelake.report.difference_report import ChangeCounts, Comparison, SplitMove, changed_keys, counts, moves, sample
from imagelake.report.pictures.album import Album
from imagelake.report.pictures.scene import Scene, orientation_of, scene, shapes
from imagelake.report.scope import ReportScope, Totals, check_rows
from imagelake.report.sketch import Material, Sketch, SketchRows, samples
from imagelake.report.statistics.drift import Drift, drift, totals_of

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
class ChangeGroup:
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
    counts: tuple[ChangeCounts, ...]
    moves: tuple[SplitMove, ...]
    groups: tuple[ChangeGroup, ...]
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
    """One end for the sampled images: their rows, and the annotation keys that only it has."""

    samples: SketchRows
    only: set[str]
    look: str


def since_parent(scope: ReportScope) -> Sketch[Changes] | None:
    """The section of a version's page; None when it has no parent that may be read."""
    parent = _parent(scope)
    if parent is None:
        return None
    after = scope.totals if scope.target.version is None else totals_of(scope.tables, scope.target)
    return changes(Comparison(scope.tables, parent, scope.target), after)


def changes(comparison: Comparison, after: Totals) -> Sketch[Changes]:
    """What differs, with samples chosen by a hash of the image key; drawn with material of the second end."""
    check_rows(comparison.tables, comparison.before)
    moved = moves(comparison)
    sampled = {kind: sample(comparison, kind, MOST_PAIRS) for kind, _, _ in _GROUPS}
    keys = sorted({key for _, some in sampled.values() for key in some})
    removed, added = (changed_keys(comparison, side, keys) for side in ("removed", "added"))
    counted = counts(comparison)
    drifted = drift(totals_of(comparison.tables, comparison.before), after)

    def drawn(material: Material) -> Changes:
        older = _Side(samples(comparison.tables, comparison.before, keys, removed), removed, "removed")
        newer = _Side(material.samples, added, "added")
        groups = tuple(
            ChangeGroup(
                title, doc, sampled[kind][0], tuple(_pair(k, older, newer, material.album) for k in sampled[kind][1])
            )
            for kind, title, doc in _GROUPS
            if sampled[kind][0]
        )
        return Changes(comparison.before.name, comparison.after.name, counted, moved, groups, drifted)

    return Sketch(drawn, keys, added)


def _parent(scope: ReportScope) -> Target | None:
    history = scope.target.history
    if scope.target.version is None:
        version = history.newest
    else:
        number, _, recipe = str(scope.row["parent"] or "").removeprefix("v").partition(".")
        version = history.find(int(number), int(recipe or 1)) if number.isdigit() else None
    if version is None or version.state == "retired":
        return None
    return Target(scope.target.dataset, version, history)


def _pair(key: str, before: _Side, after: _Side, album: Album) -> Pair:
    removed, added = (
        sum(r["annotation_key"] in side.only for r in side.samples.annotations.get(key, ())) for side in (before, after)
    )
    return Pair(key, _scene(key, before, "before", album), _scene(key, after, "after", album), removed, added)


def _scene(key: str, side: _Side, word: str, album: Album) -> Scene | None:
    image = side.samples.images.get(key)
    if image is None:
        return None
    rows, orientation = side.samples.annotations.get(key, ()), orientation_of(image)
    changed = [r for r in rows if r["annotation_key"] in side.only]
    same = [r for r in rows if r["annotation_key"] not in side.only]
    drawn = shapes(same, orientation, "other") + shapes(changed, orientation, side.look)
    name = album.want(image["content_hash"], image["orientation"], _SIDE)
    return scene(name, f"{key[:200]}, {word}", orientation.size, drawn, rows[0]["total"] if rows else 0)
