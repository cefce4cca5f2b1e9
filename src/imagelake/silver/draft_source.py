"""Where a build takes the draft from: the whole of it, or for small uploads only the part that they may touch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.quality.catalogue import WAITING
from imagelake.runs.context import Context
from imagelake.silver.apply_upload import DraftFrames
from imagelake.silver.build_plan import BuildPlan
from imagelake.silver.changes import category_changes, changes, row_changes
from imagelake.silver.published import published_splits, published_splits_of
from imagelake.silver.touched import Touched, touched_by
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.silver.upload.read_upload import ParsedUpload
from imagelake.tables import bronze, silver
from imagelake.tables.delta.pinned import PinnedTable, either, is_in
from imagelake.tables.delta.store import TableChanges
from imagelake.tables.delta.upsert import CHANGE
from imagelake.tables.frames import FEW_ROWS, collected

FEW_DRAFT_ROWS = FEW_ROWS
"""Rows of a draft up to which it is read whole whatever comes."""

_FEW_BYTES = 4 << 20
"""Bytes of documents that hold few rows: some 30,000 boxes of COCO."""

_ROWS = (silver.IMAGES, silver.ANNOTATIONS, silver.REJECTIONS)


class DraftSource(Protocol):
    """The draft during a batch."""

    def part(self, upload: LandedUpload, parsed: ParsedUpload) -> DraftFrames:
        """What the upload may touch."""
        ...

    def take(self, before: DraftFrames, after: DraftFrames, changed: Callable[[], list[TableChanges]]) -> None:
        """Go on with what an upload has made of its part; `changed` gives the difference of the two."""
        ...

    def different(self) -> list[TableChanges]:
        """What differs from the state that the batch is computed from, table by table."""
        ...


@dataclass
class WholeDraftSource:
    """The draft read whole: for uploads that may touch much of it, and for drafts of few rows."""

    ctx: Context
    before: DraftFrames
    now: DraftFrames = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.before

    @classmethod
    def of(cls, ctx: Context, dataset: str, plan: BuildPlan) -> WholeDraftSource:
        """The draft that the plan is computed from; lazy frames must not see this build's own writes."""
        images, annotations, rejections = (ctx.tables.read(spec, dataset, plan.version(spec)) for spec in _ROWS)
        open_rejections = rejections.where(F.col("closed_at").isNull())
        categories, splits = _categories(ctx, dataset, plan), published_splits(ctx, dataset)
        return cls(ctx, DraftFrames(images, annotations, categories, open_rejections, splits).checkpointed())

    def part(self, upload: LandedUpload, parsed: ParsedUpload) -> DraftFrames:
        """All of it."""
        return self.now

    def take(self, before: DraftFrames, after: DraftFrames, changed: Callable[[], list[TableChanges]]) -> None:
        """The draft after the upload."""
        self.now = after

    def different(self) -> list[TableChanges]:
        """By a comparison of all rows."""
        return changes(self.ctx, self.before, self.now)


