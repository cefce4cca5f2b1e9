"""Judgements as rows of ops.quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from imagelake.quality.gate import SuiteResult
from imagelake.quality.thresholds import Threshold

Row = dict[str, Any]


def threshold_row(threshold: Threshold) -> Row:
    """The ops.quality row of a threshold: its measure, the allowed range, and the breach."""
    return {
        "measure": threshold.measure,
        "value": float(threshold.value),
        "least": None if threshold.least is None else float(threshold.least),
        "most": None if threshold.most is None else float(threshold.most),
        "setting": threshold.path,
        "rule": threshold.rule,
        "severity": threshold.severity,
        "holds": threshold.holds,
        "message": None if threshold.holds else threshold.breach,
    }


def suite_row(suite: SuiteResult) -> Row:
    """The ops.quality row of a suite: how many of its expectations fail, and which."""
    return {
        "measure": suite.suite,
        "value": float(len(suite.problems)),
        "least": None,
        "most": 0.0,
        "setting": None,
        "rule": None,
        "severity": "reject",
        "holds": not suite.problems,
        "message": "; ".join(suite.problems) or None,
    }


def judgement_rows(
    same: Mapping[str, Any], thresholds: Iterable[Threshold], suites: Iterable[SuiteResult]
) -> list[Row]:
    """Rows of ops.quality: one for each threshold, one for each suite.

    same: what all of them share: dataset, publish_id, run_id, verdict, at, and judged.
    """
    said = [*map(threshold_row, thresholds), *map(suite_row, suites)]
    return [{**same, **row} for row in said]
