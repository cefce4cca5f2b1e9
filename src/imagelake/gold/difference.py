"""What a publish appends: new log rows, and closings of rows that changed or went."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.gold.live import LOGS
from imagelake.tables import gold
from imagelake.tables.frames import Counted, counted

_CHANGE, _ADDED, _REMOVED, _CHANGED = "_change", "added", "removed", "changed"


@dataclass(frozen=True)
class Attempt:
    """One try to publish a number; its id is random and its rows count only once a version row names it."""

    dataset: str
    number: int
    publish_id: str


@dataclass(frozen=True)
class Difference:
    """Frames to append for one entity, and their sizes; `changed` keys are in both.

    `unequal` are the differing rows with the column they were `compared` by and `_old`, its value in the log.
    """

    entity: str
    compared: str
    unequal: Counted
    rows: DataFrame
    closings: DataFrame
    added: int
    removed: int
    changed: int


def difference(
    attempt: Attempt, entity: str, key: str, wanted: DataFrame, live: DataFrame, compared: str
) -> Difference:
    """The difference between the wanted rows of an entity and its live log rows, by key and one compared column."""
    old = live.select(key, F.col(compared).alias("_old"), F.col("row_id").alias("_old_id"))
    pairs = wanted.join(old, key, "full")
    equal = F.col(compared).eqNullSafe(F.col("_old")) & F.col("_old_id").isNotNull() & F.col(compared).isNotNull()
    change = F.when(F.col("_old_id").isNull(), _ADDED).when(F.col(compared).isNull(), _REMOVED).otherwise(_CHANGED)
    unequal = counted(pairs.where(~equal).withColumn(_CHANGE, change))
    rows = _log_rows(attempt, entity, key, unequal.frame.where(F.col(_CHANGE) != _REMOVED))
    closings = unequal.frame.where(F.col(_CHANGE) != _ADDED).select(
        F.lit(attempt.dataset).alias("dataset"),
        F.lit(entity).alias("entity"),
        F.col("_old_id").alias("row_id"),
        F.lit(attempt.number).cast("bigint").alias("removed_in"),
        F.lit(attempt.publish_id).alias("publish_id"),
    )
    n = unequal.tally(_CHANGE)
    counts = (n.get(label, 0) for label in (_ADDED, _REMOVED, _CHANGED))
    return Difference(entity, compared, unequal, rows, closings.selectExpr(*gold.CLOSINGS.names), *counts)


def _log_rows(attempt: Attempt, entity: str, key: str, rows: DataFrame) -> DataFrame:
    """row_id is a hash over attempt and key: unique per attempt, and the same however often Spark computes it."""
    row_id = F.substring(
        F.sha2(F.concat_ws("\u0000", F.lit(attempt.publish_id), F.lit(entity), F.col(key)), 256), 1, 32
    )
    return rows.withColumns(
        {
            "dataset": F.lit(attempt.dataset),
            "row_id": row_id,
            "added_in": F.lit(attempt.number).cast("bigint"),
            "publish_id": F.lit(attempt.publish_id),
        }
    ).selectExpr(*LOGS[entity].names)
