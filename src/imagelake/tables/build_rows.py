"""The build progress of a dataset, read from its tables."""

from __future__ import annotations

from imagelake.tables import silver, upload_rows
from imagelake.tables.delta.store import DeltaStore
from imagelake.tables.spec import TableSpec

SILVER: tuple[TableSpec, ...] = (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS)


def app_id(dataset: str) -> str:
    """The Delta application id of the dataset's builds."""
    return f"build/{dataset}"


def half_built(tables: DeltaStore, dataset: str) -> bool:
    """Whether some silver table already has writes of an upload that is not marked built."""
    pending = upload_rows.pending(tables, dataset)
    if not pending:
        return False
    seen = [tables.transaction(spec, app_id(dataset)) or 0 for spec in SILVER]
    return max(seen) >= min(int(row["sequence"]) for row in pending)
