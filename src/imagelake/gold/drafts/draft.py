"""What a publish asks of a draft, and which kind of draft answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.gold.difference import Attempt, Difference
from imagelake.gold.digests import Digests, stored
from imagelake.gold.drafts.changed import OF_ENTITY, Compared, all_rows, changed_rows
from imagelake.gold.drafts.local_draft import LocalDraft
from imagelake.gold.drafts.split_images import Splits
from imagelake.gold.drafts.whole_draft import WholeDraft
from imagelake.gold.live import LOGS, Published
from imagelake.gold.measures.relations import Relations
from imagelake.gold.splits.assign import Recipe
from imagelake.runs.context import Context
from imagelake.tables import gold, silver
from imagelake.tables.frames import FEW_ROWS

FEW_DRAFT_ROWS = FEW_ROWS
"""Rows of a draft and its logs up to which all of them are compared, whatever has changed."""


class Draft(Protocol):
    """A content about to be published, beside the newest version."""

    def differences(self, attempt: Attempt) -> list[Difference]:
        """Those of images, annotations and categories."""
        ...

    def splits(self, settings: DatasetSettings) -> Splits:
        """The splits of the images, as far as they may differ from those of the version.

        GateFailed when bytes or groups lie in several splits and the settings refuse that.
        """
        ...

    def split_difference(self, attempt: Attempt, splits: Splits) -> Difference:
        """The difference that these splits make."""
        ...

    def digests(self, differences: Sequence[Difference], splits: Splits) -> Digests:
        """The set digests of the content. differences: all four."""
        ...

    def relations(self, splits: Splits) -> AbstractContextManager[Relations]:
        """What can be counted of the whole content."""
        ...


def is_small(ctx: Context, dataset: str) -> bool:
    """Whether a dataset has few rows, all versions included."""
    specs = (silver.IMAGES, silver.ANNOTATIONS, silver.REJECTIONS, *LOGS.values(), gold.CLOSINGS)
    return sum(ctx.tables.rows(spec, dataset) for spec in specs) <= FEW_DRAFT_ROWS


def draft_of(ctx: Context, past_versions: Published, recipe: Recipe) -> Draft:
    """The draft of a dataset as it is now, to be published under recipe 1."""
    versions = {spec.name: ctx.tables.version(spec) for spec in OF_ENTITY.values()}
    rows = _few_rows(ctx, past_versions, recipe, versions)
    if rows is None:
        return WholeDraft.now(ctx, past_versions, recipe, versions)
    return LocalDraft(ctx, past_versions, recipe, versions, rows)


def _few_rows(ctx: Context, past_versions: Published, recipe: Recipe, versions: dict[str, int]) -> Compared | None:
    """All rows of a small dataset, of a large one those that may differ; None where they are many."""
    if past_versions.newest is not None and stored(past_versions.newest) is None:
        return None  # of an older imagelake: its digests are not there to be added to
    if is_small(ctx, past_versions.dataset):
        return all_rows(ctx, past_versions, versions)
    if recipe.group_by is not None or recipe.stratify:
        return None  # the place of an image may depend on any other
    return changed_rows(ctx, past_versions, versions)
