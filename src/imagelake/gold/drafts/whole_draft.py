"""A draft compared, split, measured and digested whole, by Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.gold.content import VersionContent
from imagelake.gold.difference import Attempt, Difference, difference, first_difference
from imagelake.gold.digests import Digests, digests, digests_since, stored
from imagelake.gold.drafts.changed import OF_ENTITY
from imagelake.gold.drafts.split_images import Splits, split_images
from imagelake.gold.live import Published, live
from imagelake.gold.measures.relations import Relations, SparkRelations, draft_relations
from imagelake.gold.splits.assign import Recipe
from imagelake.gold.splits.recipes import FIRST
from imagelake.runs.context import Context
from imagelake.tables import gold, silver
from imagelake.tables.frames import all_checkpointed, collected, run_parallel

MANY_ROWS = 10_000_000
"""Rows of a draft from which on Spark counts them: this process counts a million in a second."""


@dataclass(frozen=True)
class WholeDraft:
    """All rows of a draft, or of a version that gets another recipe; checkpointed, so that all steps see the same rows.

    Images keep the split that they had in any version under `past_recipe`. `versions`: the Delta versions of a draft.
    """

    ctx: Context
    past_versions: Published
    recipe: Recipe
    recipe_number: int
    past_recipe: int
    content: VersionContent
    versions: Mapping[str, int] | None = None

    @classmethod
    def now(cls, ctx: Context, past_versions: Published, recipe: Recipe, versions: Mapping[str, int]) -> WholeDraft:
        """The draft at these Delta versions of its tables."""
        rows = (ctx.tables.read(spec, past_versions.dataset, versions[spec.name]) for spec in OF_ENTITY.values())
        return cls(ctx, past_versions, recipe, FIRST, FIRST, VersionContent(*all_checkpointed(*rows)), versions)

    @classmethod
    def of_version(
        cls, ctx: Context, past_versions: Published, number: int, recipe: tuple[Recipe, int, int]
    ) -> WholeDraft:
        """The content of a version. recipe: what to split it by, its number, and that of the recipe it continues."""
        rows = (live(ctx.tables, past_versions, entity, number) for entity in ("image", "annotation", "category"))
        return cls(ctx, past_versions, *recipe, VersionContent(*all_checkpointed(*rows)))

    def differences(self, attempt: Attempt) -> list[Difference]:
        """By comparing all rows with those of the newest version."""

        def compared(entity: str, key: str, frame: DataFrame) -> Difference:
            if not self.past_versions.rows:
                return first_difference(attempt, entity, key, frame, "row_hash")
            old = live(self.ctx.tables, self.past_versions, entity, self.past_versions.number)
            return difference(attempt, entity, key, frame, old, "row_hash")

        return run_parallel(
            lambda: compared("image", "image_key", self.content.images),
            lambda: compared("annotation", "annotation_key", self.content.annotations),
            lambda: compared("category", "name", self.content.categories),
        )

    def splits(self, settings: DatasetSettings) -> Splits:
        """The splits of all images."""
        past = self.ctx.tables.read(gold.SPLIT_LOG, self.past_versions.dataset).where(
            F.col("publish_id").isin(self.past_versions.publish_ids) & (F.col("recipe") == self.past_recipe)
        )
        content, by = self.content, (self.recipe, settings)
        return split_images(self.past_versions.dataset, content.images, past, lambda: content.annotations, by)

    def split_difference(self, attempt: Attempt, splits: Splits) -> Difference:
        """An image in a new group has a new row too: what is in one group can be told from the rows of a version."""
        place = F.struct("split", "group_key")
        new = splits.rows.frame.withColumns({"recipe": F.lit(self.recipe_number), "_place": place})
        if not self.past_versions.rows:
            return first_difference(attempt, "split", "image_key", new, "_place")
        old = live(self.ctx.tables, self.past_versions, "split", attempt.number).where(
            F.col("recipe") == self.recipe_number
        )
        return difference(attempt, "split", "image_key", new, old.withColumn("_place", place), "_place")

    def digests(self, differences: Sequence[Difference], splits: Splits) -> Digests:
        """From the parent's and the differences to it, where it is the newest version and its row has them."""
        parent = stored(self.past_versions.newest)
        if parent is None or self.recipe_number != FIRST:
            return digests(self.content, splits.rows.frame)
        return digests_since(parent, differences)

    @contextmanager
    def relations(self, splits: Splits) -> Iterator[Relations]:
        """Frames of all rows; the files of a draft of fewer than MANY_ROWS."""
        if self.versions is not None and self._rows(self.versions) <= MANY_ROWS:
            placed = collected(splits.rows.frame.select("image_key", "split"))
            with draft_relations(self.ctx.tables, self.past_versions.dataset, self.versions, placed) as relations:
                yield relations
            return
        rejections = self.ctx.tables.read(silver.REJECTIONS, self.past_versions.dataset).where("closed_at IS NULL")
        yield SparkRelations.of(self.content, splits.rows.frame, rejections)

    def _rows(self, versions: Mapping[str, int]) -> int:
        specs = (silver.IMAGES, silver.ANNOTATIONS)
        return sum(self.ctx.tables.rows(spec, self.past_versions.dataset, versions[spec.name]) for spec in specs)
