"""The tables of a lake, declared once."""

from __future__ import annotations

from imagelake.tables import bronze, gold, ops, silver
from imagelake.tables.spec import Column, TableSpec

ALL: tuple[TableSpec, ...] = (
    bronze.UPLOADS,
    bronze.FILES,
    bronze.BLOBS,
    silver.IMAGES,
    silver.ANNOTATIONS,
    silver.CATEGORIES,
    silver.REJECTIONS,
    gold.IMAGE_LOG,
    gold.ANNOTATION_LOG,
    gold.CATEGORY_LOG,
    gold.SPLIT_LOG,
    gold.CLOSINGS,
    gold.VERSIONS,
    gold.ALIASES,
    ops.RUNS,
    ops.QUALITY,
)

__all__ = ["ALL", "Column", "TableSpec", "bronze", "gold", "ops", "silver"]
