"""Apply row rules to a frame in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.quality.rules import RowRule

REJECT = "_reject"
"""Struct column (rule, message) of the first rejecting rule a row breaks; null when none."""


def with_problems(frame: DataFrame, rules: Sequence[RowRule], severities: Mapping[str, str]) -> DataFrame:
    """The frame with REJECT set and `flags` (array<string>, sorted) extended by the warnings.

    A row that already carries a REJECT keeps it.
    """
    rejecting = [_problem(r) for r in rules if severities[r.id] == "reject"]
    warning = [F.when(r.message().isNotNull(), F.lit(r.id)) for r in rules if severities[r.id] == "warn"]
    found = F.array_compact(F.array(*warning)) if warning else F.array().cast("array<string>")
    return frame.withColumn(REJECT, F.coalesce(F.col(REJECT), *rejecting)).withColumn(
        "flags", F.array_sort(F.array_distinct(F.concat("flags", found)))
    )


def problem(rule: str, message: Column) -> Column:
    """A REJECT value."""
    return F.struct(F.lit(rule).alias("rule"), message.cast("string").alias("message"))


def _problem(rule: RowRule) -> Column:
    message = rule.message()
    return F.when(message.isNotNull(), problem(rule.id, message))
