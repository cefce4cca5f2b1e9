"""How far builds of a dataset have got, by the transactions of the silver tables."""

from __future__ import annotations

from imagelake.tables import deliveries, silver
from imagelake.tables.store import DeltaStore

SILVER = (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS)


def app_id(dataset: str) -> str:
    """The Delta application id of the dataset's builds; its versions are sequences of uploads."""
    return f"build/{dataset}"


def half_built(tables: DeltaStore, dataset: str) -> bool:
    """Whether some silver table already holds writes of an upload that is still pending."""
    pending = deliveries.pending(tables, dataset)
    if not pending:
        return False
    written = [tables.transaction(spec, app_id(dataset)) or 0 for spec in SILVER]
    return max(written) >= min(int(row["sequence"]) for row in pending)
