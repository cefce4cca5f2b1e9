"""`show D`, `show REF`, `show --table T`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from imagelake.client import catalog
from imagelake.client.catalog import Target, Version
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import UNASSIGNED, live
from imagelake.client.inspect.runs import iso
from imagelake.client.inspect.upload_states import ProblemUpload, problem_uploads
from imagelake.client.inspect.waiting_saves import waiting_in
from imagelake.client.refs import Ref, version_name
from imagelake.client.sql_text import Row, text
from imagelake.core.upload_paths import check_dataset_id
from imagelake.storage.base import Storage
from imagelake.tables import gold

_FIRST_ROW = ("sequence", "parent", "digest", "note", "author", "at")


@dataclass(frozen=True)
class Shown:
    """One version in a list, with the names it goes by; `created_at` is UTC."""

    version: Version
    aliases: tuple[str, ...]
    parent: str | None
    digest: str
    note: str | None
    author: str | None
    created_at: datetime

    def as_json(self) -> dict[str, Any]:
        """The version as programs rely on it."""
        v = self.version
        return {
            "version": v.name,
            "number": v.number,
            "recipe": v.recipe,
            "parent": self.parent,
            "state": v.state,
            "digest": self.digest,
            "images": v.images,
            "annotations": v.annotations,
            "created_at": iso(self.created_at),
            "aliases": list(self.aliases),
            "note": self.note,
            "author": self.author,
        }


@dataclass(frozen=True)
class AliasRow:
    """An alias of a dataset: the version it names, who set it, and when (UTC)."""

    alias: str
    version: str
    author: str | None
    set_at: datetime

    def as_json(self) -> dict[str, Any]:
        """{"alias", "version", "author", "set_at"}."""
        return {"alias": self.alias, "version": self.version, "author": self.author, "set_at": iso(self.set_at)}


@dataclass(frozen=True)
class Versions:
    """A dataset's versions in the order they were published, and what has not become part of one.

    `latest` is what D and D@latest name, `aliases` the other names in use, `problems` the uploads that failed or were
    rejected, `waiting_saves` the number of labels that were saved and not yet delivered.
    """

    dataset: str
    versions: tuple[Shown, ...]
    latest: str | None
    problems: tuple[ProblemUpload, ...]
    waiting_saves: int
    aliases: tuple[AliasRow, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """{"dataset", "versions": [...], "latest", "aliases": [...], "problems": [...], "waiting_saves"}."""
        return {
            "dataset": self.dataset,
            "versions": [v.as_json() for v in self.versions],
            "latest": self.latest,
            "aliases": [a.as_json() for a in self.aliases],
            "problems": [p.as_json() for p in self.problems],
            "waiting_saves": self.waiting_saves,
        }


@dataclass(frozen=True)
class VersionDetails:
    """One version or draft: its row, and images and annotations by split and by category.

    `waiting_saves` is the number of labels that were saved and not yet delivered; None for a version.
    """

    row: Mapping[str, Any]
    splits: Mapping[str, Mapping[str, int]]
    categories: tuple[Mapping[str, Any], ...]
    quality: Mapping[str, Any] | None
    waiting_saves: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The version as in a list of versions, plus "splits", "categories", "quality"; a draft's "waiting_saves"."""
        splits = {name: dict(counts) for name, counts in self.splits.items()}
        categories = [dict(c) for c in self.categories]
        quality = None if self.quality is None else dict(self.quality)
        document = {**self.row, "splits": splits, "categories": categories, "quality": quality}
        return document if self.waiting_saves is None else document | {"waiting_saves": self.waiting_saves}


def versions(tables: Tables, storage: Storage, dataset: str) -> Versions:
    """The versions of a dataset; NotFound when there is no such dataset."""
    waiting = waiting_in(tables, storage, (check_dataset_id(dataset),))
    past = catalog.history(tables, dataset)
    if not past.versions:
        catalog.require_dataset(tables, dataset)
    rows = catalog.alias_rows(tables, dataset, ("author", "at"))
    names = {alias: (row["number"], row["recipe"] or 1) for alias, row in rows.items()}
    first = {r["sequence"]: r for r in tables.rows(gold.VERSIONS, _FIRST_ROW, dataset)}
    shown = tuple(_shown(v, first[v.sequence], names) for v in past.versions)
    latest = past.latest.name if past.latest else None
    aliases = tuple(
        AliasRow(alias, version_name(dataset, *names[alias]), row["author"], row["at"])
        for alias, row in sorted(rows.items())
    )
    return Versions(dataset, shown, latest, problem_uploads(tables, dataset), waiting, aliases)


def version(tables: Tables, storage: Storage, ref: Ref) -> VersionDetails:
    """One version, from its row alone; a draft is counted."""
    waiting = waiting_in(tables, storage, (ref.dataset,)) if ref.is_draft else None
    target = catalog.resolve(tables, ref)
    if target.version is None:
        return replace(_draft(tables, target), waiting_saves=waiting)
    published = target.version
    first = catalog.details(tables, published, (*_FIRST_ROW[1:], "split_stats", "class_stats", "quality"))
    row = _shown(published, first, catalog.aliases(tables, published.dataset)).as_json()
    categories = tuple({"name": n, **counts} for n, counts in _parsed(first["class_stats"]).items())
    quality = _parsed(first["quality"]) if first["quality"] else None
    return VersionDetails(row, _parsed(first["split_stats"]), categories, quality)


def _shown(version: Version, first: Row, aliases: Mapping[str, tuple[int, int]]) -> Shown:
    names = _names(version, aliases)
    return Shown(version, names, first["parent"], first["digest"], first["note"], first["author"], first["at"])


def _names(version: Version, aliases: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    return tuple(sorted(a for a, of in aliases.items() if of == (version.number, version.recipe)))


def _parsed(document: str | None) -> dict[str, Any]:
    return dict(json.loads(document)) if document else {}


def _draft(tables: Tables, target: Target) -> VersionDetails:
    images = live(tables, target, "image", ("image_key",))
    splits = live(tables, target, "split", ("image_key", "split"))
    boxes = live(tables, target, "annotation", ("image_key", "category"))
    classes = live(tables, target, "category", ("name", "train_index"))
    totals = tables.query(f"SELECT (SELECT count(*) FROM {images}) AS i, (SELECT count(*) FROM {boxes}) AS a")[0]
    by_split = tables.query(
        f"SELECT s.split, count(*) AS images, coalesce(sum(b.n), 0)::BIGINT AS annotations FROM {splits} AS s "
        f"LEFT JOIN (SELECT image_key, count(*) AS n FROM {boxes} GROUP BY image_key) AS b USING (image_key) "
        f"GROUP BY s.split ORDER BY s.split = {text(UNASSIGNED)}, s.split"
    )
    by_class = tables.query(
        f"SELECT c.name, count(DISTINCT b.image_key) AS images, count(b.image_key) AS annotations FROM {classes} AS c "
        f"LEFT JOIN {boxes} AS b ON b.category = c.name GROUP BY c.name, c.train_index ORDER BY c.train_index, c.name"
    )
    newest = target.history.newest
    row = {
        "version": target.name,
        "number": None,
        "recipe": None,
        "parent": f"v{newest.number}.{newest.recipe}" if newest else None,
        "state": "draft",
        "digest": None,
        "images": totals["i"],
        "annotations": totals["a"],
        "created_at": None,
        "aliases": [],
        "note": None,
        "author": None,
    }
    counts = {r["split"]: {"images": r["images"], "annotations": r["annotations"]} for r in by_split}
    return VersionDetails(row, counts, tuple(by_class), None)
