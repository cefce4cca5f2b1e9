"""Images that are the same, side by side: whether they lie in several splits, and how each is labelled.

A kind of sameness is a table of groups. `grouped` counts and draws any such table: that of equal bytes is made here in
SQL, groups that something else computed come in through `groups_of_keys`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from imagelake.client.delta.version_rows import live
from imagelake.client.sql_text import Row
from imagelake.config.dataset_settings import StatisticsSettings
from imagelake.quality.near_duplicates import DISTANCE, near_duplicates
from imagelake.report.pictures.scene import Scene, orientation_of, scene, shapes
from imagelake.report.scope import ReportScope
from imagelake.report.sketch import Material, Sketch

MOST_GROUPS, MOST_MEMBERS = 12, 4
_SIDE = 280


@dataclass(frozen=True)
class DuplicateImage:
    """An image of a group."""

    key: str
    split: str
    scene: Scene


@dataclass(frozen=True)
class DuplicateGroup:
    """Images that are the same: how many, their splits, and some of them."""

    images: int
    splits: tuple[str, ...]
    members: tuple[DuplicateImage, ...]

    @property
    def is_across(self) -> bool:
        """Whether it lies in several splits."""
        return len(self.splits) > 1


@dataclass(frozen=True)
class SamenessCounts:
    """A kind of sameness in numbers, by (name, title, doc); `rows` are the groups to show: images, splits, keys."""

    names: tuple[str, str, str]
    groups: int
    images: int
    across_splits: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Sameness:
    """A kind of sameness: its groups in numbers, and the groups across splits first, then the largest."""

    name: str
    title: str
    doc: str
    groups: int
    images: int
    across_splits: int
    shown: tuple[DuplicateGroup, ...]

    def as_json(self) -> dict[str, Any]:
        """The numbers, and the keys of the groups that are shown."""
        return {
            "groups": self.groups,
            "images": self.images,
            "across_splits": self.across_splits,
            "shown": [
                {"images": g.images, "splits": list(g.splits), "keys": [m.key for m in g.members]} for g in self.shown
            ],
        }


def duplicates(scope: ReportScope) -> Sketch[tuple[Sameness, ...]] | None:
    """The section, a kind after the other; None when no two images are the same in any way."""
    kinds = [kind for kind in (equal_bytes(scope), look_alikes(scope)) if kind.groups]
    if not kinds:
        return None
    keys = {key for kind in kinds for row in kind.rows for key in row["keys"]}
    return Sketch(lambda material: tuple(_drawn(scope, kind, material) for kind in kinds), keys)


def equal_bytes(scope: ReportScope) -> SamenessCounts:
    """Images with the same content hash."""
    table = scope.tables.once(
        "_report_equal_bytes",
        f"SELECT g.name, i.id AS image FROM {scope.images} AS i JOIN (SELECT content_hash, "
        f"row_number() OVER (ORDER BY content_hash) AS name FROM {scope.images} GROUP BY content_hash "
        "HAVING count(*) > 1) AS g USING (content_hash)",
    )
    return grouped(scope, ("equal_bytes", "Equal bytes", "files that are byte for byte the same"), table)


def look_alikes(scope: ReportScope) -> SamenessCounts:
    """Images whose perceptual hashes are close; none where there are more images than the settings compare."""
    names = ("near_duplicates", "Near-duplicates", f"pictures of other bytes that look alike, within {DISTANCE} bits")
    asked = json.loads(scope.settings).get("statistics", {})  # versions of before have none
    most = asked.get("compare_up_to", StatisticsSettings().compare_up_to)
    if scope.one(f"SELECT count(*) AS n FROM {scope.images}")["n"] > most:
        return SamenessCounts(names, 0, 0, 0, ())
    rows = live(scope.tables, scope.target, "image", ("image_key", "content_hash", "phash", "contrast", "entropy"))
    alike = near_duplicates(scope.tables.con.sql(f"SELECT * FROM {rows}").to_arrow_table()).groups
    groups: dict[int, list[str]] = {}
    for key, group in zip(alike["image_key"].to_pylist(), alike["group"].to_pylist(), strict=True):
        groups.setdefault(group, []).append(key)
    return grouped(scope, names, groups_of_keys(scope, names[0], groups.values()))


def groups_of_keys(scope: ReportScope, name: str, groups: Iterable[Sequence[str]]) -> str:
    """A table for `grouped` from groups of image keys; keys that the version does not have are left out."""
    keys: list[str] = []
    numbers: list[int] = []
    for number, group in enumerate(groups):
        keys += group
        numbers += [number] * len(group)
    return scope.tables.once(
        f"_report_groups_{name}",
        f"SELECT g.name, i.id AS image FROM {scope.images} AS i "
        "JOIN (SELECT unnest($1::VARCHAR[]) AS image_key, unnest($2::BIGINT[]) AS name) AS g USING (image_key)",
        [keys, numbers],
    )


def grouped(scope: ReportScope, names: tuple[str, str, str], table: str) -> SamenessCounts:
    """A kind of sameness by (name, title, doc), from a table of (name of the group, image as an id of scope.images)."""
    groups = scope.tables.once(
        f"_report_same_{names[0]}",
        f"SELECT g.name, count(*) AS images, list_sort(list(DISTINCT i.split)) AS splits, "
        f"list_sort(arg_min(i.image_key, i.draw, {MOST_MEMBERS})) AS keys FROM {table} AS g JOIN {scope.images} AS i "
        "ON i.id = g.image GROUP BY g.name HAVING count(*) > 1",
    )
    row = scope.one(
        "SELECT count(*) AS groups, coalesce(sum(images), 0)::BIGINT AS images, "
        f"count(*) FILTER (WHERE len(splits) > 1) AS across FROM {groups}"
    )
    rows = scope.tables.query(
        f"SELECT images, splits, keys FROM {groups} ORDER BY len(splits) = 1, images DESC, name LIMIT {MOST_GROUPS}"
    )
    return SamenessCounts(names, row["groups"], row["images"], row["across"], tuple(rows))


def _drawn(scope: ReportScope, kind: SamenessCounts, material: Material) -> Sameness:
    splits = scope.splits_of([key for row in kind.rows for key in row["keys"]])
    shown = (
        DuplicateGroup(
            row["images"],
            tuple(split for split in scope.splits if split in row["splits"]),
            tuple(DuplicateImage(key, splits[key], _scene(key, material)) for key in row["keys"]),
        )
        for row in kind.rows
    )
    return Sameness(*kind.names, kind.groups, kind.images, kind.across_splits, tuple(shown))


def _scene(key: str, material: Material) -> Scene:
    image, rows = material.samples.images[key], material.samples.annotations.get(key, ())
    orientation = orientation_of(image)
    name = material.album.want(image["content_hash"], image["orientation"], _SIDE)
    return scene(name, key[:200], orientation.size, shapes(rows, orientation, "focus"), rows[0]["total"] if rows else 0)
