"""`show D`, `show REF`, `show --table T`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagelake.client import catalog
from imagelake.client.catalog import Target, Version
from imagelake.client.rows import live
from imagelake.client.runs import iso
from imagelake.client.tables import Tables


@dataclass(frozen=True)
class Shown:
    """One version in a list, with the names it goes by."""

    version: Version
    aliases: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The version as programs rely on it."""
        v = self.version
        return {
            "version": v.name,
            "number": v.number,
            "recipe": v.recipe,
            "parent": v.parent,
            "state": v.state,
            "digest": v.digest,
            "images": v.images,
            "annotations": v.annotations,
            "created_at": iso(v.created_at),
            "aliases": list(self.aliases),
            "note": v.note,
        }


@dataclass(frozen=True)
class Versions:
    """A dataset's versions in the order they were published."""

    dataset: str
    versions: tuple[Shown, ...]

    def as_json(self) -> dict[str, Any]:
        """{"dataset", "versions": [...]}."""
        return {"dataset": self.dataset, "versions": [v.as_json() for v in self.versions]}


@dataclass(frozen=True)
class VersionDetails:
    """One version or draft: its row, and images and annotations by split and by category."""

    row: Mapping[str, Any]
    splits: Mapping[str, Mapping[str, int]]
    categories: tuple[Mapping[str, Any], ...]
    quality: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """The version as in a list of versions, plus "splits", "categories" and "quality"."""
        splits = {name: dict(counts) for name, counts in self.splits.items()}
        categories = [dict(c) for c in self.categories]
        quality = None if self.quality is None else dict(self.quality)
        return {**self.row, "splits": splits, "categories": categories, "quality": quality}


def versions(tables: Tables, dataset: str) -> Versions:
    """The versions of a dataset; NotFound when there is no such dataset."""
    past = catalog.history(tables, dataset)
    if not past.versions:
        catalog.require_dataset(tables, dataset)
    names = catalog.aliases(tables, dataset)
    return Versions(dataset, tuple(Shown(v, _names(v, names)) for v in past.versions))


def version(tables: Tables, target: Target) -> VersionDetails:
    """One version, from its row alone; a draft is counted."""
    if target.version is None:
        return _draft(tables, target)
    found = target.version
    extra = catalog.details(tables, found, ("split_stats", "class_stats", "quality"))
    row = Shown(found, _names(found, catalog.aliases(tables, found.dataset))).as_json()
    categories = tuple({"name": n, **counts} for n, counts in _parsed(extra["class_stats"]).items())
    quality = _parsed(extra["quality"]) if extra["quality"] else None
    return VersionDetails(row, _parsed(extra["split_stats"]), categories, quality)


def _names(version: Version, aliases: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    return tuple(sorted(a for a, of in aliases.items() if of == (version.number, version.recipe)))


def _parsed(text: str | None) -> dict[str, Any]:
    return dict(json.loads(text)) if text else {}


def _draft(tables: Tables, target: Target) -> VersionDetails:
    images = live(tables, target, "image", ("image_key", "split"))
    boxes = live(tables, target, "annotation", ("image_key", "category"))
    classes = live(tables, target, "category", ("name", "train_index"))
    totals = tables.query(f"SELECT (SELECT count(*) FROM {images}) AS i, (SELECT count(*) FROM {boxes}) AS a")[0]
    by_split = tables.query(
        f"SELECT i.split, count(*) AS images, coalesce(sum(b.n), 0)::BIGINT AS annotations FROM {images} AS i "
        f"LEFT JOIN (SELECT image_key, count(*) AS n FROM {boxes} GROUP BY image_key) AS b USING (image_key) "
        "WHERE i.split IS NOT NULL GROUP BY i.split ORDER BY i.split"
    )
    by_class = tables.query(
        f"SELECT c.name, count(DISTINCT b.image_key) AS images, count(b.image_key) AS annotations FROM {classes} AS c "
        f"LEFT JOIN {boxes} AS b ON b.category = c.name GROUP BY c.name, c.train_index ORDER BY c.train_index, c.name"
    )
    latest = target.history.latest
    row = {
        "version": target.name,
        "number": None,
        "recipe": None,
        "parent": f"v{latest.number}.{latest.recipe}" if latest else None,
        "state": "draft",
        "digest": None,
        "images": totals["i"],
        "annotations": totals["a"],
        "created_at": None,
        "aliases": [],
        "note": None,
    }
    splits = {r["split"]: {"images": r["images"], "annotations": r["annotations"]} for r in by_split}
    return VersionDetails(row, splits, tuple(by_class), None)
