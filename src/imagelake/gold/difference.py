"""What a publish appends: new log rows, and closings of rows that changed or went."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.gold.live import LOGS
from imagelake.tables import gold
from imagelake.tables.frames import in_files, settled


@dataclass(frozen=True)
class Attempt:
    """One try to publish a number; its id is random and its rows count only once a version row names it."""

    dataset: str
    number: int
    publish_id: str


@dataclass(frozen=True)
class Difference:
    """Frames to append for one entity (settled), and their sizes; `changed` keys are in both."""

    entity: str
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
    unequal = settled(pairs.where(~equal))
    is_new, was = F.col(compared).isNotNull(), F.col("_old_id").isNotNull()
    rows = _log_rows(attempt, entity, key, unequal.where(is_new))
    closings = unequal.where(was).select(
        F.lit(attempt.dataset).alias("dataset"),
        F.lit(entity).alias("entity"),
        F.col("_old_id").alias("row_id"),
        F.lit(attempt.number).cast("bigint").alias("removed_in"),
        F.lit(attempt.publish_id).alias("publish_id"),
    )
    counts = unequal.agg(_number(is_new & ~was), _number(~is_new), _number(is_new & was)).collect()[0]
    added, removed, changed = (int(n or 0) for n in counts)
    return Difference(
        entity, in_files(rows, added + changed), closings.select(*gold.CLOSINGS.names), added, removed, changed
    )


def _number(condition: Column) -> Column:
    return F.sum(F.when(condition, 1).otherwise(0))


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
    ).select(*LOGS[entity].names)
