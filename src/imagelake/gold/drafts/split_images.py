"""The splits of images by a recipe, continued from what was published; and what is odd about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.errors import GateFailed
from imagelake.gold.plan import CONTRADICTS, Remarks
from imagelake.gold.splits.assign import Assigned, Recipe, assign
from imagelake.tables.frames import Counted, counted

_NAMED = 10


@dataclass(frozen=True)
class Splits:
    """Split rows of images (image_key, split, group_key, origin), and what is odd about them."""

    rows: Counted
    remarks: Remarks


def split_images(
    dataset: str,
    images: DataFrame,
    past: DataFrame,
    annotations: Callable[[], DataFrame],
    by: tuple[Recipe, DatasetSettings],
) -> Splits:
    """The splits of all images. past: all split rows ever published of them under the recipe.

    GateFailed when bytes or groups lie in several splits and the settings refuse that.
    """
    recipe, settings = by
    assigned = assign(images, past, annotations, recipe)
    rows = counted(assigned.images.withColumn("contradicts", F.col("contradicts").cast("string")))
    moved = rows.count_by("origin").get("moved", 0)
    if moved and settings.splits.on_conflict == "refuse":
        examples = rows.frame.where("origin = 'moved'").select("image_key").limit(3).collect()
        raise GateFailed(
            f"{dataset}: the same bytes or group lie in several splits, for example "
            f"{', '.join(row['image_key'] for row in examples)}",
            hint="mend the upload, or set splits.on_conflict: move",
        )
    contradictions = rows.count_by("contradicts").get("true", 0)
    return Splits(rows, _remarks(assigned, moved, contradictions))


def _remarks(assigned: Assigned, moved: int, contradictions: int) -> Remarks:
    joined = assigned.joined_groups
    counts = {
        CONTRADICTS: contradictions,
        "split.moved": moved,
        "split.groups_joined": len(joined),
        "split.group_missing": assigned.ungrouped,
    }
    warnings = {rule: count for rule, count in counts.items() if count}
    return Remarks(warnings, (_joined_sentence(joined),) if joined else ())


def _joined_sentence(groups: tuple[str, ...]) -> str:
    more = f" and {len(groups) - _NAMED} more" if len(groups) > _NAMED else ""
    return (
        f"{len(groups)} groups share byte-identical images, so that they lie in one split: "
        f"{', '.join(groups[:_NAMED])}{more}"
    )
