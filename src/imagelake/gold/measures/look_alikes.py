"""Images of a draft that look like another one, and those of them whose like lies in another split."""

from __future__ import annotations

from dataclasses import dataclass

from imagelake.gold.measures.relations import Relations
from imagelake.quality.near_duplicates import near_duplicates
from imagelake.runs.context import Context
from imagelake.tables import silver

_COLUMNS = ("image_key", "content_hash", "phash", "contrast", "entropy")

_ACROSS = """
SELECT coalesce(sum(n), 0) FROM (
    SELECT count(*) AS n FROM {alike} JOIN {images} USING (image_key) JOIN {splits} USING (image)
    GROUP BY likeness HAVING count(DISTINCT split) > 1) AS spread
"""


@dataclass(frozen=True)
class LookAlikes:
    """Images that look like another one of other bytes, and those of them in a group that several splits have."""

    images: int
    across: int


def look_alikes(ctx: Context, dataset: str, relations: Relations) -> LookAlikes:
    """The look-alikes of the draft that the relations are of."""
    groups = near_duplicates(ctx.tables.arrow(silver.IMAGES, dataset, _COLUMNS)).groups
    if not len(groups):
        return LookAlikes(0, 0)
    alike = groups.select(["image_key", "group"]).rename_columns(["image_key", "likeness"])
    ((across,),) = relations.rows(_ACROSS, alike=alike)
    return LookAlikes(len(groups), int(across))
