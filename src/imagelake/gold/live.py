"""The rows of a published version, in Spark: log rows not yet closed, of publishes that a version row names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.tables import gold
from imagelake.tables.delta.store import DeltaStore
from imagelake.tables.spec import TableSpec

LOGS: dict[str, TableSpec] = {
    "image": gold.IMAGE_LOG,
    "annotation": gold.ANNOTATION_LOG,
    "category": gold.CATEGORY_LOG,
    "split": gold.SPLIT_LOG,
}


@dataclass(frozen=True)
class Published:
    """The version rows of one dataset, oldest first; every read of gold starts here."""

    dataset: str
    rows: Sequence[dict[str, Any]]

    @property
    def number(self) -> int:
        """The newest version number, 0 before the first."""
        return max((row["number"] for row in self.rows), default=0)

    @property
    def sequence(self) -> int:
        """The last sequence number used."""
        return max((row["sequence"] for row in self.rows), default=0)

    @property
    def publish_ids(self) -> list[str]:
        """The attempts whose rows count."""
        return sorted({row["publish_id"] for row in self.rows})

    @property
    def first(self) -> dict[str, Any] | None:
        """The row that published the first version; None before it."""
        return next((row for row in self.rows if row["recipe"] == 1), None)

    @property
    def newest(self) -> dict[str, Any] | None:
        """The row that published the newest version under recipe 1; None before the first."""
        return next((row for row in self.rows if (row["number"], row["recipe"]) == (self.number, 1)), None)

    def find(self, number: int, recipe: int = 1) -> dict[str, Any] | None:
        """The newest row of that version."""
        matching_rows = [row for row in self.rows if (row["number"], row["recipe"]) == (number, recipe)]
        return matching_rows[-1] if matching_rows else None


def published(tables: DeltaStore, dataset: str) -> Published:
    """The dataset's version rows now."""
    rows = tables.collect(gold.VERSIONS, dataset)
    return Published(dataset, sorted(rows, key=lambda row: int(row["sequence"])))


def live(tables: DeltaStore, past_versions: Published, entity: str, number: int) -> DataFrame:
    """The log rows of an entity that make up version `number`; all recipes for splits."""
    ids = past_versions.publish_ids
    log = tables.read(LOGS[entity], past_versions.dataset)
    ends = tables.read(gold.CLOSINGS, past_versions.dataset).where(
        (F.col("entity") == entity) & (F.col("removed_in") <= number) & F.col("publish_id").isin(ids)
    )
    rows = log.where((F.col("added_in") <= number) & F.col("publish_id").isin(ids))
    return rows.join(ends.select("row_id").distinct(), "row_id", "left_anti").selectExpr(*LOGS[entity].names)
