"""`show`: one line a dataset, from the newest version, the draft's size and what waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imagelake import digest
from imagelake.client import catalog
from imagelake.client.refs import version_name
from imagelake.client.tables import Tables
from imagelake.client.text import Row
from imagelake.errors import NotFound
from imagelake.storage.base import Storage
from imagelake.tables import bronze, gold, silver

_SETTINGS = "datasets/"
_VERSION = ("sequence", "number", "recipe", "state", "images", "annotations")


@dataclass(frozen=True)
class Dataset:
    """A dataset: its newest version with counts, its draft with counts, what waits and what is refused.

    `draft_differs` says whether a publish would make a new version; `pending_uploads` counts deliveries not yet built
    or built since the newest version.
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


@dataclass(frozen=True)
class Datasets:
    """Every dataset of the lake, by name."""

    datasets: tuple[Dataset, ...]

    def as_json(self) -> dict[str, Any]:
        """{"datasets": [...]}."""
        return {"datasets": [vars(d) | {"tags": list(d.tags)} for d in self.datasets]}


def datasets(tables: Tables, storage: Storage) -> Datasets:
    """Every dataset anything was delivered to, published for, or set up for."""
    versions = _by_dataset(tables.facts(gold.VERSIONS, _VERSION, "at"))
    uploads = _by_dataset(tables.facts(bronze.UPLOADS, ("sequence", "state"), "at"))
    titles = _titles(storage)
    images, annotations = tables.counts(silver.IMAGES), tables.counts(silver.ANNOTATIONS)
    refused = tables.counts(silver.REJECTIONS, null="closed_at")
    found = []
    for name in sorted({*versions, *uploads, *titles, *images}):
        rows = sorted(versions.get(name, ()), key=lambda r: int(r["sequence"]))
        latest = _latest(rows)
        newest = max(rows, key=lambda r: (r["number"], -r["sequence"]), default=None)
        pending = _pending(uploads.get(name, ()), newest)
        size = images.get(name, 0), annotations.get(name, 0)
        found.append(
            Dataset(
                dataset=name,
                title=titles.get(name, {}).get("title"),
                tags=tuple(titles.get(name, {}).get("tags") or ()),
                version=version_name(name, latest["number"], latest["recipe"]) if latest else None,
                images=latest["images"] if latest else 0,
                annotations=latest["annotations"] if latest else 0,
                draft_images=size[0],
                draft_annotations=size[1],
                draft_differs=_differs(tables, name, newest, size, bool(pending)),
                pending_uploads=pending,
                rejections=refused.get(name, 0),
            )
        )
    return Datasets(tuple(found))


def draft_digest(tables: Tables, dataset: str) -> str:
    """The content digest the draft would have as a version, from its stored row hashes."""
    sets = []
    for spec in (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES):
        rows = tables.rows(spec, ("row_hash",), dataset)
        sets.append(digest.set_digest(r["row_hash"] for r in rows))
    return digest.content_digest(*sets)


def _by_dataset(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["dataset"], []).append(row)
    return found


def _latest(rows: Iterable[Row]) -> Row | None:
    """As History.latest: the published version with the highest number, in its lowest recipe."""
    newest = {(r["number"], r["recipe"]): r for r in rows}
    published = [r for r in newest.values() if r["state"] == "published"]
    return max(published, key=lambda r: (r["number"], -r["recipe"]), default=None)


def _pending(rows: Iterable[Row], newest: Row | None) -> int:
    """Deliveries that wait: landed only, or built after the newest version was written."""
    since = newest["written"] if newest else 0
    state: dict[int, Row] = {}
    for row in sorted(rows, key=lambda r: bool(r["state"] != "landed")):
        state[row["sequence"]] = row
    return sum(r["state"] == "landed" or (r["state"] == "built" and r["written"] > since) for r in state.values())


def _differs(tables: Tables, dataset: str, newest: Row | None, size: tuple[int, int], pending: bool) -> bool:
    """Counts decide most cases; digests are compared only where something was built since and counts agree."""
    if newest is None:
        return any(size)
    if size != (newest["images"], newest["annotations"]):
        return True
    if not pending:
        return False
    published = catalog.history(tables, dataset).find(newest["number"], newest["recipe"])
    assert published is not None
    return draft_digest(tables, dataset) != str(
        catalog.details(tables, published, ("content_digest",))["content_digest"]
    )


def _titles(storage: Storage) -> dict[str, Row]:
    """Title and tags of every dataset with settings; what a settings file gets wrong is the writers' to say."""
    paths = [s.path for s in storage.list(_SETTINGS) if s.path.endswith(".yaml")]
    if not paths:
        return {}
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Row] = {}
    for path in paths:
        name = path.removeprefix(_SETTINGS).removesuffix(".yaml")
        try:
            data = yaml.load(storage.read(path), Loader=loader)  # noqa: S506  CSafeLoader is safe
        except (yaml.YAMLError, UnicodeDecodeError, NotFound):
            data = None
        found[name] = data if isinstance(data, dict) else {}
    return found
