"""An upload that came before: whether it still says something new, and whether newer uploads changed what it brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.quality.apply import REJECT
from imagelake.silver.apply_upload import Applied
from imagelake.silver.delivery import Delivery
from imagelake.silver.units import UNIT
from imagelake.tables.deliveries import DONE, covers

_LISTED = 5

Row = Mapping[str, Any]


def earlier(rows: Sequence[Row], delivery: Delivery) -> Row | None:
    """The newest upload before this one with the same content, whose mode covers its own, that the draft has taken."""
    for row in reversed(rows):
        same = row["upload_id"] == delivery.upload_id and row["requested_format"] == delivery.row["requested_format"]
        before = same and row["state"] in DONE and row["sequence"] < delivery.sequence
        # --again makes an update of what came as append
        covered = covers(row["mode"], delivery.mode) or (delivery.again and covers(delivery.mode, row["mode"]))
        if before and covered:
            return row
    return None


def superseding(rows: Sequence[Row], before: Row, applied: Applied, changed: tuple[DataFrame, DataFrame]) -> list[Row]:
    """The uploads after `before` that changed units or bytes it brings, oldest first.

    Those say so themselves that changed a row it brought; and those whose rows would have to go if it were applied
    once more, or stand in its way. changed: the rows of silver.images and silver.annotations that would differ.
    """
    later = [row for row in rows if row["sequence"] > before["sequence"] and row["state"] == "built"]
    if not later:
        return []
    own = {before["upload_id"], *(before["confirms"] or ())}
    marked = _deliveries(applied, changed)
    return [row for row in later if own & set(row["supersedes"] or ()) or row["sequence"] in marked]


def message(newer: Sequence[Row]) -> str:
    """The sentence that names them."""
    names = ", ".join(f"{row['upload_id'][:12]} ({row['source']})" for row in newer[-_LISTED:])
    return f"newer uploads have changed what it brought: {names}; --again applies it once more"


def _deliveries(applied: Applied, changed: tuple[DataFrame, DataFrame]) -> set[int]:
    """The sequences of the draft's rows in units and images that would differ, and under keys that are taken."""
    images, annotations = changed
    taken = applied.rejected_images.where(F.col(f"{REJECT}.rule").isin("image.key_taken", "image.unlisted"))
    keys = images.select("image_key").unionByName(taken.select("image_key"))
    of_images = applied.before.images.join(keys, "image_key", "left_semi").select("delivery")
    units = annotations.select(*UNIT).distinct()
    of_labels = applied.before.annotations.join(units, [*UNIT], "left_semi").select("delivery")
    return {int(row["delivery"]) for row in of_images.unionByName(of_labels).distinct().collect()}