@dataclass
class DraftParts:
    """The draft looked up part by part: what a small upload costs does not grow with the draft.

    `used` counts the annotations of each category in the whole draft.
    """

    ctx: Context
    dataset: str
    by_name: bool
    images: PinnedTable
    annotations: PinnedTable
    rejections: PinnedTable
    before: Sequence[Mapping[str, Any]]
    used: Counter[str]
    categories: Sequence[Mapping[str, Any]] = ()
    changes_by_upload: list[list[TableChanges]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.categories = self.before

    @classmethod
    def of(cls, ctx: Context, dataset: str, plan: BuildPlan) -> DraftParts:
        """The draft that the plan is computed from."""
        images, annotations, rejections = (
            PinnedTable.at(ctx.storage, spec, dataset, plan.version(spec)) for spec in _ROWS
        )
        used, by_name = annotations.count_by("category"), plan.settings.match == "name"
        categories = _categories(ctx, dataset, plan)
        return cls(ctx, dataset, by_name, images, annotations, rejections, categories, used)

    def part(self, upload: LandedUpload, parsed: ParsedUpload) -> DraftFrames:
        """The images that the upload's files and documents may mean, and all that belongs to them."""
        touched = touched_by(upload, parsed, self.by_name)
        is_twin = {"content_hash": touched.is_hash()} if touched.hashes else {}
        images = self.images.where({"image_key": touched.is_key(), **is_twin})
        rejections = self._open(touched, images)
        refused = _values(rejections, "image_key")
        if pc.any(pc.invert(pc.is_in(refused, value_set=_values(images, "image_key")))).as_py():
            # a file that comes anew may end a rejection of an image that it speaks of no more
            images = self.images.where({"image_key": either(touched.is_key(), is_in(refused)), **is_twin})
            rejections = self._open(touched, images)
        annotations = self.annotations.where({"image_key": is_in(_values(images, "image_key"))})
        here = Counter(annotations["category"].to_pylist())
        elsewhere = frozenset(str(name) for name, count in self.used.items() if count > here[name])
        meant = either(touched.is_key(), is_in(_values(images, "image_key")))
        frame_of = self.ctx.tables.frame_of
        return DraftFrames(
            frame_of(silver.IMAGES, images),
            frame_of(silver.ANNOTATIONS, annotations),
            self.categories,
            frame_of(silver.REJECTIONS, rejections),
            published_splits_of(self.ctx, self.dataset, meant),
            elsewhere,
        )

    def take(self, before: DraftFrames, after: DraftFrames, changed: Callable[[], list[TableChanges]]) -> None:
        """Overlay the changed rows of the part on the tables."""
        images, annotations, _, rejections = (change.rows.collected() for change in changed())
        annotations_before = collected(before.annotations)
        is_changed = pc.is_in(annotations_before["annotation_key"], value_set=_values(annotations, "annotation_key"))
        self.used.subtract(annotations_before.filter(is_changed)["category"].to_pylist())
        self.used.update(annotations.filter(pc.equal(annotations[CHANGE], "put"))["category"].to_pylist())
        for table, rows in ((self.images, images), (self.annotations, annotations), (self.rejections, rejections)):
            table.lay_over(rows)
        self.categories = after.categories
        self.changes_by_upload.append(changed())

    def different(self) -> list[TableChanges]:
        """The changes of all uploads; of several uploads, their rows compared with the stored ones."""
        if len(self.changes_by_upload) == 1:
            return self.changes_by_upload[0]
        rows = [
            row_changes(table.spec, self._stored(table), self._put(table))
            for table in (self.images, self.annotations, self.rejections)
        ]
        images, annotations, rejections = rows
        return [images, annotations, category_changes(self.ctx, self.before, self.categories), rejections]

    def _open(self, touched: Touched, images: pa.Table) -> pa.Table:
        meant = either(touched.is_key(), is_in(_values(images, "image_key")))
        masks = {"image_key": meant, "path": touched.is_path(), "rule": is_in(pa.array(WAITING))}
        rows = self.rejections.where(masks)
        rows = rows.filter(pc.is_null(rows["closed_at"]))
        # labels wait for an image by several names, of which the row has one and its record all
        named = pc.or_(
            pc.fill_null(meant(rows["image_key"]), False), pc.fill_null(touched.is_path()(rows["path"]), False)
        )
        waits = [touched.may_be_waited_for(record) for record in rows["record"].to_pylist()]
        return rows.filter(pc.or_(named, pa.chunked_array([pa.array(waits, pa.bool_())])))

    def _stored(self, table: PinnedTable) -> DataFrame:
        return self.ctx.tables.frame_of(table.spec, table.stored(table.changed))

    def _put(self, table: PinnedTable) -> DataFrame:
        return self.ctx.tables.frame_of(table.spec, table.put)


def are_small(ctx: Context, dataset: str, uploads: Sequence[LandedUpload]) -> bool:
    """Whether applying the uploads is work on few rows: they are small, and touch little of the draft or all of few."""
    if any(upload.mode == "replace" for upload in uploads) and not _is_draft_small(ctx, dataset):
        return False
    if sum(int(upload.row["files"]["read"]) for upload in uploads) > FEW_ROWS:
        return False
    attempts = [upload.attempt_id for upload in uploads]
    documents = pc.field("attempt_id").isin(attempts) & ~pc.field("role").isin(("image", "mask", "ignored"))
    lengths = ctx.tables.arrow(bronze.FILES, dataset, ("length",), documents)["length"]
    return int(pc.sum(lengths).as_py() or 0) <= _FEW_BYTES


def _is_draft_small(ctx: Context, dataset: str) -> bool:
    specs = (silver.IMAGES, silver.ANNOTATIONS, silver.REJECTIONS)
    return sum(ctx.tables.rows(spec, dataset) for spec in specs) <= FEW_DRAFT_ROWS


def source_of(ctx: Context, dataset: str, plan: BuildPlan, uploads: Sequence[LandedUpload]) -> DraftSource:
    """The draft that the plan is computed from, as the size of the work asks for it."""
    if _is_draft_small(ctx, dataset) or not are_small(ctx, dataset, uploads):
        return WholeDraftSource.of(ctx, dataset, plan)
    return DraftParts.of(ctx, dataset, plan)


def _categories(ctx: Context, dataset: str, plan: BuildPlan) -> list[dict[str, Any]]:
    return ctx.tables.collect(silver.CATEGORIES, dataset, plan.version(silver.CATEGORIES))


def _values(table: pa.Table, column: str) -> pa.Array:
    return pc.unique(table[column]).drop_null()
