"""The splits of a content by a recipe, continued from what was published; and what is odd about them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context
from imagelake.dataset_settings import DatasetSettings
from imagelake.errors import GateFailed
from imagelake.gold.live import Published
from imagelake.gold.plan import CONTRADICTS, Content, Remarks
from imagelake.gold.splits import Assigned, Recipe, assign
from imagelake.tables import gold
from imagelake.tables.frames import settled, tally

_NAMED = 10


def split_images(
    ctx: Context, known: Published, recipe_number: int, recipe: Recipe, content: Content, settings: DatasetSettings
) -> tuple[DataFrame, Remarks]:
    """The split rows of the content (settled), with `origin`; and what is odd about them.

    GateFailed when bytes or groups lie in several splits and the settings refuse that.
    """
    past = ctx.tables.read(gold.SPLIT_LOG, known.dataset).where(
        F.col("publish_id").isin(known.publish_ids) & (F.col("recipe") == recipe_number)
    )
    assigned = assign(content.images, past, content.annotations, recipe)
    rows = settled(assigned.images)
    if settings.splits.on_conflict == "refuse":
        moved = [r["image_key"] for r in rows.where("origin = 'moved'").select("image_key").limit(3).collect()]
        if moved:
            raise GateFailed(
                f"{known.dataset}: the same bytes or group lie in several splits, for example {', '.join(moved)}",
                hint="mend the upload, or set splits.on_conflict: move",
            )
    return rows.drop("contradicts"), _of_splits(rows, assigned)


def _of_splits(rows: DataFrame, assigned: Assigned) -> Remarks:
    n = tally(
        rows.where("contradicts").select(F.lit(CONTRADICTS)),
        rows.where("origin = 'moved'").select(F.lit("split.moved")),
    )
    joined = assigned.joined_groups
    counts = {**n, "split.groups_joined": len(joined), "split.group_missing": assigned.ungrouped}
    warnings = {rule: count for rule, count in counts.items() if count}
    return Remarks(warnings, (_joined_sentence(joined),) if joined else ())


def _joined_sentence(groups: tuple[str, ...]) -> str:
    more = f" and {len(groups) - _NAMED} more" if len(groups) > _NAMED else ""
    return (
        f"{len(groups)} groups share byte-identical images, so that they lie in one split: "
        f"{', '.join(groups[:_NAMED])}{more}"
    )
