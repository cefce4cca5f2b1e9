"""`show`: one line a dataset, from the newest version, the draft's size and what waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagelake.client import catalog
from imagelake.client.catalog import History, Version
from imagelake.client.delta.tables import Tables
from imagelake.client.inspect.upload_states import problem_uploads
from imagelake.client.inspect.waiting_saves import waiting_saves
from imagelake.client.sql_text import Row
from imagelake.core import digest
from imagelake.errors import NotFound
from imagelake.storage.base import Storage
from imagelake.tables import bronze, silver

_SETTINGS = "datasets/"


@dataclass(frozen=True)
class Dataset:
    """A dataset: its newest version with counts, its draft with counts, what waits and what is refused.

    `draft_differs` says whether a publish would make a new version; `pending_uploads` counts deliveries not yet built
    or built since the newest version, `problem_uploads` those that failed or were rejected (as `show D` lists them),
    `waiting_saves` labels saved and not yet delivered.
    """

    dataset: str
    title: str | None
    tags: tuple[str, ...]
    version: str | None
    images: int
    annotations: int
    draft_images: int
    draft_annotations: int
    draft_differs: bool
    pending_uploads: int
    rejections: int
    problem_uploads: int
    waiting_saves: int


@dataclass(frozen=True)
class Datasets:
    """Every dataset of the lake, by name."""

    datasets: tuple[Dataset, ...]

    def as_json(self) -> dict[str, Any]:
        """{"datasets": [...]}."""
        return {"datasets": [vars(d) | {"tags": list(d.tags)} for d in self.datasets]}


@dataclass(frozen=True)
class _Lake:
    """What is known of every dataset, by its id."""

    tables: Tables
    versions: Mapping[str, History]
    uploads: Mapping[str, list[Row]]
    titles: Mapping[str, Row]
    images: Mapping[str, int]
    annotations: Mapping[str, int]
    rejections: Mapping[str, int]
    saves: Mapping[str, int]


def datasets(tables: Tables, storage: Storage) -> Datasets:
    """Every dataset anything was delivered to, published for, or set up for."""
    saves = waiting_saves(tables, storage)
    lake = _Lake(
        tables=tables,
        versions=catalog.histories(tables),
        uploads=_by_dataset(tables.facts(bronze.UPLOADS, ("sequence", "state"), "at")),
        titles=_titles(storage),
        images=tables.counts(silver.IMAGES),
        annotations=tables.counts(silver.ANNOTATIONS),
        rejections=tables.counts(silver.REJECTIONS, null="closed_at"),
        saves=saves,
    )
    names = sorted({*lake.versions, *lake.uploads, *lake.titles, *lake.images})
    return Datasets(tuple(_dataset(lake, name) for name in names))


def _dataset(lake: _Lake, name: str) -> Dataset:
    past = lake.versions.get(name) or History(name, (), ())
    title, latest = lake.titles.get(name, {}), past.latest
    states = _states(lake.uploads.get(name, ()))
    pending = _pending(states, past.newest)
    size = lake.images.get(name, 0), lake.annotations.get(name, 0)
    has_problems = any(row["state"] in ("failed", "rejected") for row in states)
    return Dataset(
        dataset=name,
        title=title.get("title"),
        tags=tuple(title.get("tags") or ()),
        version=latest.name if latest else None,
        images=latest.images if latest else 0,
        annotations=latest.annotations if latest else 0,
        draft_images=size[0],
        draft_annotations=size[1],
        draft_differs=_differs(lake.tables, past.newest, size, bool(pending)),
        pending_uploads=pending,
        rejections=lake.rejections.get(name, 0),
        problem_uploads=len(problem_uploads(lake.tables, name)) if has_problems else 0,
        waiting_saves=lake.saves.get(name, 0),
    )


def draft_differs(tables: Tables, dataset: str) -> bool:
    """Whether a publish of the dataset's draft would make a new version."""
    newest = catalog.history(tables, dataset).newest
    states = _states(tables.facts(bronze.UPLOADS, ("sequence", "state"), "at", dataset))
    images, annotations = (tables.counts(spec).get(dataset, 0) for spec in (silver.IMAGES, silver.ANNOTATIONS))
    return _differs(tables, newest, (images, annotations), bool(_pending(states, newest)))


def draft_digest(tables: Tables, dataset: str) -> str:
    """The content digest the draft would have as a version, from its stored row hashes."""
    sets = []
    for spec in (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES):
        rows = tables.batches(f"SELECT row_hash FROM {tables.relation(spec, ('row_hash',), dataset)}")
        sets.append(digest.set_digest(row_hash for batch in rows for row_hash in batch.column("row_hash").to_pylist()))
    return digest.content_digest(*sets)


def _by_dataset(rows: Iterable[Row]) -> dict[str, list[Row]]:
    by_dataset: dict[str, list[Row]] = {}
    for row in rows:
        by_dataset.setdefault(row["dataset"], []).append(row)
    return by_dataset


def _states(rows: Iterable[Row]) -> list[Row]:
    """One row an upload: its newest state, `landed` only while there is no other."""
    furthest: dict[int, Row] = {}
    for row in sorted(rows, key=lambda r: (r["state"] != "landed", r["written"])):
        furthest[row["sequence"]] = row
    return list(furthest.values())


def _pending(states: Iterable[Row], newest: Version | None) -> int:
    """Uploads that wait: landed only, or built after the newest version was written."""
    since = newest.written if newest else 0
    return sum(r["state"] == "landed" or (r["state"] == "built" and r["written"] > since) for r in states)


def _differs(tables: Tables, newest: Version | None, size: tuple[int, int], pending: bool) -> bool:
    """Counts decide most cases; digests are compared only where something was built since and counts agree."""
    if newest is None:
        return any(size)
    if size != (newest.images, newest.annotations):
        return True
    if not pending:
        return False
    published = catalog.details(tables, newest, ("content_digest",))["content_digest"]
    return draft_digest(tables, newest.dataset) != str(published)


def _titles(storage: Storage) -> dict[str, Row]:
    """Title and tags of every dataset with settings; what a settings file gets wrong is the writers' to say."""
    paths = [s.path for s in storage.list(_SETTINGS) if s.path.endswith(".yaml")]
    if not paths:
        return {}
    import yaml

    from imagelake.core.plain_yaml import load_yaml

    titles: dict[str, Row] = {}
    for path in paths:
        name = path.removeprefix(_SETTINGS).removesuffix(".yaml")
        try:
            data = load_yaml(storage.read(path))
        except (yaml.YAMLError, UnicodeDecodeError, NotFound):
            data = None
        titles[name] = data if isinstance(data, dict) else {}
    return titles
