"""A draft of which few rows may differ from the newest version: compared, split, measured and digested here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.gold.difference import Attempt, Difference, local_difference
from imagelake.gold.digests import NOTHING, Digests, digests_since, stored
from imagelake.gold.drafts.changed import OF_ENTITY, Compared
from imagelake.gold.drafts.live_rows import LiveRows
from imagelake.gold.drafts.split_images import Splits, split_images
from imagelake.gold.live import Published
from imagelake.gold.measures.relations import LocalRelations, draft_relations
from imagelake.gold.splits.assign import Recipe
from imagelake.gold.splits.recipes import FIRST
from imagelake.runs.context import Context
from imagelake.tables import gold, silver
from imagelake.tables.frames import few_rows

_PLACE = ("split", "group_key")


@dataclass(frozen=True)
class LocalDraft:
    """A draft at Delta versions of its tables, and the rows of it that may differ."""

    ctx: Context
    past_versions: Published
    recipe: Recipe
    versions: Mapping[str, int]
    compared: Compared

    def differences(self, attempt: Attempt) -> list[Difference]:
        """By comparing the rows that may differ."""
        draft_rows, live = self.compared.draft_rows, self.compared.live
        return [
            local_difference(attempt, entity, spec.key[-1], draft_rows[entity], live[entity], "row_hash")
            for entity, spec in OF_ENTITY.items()
        ]

    def splits(self, settings: DatasetSettings) -> Splits:
        """The splits of the images whose groups have changed."""
        frame_of, compared = self.ctx.tables.frame_of, self.compared
        with few_rows(self.ctx.spark):
            return split_images(
                self.past_versions.dataset,
                frame_of(silver.IMAGES, compared.members),
                frame_of(gold.SPLIT_LOG, compared.past),
                lambda: frame_of(silver.ANNOTATIONS, compared.draft_rows["annotation"]),
                (self.recipe, settings),
            )

    def split_difference(self, attempt: Attempt, splits: Splits) -> Difference:
        """Like `WholeDraft.split_difference`."""
        rows = splits.rows.collected()
        new = rows.append_column("recipe", pa.array([FIRST] * len(rows), pa.int32()))
        live = self.compared.live["split"]
        return local_difference(attempt, "split", "image_key", _with_place(new), _with_place(live), "_place")

    def digests(self, differences: Sequence[Difference], splits: Splits) -> Digests:
        """From the parent's and the differences to it."""
        return digests_since(stored(self.past_versions.newest) or NOTHING, differences)

    @contextmanager
    def relations(self, splits: Splits) -> Iterator[LocalRelations]:
        """The files of the draft, read column by column."""
        placed = self._all_splits(splits)
        with draft_relations(self.ctx.tables, self.past_versions.dataset, self.versions, placed) as relations:
            yield relations

    def _all_splits(self, splits: Splits) -> pa.RecordBatchReader:
        """image_key and split of all images: those of the version, and in their place those that are new."""
        names = ["image_key", "split"]
        new = splits.rows.collected().select(names)
        schema = pa.schema([(name, pa.string()) for name in names])

        def batches() -> Iterator[pa.RecordBatch]:
            log = LiveRows(self.ctx, self.past_versions)
            for batch in log.scan("split").scanner(columns=[*names, "row_id"]).to_batches():
                is_old = pc.or_(
                    pc.is_in(batch["row_id"], value_set=log.ended("split")),
                    pc.is_in(batch["image_key"], value_set=new["image_key"].combine_chunks()),
                )
                yield batch.filter(pc.invert(is_old)).select(names).cast(schema)
            yield from new.cast(schema).to_batches()

        return pa.RecordBatchReader.from_batches(schema, batches())


def _with_place(rows: pa.Table) -> pa.Table:
    """An image in a new group has a new row too: what is in one group can be told from the rows of a version."""
    parts = [rows[name].combine_chunks().cast(pa.string()) for name in _PLACE]
    return rows.append_column("_place", pa.StructArray.from_arrays(parts, list(_PLACE)))
