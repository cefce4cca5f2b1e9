"""What a publish appends: new log rows, and closings of rows that changed or went."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.gold.live import LOGS
from imagelake.tables import gold
from imagelake.tables.delta.types import arrow_schema, with_all_columns
from imagelake.tables.frames import Counted, LocalRows, counted

_CHANGE, _ADDED, _REMOVED, _CHANGED = "_change", "added", "removed", "changed"

OLD = "_old"
"""Column of differing rows: the value in the log of the column that they are compared by."""


@dataclass(frozen=True)
class Attempt:
    """One try to publish a number; its id is random and its rows count only once a version row names it."""

    dataset: str
    number: int
    publish_id: str


@dataclass(frozen=True)
class Difference:
    """Rows to append for one entity, and their numbers; `changed` keys are in both.

    `unequal` are the differing rows with their key, the column they were `compared` by, and OLD.
    """

    entity: str
    compared: str
    unequal: Counted | LocalRows
    rows: Counted | LocalRows
    closings: Counted | LocalRows
    added: int
    removed: int
    changed: int


def difference(
    attempt: Attempt, entity: str, key: str, new_rows: DataFrame, live: DataFrame, compared: str
) -> Difference:
    """The difference between the new rows of an entity and its live log rows, by key and one compared column."""
    old = live.select(key, F.col(compared).alias(OLD), F.col("row_id").alias("_old_id"))
    pairs = new_rows.join(old, key, "full")
    equal = F.col(compared).eqNullSafe(F.col(OLD)) & F.col("_old_id").isNotNull() & F.col(compared).isNotNull()
    change = F.when(F.col("_old_id").isNull(), _ADDED).when(F.col(compared).isNull(), _REMOVED).otherwise(_CHANGED)
    unequal = counted(pairs.where(~equal).withColumn(_CHANGE, change))
    return _of_unequal(attempt, entity, key, compared, unequal, unequal.count_by(_CHANGE))


def first_difference(attempt: Attempt, entity: str, key: str, new_rows: DataFrame, compared: str) -> Difference:
    """Like `difference`, for a dataset without a version. new_rows: checkpointed."""
    nothing = F.lit(None).cast(new_rows.schema[compared].dataType)
    columns = {OLD: nothing, "_old_id": F.lit(None).cast("string"), _CHANGE: F.lit(_ADDED)}
    count = new_rows.count()
    return _of_unequal(attempt, entity, key, compared, Counted(new_rows.withColumns(columns), count), {_ADDED: count})


def _of_unequal(
    attempt: Attempt, entity: str, key: str, compared: str, unequal: Counted, n: Mapping[str, int]
) -> Difference:
    added, removed, changed = (n.get(label, 0) for label in (_ADDED, _REMOVED, _CHANGED))
    rows = _log_rows(attempt, entity, key, unequal.frame.where(F.col(_CHANGE) != _REMOVED))
    closings = unequal.frame.where(F.col(_CHANGE) != _ADDED).select(
        F.lit(attempt.dataset).alias("dataset"),
        F.lit(entity).alias("entity"),
        F.col("_old_id").alias("row_id"),
        F.lit(attempt.number).cast("bigint").alias("removed_in"),
        F.lit(attempt.publish_id).alias("publish_id"),
    )
    ends = Counted(closings.selectExpr(*gold.CLOSINGS.names), removed + changed)
    return Difference(entity, compared, unequal, Counted(rows, added + changed), ends, added, removed, changed)


def local_difference(
    attempt: Attempt, entity: str, key: str, new_rows: pa.Table, live: pa.Table, compared: str
) -> Difference:
    """Like `difference`, for Arrow tables on the driver."""
    names, values = new_rows[key].to_pylist(), new_rows[compared].to_pylist()
    olds = zip(live[key].to_pylist(), live[compared].to_pylist(), live["row_id"].to_pylist(), strict=True)
    old = {name: (value, row_id) for name, value, row_id in olds}
    differs = [name not in old or old[name][0] != value for name, value in zip(names, values, strict=True)]
    changed_rows = new_rows.filter(pa.array(differs, pa.bool_()))
    changed = [name for name in changed_rows[key].to_pylist() if name in old]
    removed_keys = old.keys() - set(names)
    ended = [*changed, *sorted(removed_keys)]
    kind = new_rows.schema.field(compared).type
    old_values = [old[name][0] if name in old else None for name in changed_rows[key].to_pylist()]
    unequal = pa.table(
        {
            key: pa.concat_arrays([changed_rows[key].combine_chunks(), pa.array(sorted(removed_keys), pa.string())]),
            compared: pa.concat_arrays([changed_rows[compared].combine_chunks(), pa.nulls(len(removed_keys), kind)]),
            OLD: pa.array([*old_values, *(old[name][0] for name in sorted(removed_keys))], kind),
        }
    )
    closings = _closings(attempt, entity, [old[name][1] for name in ended])
    rows = _local_log_rows(attempt, entity, key, changed_rows)
    counts = (len(changed_rows) - len(changed), len(removed_keys), len(changed))
    return Difference(entity, compared, LocalRows(unequal), LocalRows(rows), LocalRows(closings), *counts)


def _closings(attempt: Attempt, entity: str, row_ids: list[str]) -> pa.Table:
    of_all = {"dataset": attempt.dataset, "entity": entity, "removed_in": attempt.number}
    rows = [{**of_all, "row_id": row_id, "publish_id": attempt.publish_id} for row_id in row_ids]
    return pa.Table.from_pylist(rows, schema=arrow_schema(gold.CLOSINGS))


def _local_log_rows(attempt: Attempt, entity: str, key: str, rows: pa.Table) -> pa.Table:
    of_attempt = {
        "dataset": pa.array([attempt.dataset] * len(rows), pa.string()),
        "row_id": pa.array([_row_id(attempt, entity, name) for name in rows[key].to_pylist()], pa.string()),
        "added_in": pa.array([attempt.number] * len(rows), pa.int64()),
        "publish_id": pa.array([attempt.publish_id] * len(rows), pa.string()),
    }
    for name, values in of_attempt.items():
        place = rows.schema.get_field_index(name)
        rows = rows.append_column(name, values) if place < 0 else rows.set_column(place, name, values)
    return with_all_columns(LOGS[entity], rows)


def _row_id(attempt: Attempt, entity: str, key: str) -> str:
    """A hash over attempt and key: unique per attempt, and the same however often it is computed."""
    return hashlib.sha256("\u0000".join((attempt.publish_id, entity, key)).encode()).hexdigest()[:32]


def _log_rows(attempt: Attempt, entity: str, key: str, rows: DataFrame) -> DataFrame:
    """row_id as `_row_id` makes it."""
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
