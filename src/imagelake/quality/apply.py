"""Apply row rules to a frame in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.quality.catalogue import BY_ID, FLAGGING, OFF, REFUSING, Rule

REJECT = "_reject"
"""Struct column (rule, message) of the first refusing rule a row breaks; null when none."""


def with_problems(frame: DataFrame, rules: Sequence[Rule], severities: Mapping[str, str]) -> DataFrame:
    """The frame with REJECT set and `flags` (array<string>, sorted) extended by the rules that only flag.

    A row that already carries a REJECT keeps it. Every rule must have a message (quality.rules.with_message).
    """
    refusing = [_problem(rule) for rule in rules if severities[rule.id] in REFUSING]
    flagging = [F.when(_message(rule).isNotNull(), F.lit(rule.id)) for rule in rules if severities[rule.id] in FLAGGING]
    none = F.lit(None).cast("string")
    # of all ways to leave nulls and repetitions out, Spark compiles these functions
    flags = F.sort_array(F.array_except(F.concat("flags", F.array(*flagging, none)), F.array(none)))
    return frame.withColumn(REJECT, F.coalesce(F.col(REJECT), *refusing)).withColumn("flags", flags)


def with_flags_judged(frame: DataFrame, severities: Mapping[str, str]) -> DataFrame:
    """The frame with the `flags` of readers judged: some refuse the row here, some are off."""
    refusing = [rule for rule in _raised(severities) if severities[rule] in REFUSING]
    problems = [
        F.when(F.array_contains("flags", rule), problem(rule, F.lit(BY_ID[rule].doc))) for rule in sorted(refusing)
    ]
    judged = frame.withColumn(REJECT, F.coalesce(F.col(REJECT), *problems)) if problems else frame
    return without_flags_off(judged, severities)


def without_flags_off(frame: DataFrame, severities: Mapping[str, str]) -> DataFrame:
    """The frame without the `flags` of rules that are off."""
    off = [F.lit(rule) for rule in sorted(_raised(severities)) if severities[rule] == OFF]
    return frame.withColumn("flags", F.array_except("flags", F.array(*off))) if off else frame


def problem(rule: str, message: Column) -> Column:
    """A REJECT value."""
    return F.struct(F.lit(rule).alias("rule"), message.cast("string").alias("message"))


def _raised(severities: Mapping[str, str]) -> list[str]:
    """The rules that flag a row by themselves and do something else in this dataset."""
    flagging = (rule for rule in BY_ID.values() if rule.entity in ("image", "annotation") and rule.severity in FLAGGING)
    return [rule.id for rule in flagging if severities[rule.id] not in FLAGGING]


def _problem(rule: Rule) -> Column:
    message = _message(rule)
    return F.when(message.isNotNull(), problem(rule.id, message))


def _message(rule: Rule) -> Column:
    if rule.message is None:
        raise ValueError(f"rule {rule.id} has no message: give it one with quality.rules.with_message")
    return rule.message()
