"""Apply row rules to a frame in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.quality.catalogue import Rule

REJECT = "_reject"
"""Struct column (rule, message) of the first rejecting rule a row breaks; null when none."""


def with_problems(frame: DataFrame, rules: Sequence[Rule], severities: Mapping[str, str]) -> DataFrame:
    """The frame with REJECT set and `flags` (array<string>, sorted) extended by the warnings.

    A row that already carries a REJECT keeps it. Every rule must have a message (quality.rules.with_message).
    """
    rejecting = [_problem(rule) for rule in rules if severities[rule.id] == "reject"]
    warning = [F.when(_message(rule).isNotNull(), F.lit(rule.id)) for rule in rules if severities[rule.id] == "warn"]
    flags = F.array_compact(F.array(*warning)) if warning else F.array().cast("array<string>")
    return frame.withColumn(REJECT, F.coalesce(F.col(REJECT), *rejecting)).withColumn(
        "flags", F.array_sort(F.array_distinct(F.concat("flags", flags)))
    )


def problem(rule: str, message: Column) -> Column:
    """A REJECT value."""
    return F.struct(F.lit(rule).alias("rule"), message.cast("string").alias("message"))


def _problem(rule: Rule) -> Column:
    message = _message(rule)
    return F.when(message.isNotNull(), problem(rule.id, message))


def _message(rule: Rule) -> Column:
    if rule.message is None:
        raise ValueError(f"rule {rule.id} has no message: give it one with quality.rules.with_message")
    return rule.message()
