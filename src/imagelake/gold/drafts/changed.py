"""The rows of a draft that may differ from the newest version, and those of the version: all of them, or few.

Rows that came or changed tell the upload that did it. That no other row went is told by counts: those of the version
and the draft agree outside of what was looked at, and where they do not, counts by image say where to look.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.gold.drafts.live_rows import LiveRows
from imagelake.gold.live import LOGS, Published
from imagelake.runs.context import Context
from imagelake.tables import silver
from imagelake.tables.delta.database import database
from imagelake.tables.delta.pinned import Mask, PinnedTable, above, is_in
from imagelake.tables.delta.types import with_all_columns
from imagelake.tables.frames import FEW_ROWS
from imagelake.tables.spec import TableSpec

log = logging.getLogger(__name__)

OF_ENTITY: Mapping[str, TableSpec] = {
    "image": silver.IMAGES,
    "annotation": silver.ANNOTATIONS,
    "category": silver.CATEGORIES,
}

_SPLIT_BY = ("image_key", "content_hash", "split", "attributes")
_OF_LABEL = ("annotation_key", "row_hash", "image_key")

_GONE = """
SELECT image_key FROM (SELECT image_key FROM version ANTI JOIN ended USING (row_id)) AS v
ANTI JOIN draft USING (image_key)
"""
_OTHER_COUNT = """
SELECT coalesce(v.image_key, d.image_key) AS image_key
FROM (SELECT image_key, count(*) AS n FROM version ANTI JOIN ended USING (row_id) GROUP BY image_key) AS v
FULL JOIN (SELECT image_key, count(*) AS n FROM draft GROUP BY image_key) AS d USING (image_key)
WHERE v.n IS DISTINCT FROM d.n
"""


@dataclass(frozen=True)
class Compared:
    """Rows by entity: of the draft, `draft_rows`, and of the newest version, `live`.

    Splits depend on whole groups: `members` are the images of the draft whose split may differ, and among the live
    rows of the version are their splits.
    """

    draft_rows: Mapping[str, pa.Table]
    live: Mapping[str, pa.Table]
    members: pa.Table
    past: pa.Table


def all_rows(ctx: Context, past_versions: Published, versions: Mapping[str, int]) -> Compared:
    """All rows of the draft and of the newest version."""
    log = LiveRows(ctx, past_versions)
    draft_rows = {
        entity: ctx.tables.table(spec, past_versions.dataset, versions[spec.name]) for entity, spec in OF_ENTITY.items()
    }
    return Compared(draft_rows, {entity: log.rows(entity) for entity in LOGS}, draft_rows["image"], log.past_splits())


def changed_rows(ctx: Context, past_versions: Published, versions: Mapping[str, int]) -> Compared | None:
    """The rows that may differ; None when there are too many or they cannot be determined."""
    parent = past_versions.newest
    if parent is None or parent["last_sequence"] is None:
        return None
    return _Changes(ctx, past_versions, versions, {"delivery": above(int(parent["last_sequence"]))}).compared()


@dataclass(frozen=True)
class _Changes:
    """A search for changed rows; `fresh` selects added and changed rows."""

    ctx: Context
    past_versions: Published
    versions: Mapping[str, int]
    fresh: dict[str, Mask]

    def compared(self) -> Compared | None:
        log, draft = LiveRows(self.ctx, self.past_versions), self._draft("image")
        images = self._images(log, draft)
        if images is None:
            return None
        new, old = images
        labels = self._labels(log, _both(new, old, "image_key"))
        if labels is None:
            return None
        members = draft.columns(_SPLIT_BY, {"content_hash": is_in(_both(new, old, "content_hash"))})
        past = log.past_splits({"image_key": is_in(_both(members, old, "image_key"))})
        names = self.ctx.tables.table(
            silver.CATEGORIES, self.past_versions.dataset, self.versions[silver.CATEGORIES.name]
        )
        draft_rows = {"image": new, "annotation": labels[0], "category": names}
        live = {"image": old, "annotation": labels[1], "category": log.rows("category")}
        members = with_all_columns(silver.IMAGES, members)
        return Compared(draft_rows, {**live, "split": log.still_open("split", past)}, members, past)

    def _images(self, log: LiveRows, draft: PinnedTable) -> tuple[pa.Table, pa.Table] | None:
        """Fresh images, and the rows of the version with their keys or with keys that the draft has no more."""
        keys = draft.columns(("image_key",), self.fresh)["image_key"].combine_chunks()
        if len(keys) > FEW_ROWS:
            return None
        old = self._old_images(log, keys)
        removed = self._count("image") - len(old) - (self._now("image") - len(keys))
        if not 0 <= removed <= FEW_ROWS:
            return None
        if removed:
            old = self._old_images(log, pa.concat_arrays([keys, self._differing(log, "image", _GONE)]))
        if self._count("image") - len(old) != self._now("image") - len(keys):
            _warn(self.past_versions.dataset, "images")
            return None
        return draft.where(self.fresh), old

    def _old_images(self, log: LiveRows, keys: pa.Array) -> pa.Table:
        return log.keys("image", {"image_key": is_in(keys)}, ("image_key", "content_hash", "row_hash"))

    def _labels(self, log: LiveRows, images: pa.Array) -> tuple[pa.Table, pa.Table] | None:
        """Annotations of draft and version that differ, of images that have fresh ones or had some that are gone."""
        draft = self._draft("annotation")
        fresh = draft.columns(("image_key",), self.fresh)["image_key"].combine_chunks()
        touched = pa.concat_arrays([images, fresh]).unique()
        rows = self._labels_of(log, draft, touched)
        if rows is not None and not self._are_all(*rows):
            others = self._differing(log, "annotation", _OTHER_COUNT)
            rows = self._labels_of(log, draft, pa.concat_arrays([touched, others]).unique())
            if rows is not None and not self._are_all(*rows):
                _warn(self.past_versions.dataset, "annotations")
                return None
        return None if rows is None else self._unequal(draft, *rows)

    def _labels_of(self, log: LiveRows, draft: PinnedTable, images: pa.Array) -> tuple[pa.Table, pa.Table] | None:
        """Keys and hashes of all annotations of these images, now and before."""
        if len(images) > FEW_ROWS:
            return None
        of_images = {"image_key": is_in(images)}
        now = draft.columns(_OF_LABEL, of_images)
        return (now, log.keys("annotation", of_images, _OF_LABEL)) if len(now) <= FEW_ROWS else None

    def _unequal(self, draft: PinnedTable, now: pa.Table, before: pa.Table) -> tuple[pa.Table, pa.Table]:
        new, old = (dict(zip(*(t[n].to_pylist() for n in _OF_LABEL[:2]), strict=True)) for t in (now, before))
        differing = pa.array([key for key, value in new.items() if key not in old or old[key] != value], pa.string())
        rows = draft.where(self.fresh)
        rows = rows.filter(pc.is_in(rows["annotation_key"], value_set=differing))
        if len(rows) != len(differing):  # one differs although no upload since says so: it is looked up by its key
            rows = draft.where({"annotation_key": is_in(differing)})
        stays = [key in new and new[key] == value for key, value in old.items()]
        return rows, before.filter(pc.invert(pa.array(stays, pa.bool_())))

    def _are_all(self, now: pa.Table, before: pa.Table) -> bool:
        return self._count("annotation") - len(before) == self._now("annotation") - len(now)

    def _count(self, entity: str) -> int:
        assert self.past_versions.newest is not None
        return int(self.past_versions.newest[f"{entity}s"])

    def _now(self, entity: str) -> int:
        spec = OF_ENTITY[entity]
        return self.ctx.tables.rows(spec, self.past_versions.dataset, self.versions[spec.name])

    def _draft(self, entity: str) -> PinnedTable:
        spec = OF_ENTITY[entity]
        return PinnedTable.at(self.ctx.storage, spec, self.past_versions.dataset, self.versions[spec.name])

    def _differing(self, log: LiveRows, entity: str, query: str) -> pa.Array:
        """Image keys, by a query over the keys of version and draft."""
        self.ctx.progress(f"looking for {entity}s that went from {self.past_versions.dataset}")
        spec = OF_ENTITY[entity]
        with database() as connection:
            connection.register(
                "draft", self.ctx.tables.scan(spec, self.past_versions.dataset, self.versions[spec.name])
            )
            connection.register("version", log.scan(entity))
            connection.register("ended", pa.table({"row_id": log.ended(entity)}))
            return connection.sql(query).to_arrow_table()["image_key"].combine_chunks().cast(pa.string())


def _warn(dataset: str, what: str) -> None:
    log.warning("%s: which of its %s have changed cannot be told, so all are compared", dataset, what)


def _both(one: pa.Table, other: pa.Table, column: str) -> pa.Array:
    """The values of a column in one of two tables, each once."""
    return pa.concat_arrays([table[column].combine_chunks() for table in (one, other)]).unique()
