"""Which datasets the nightly judgement of whole tables is due for, and what the last one said. Needs no Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from imagelake.quality.suites.state import silver_states
from imagelake.storage.base import Storage
from imagelake.tables import ops
from imagelake.tables.delta.delta_log import delta_table, is_delta_table

_COLUMNS = ("dataset", "judged", "verdict", "message", "at")


@dataclass(frozen=True)
class LastJudgement:
    """The newest judgement of a dataset's whole tables: of which state, when, and what was wrong."""

    state: str
    at: datetime
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Due:
    """Datasets whose silver, settings or own suites have changed since they were judged; and the others' judgements."""

    datasets: tuple[str, ...]
    unchanged: Mapping[str, LastJudgement]


def due(storage: Storage) -> Due:
    """What is to be judged: every dataset with rows in silver whose last judgement is of another state, or missing."""
    states, last = silver_states(storage), _last_judgements(storage)
    same = {name for name, state in states.items() if name in last and last[name].state == state}
    return Due(tuple(name for name in states if name not in same), {name: last[name] for name in sorted(same)})


def _last_judgements(storage: Storage) -> dict[str, LastJudgement]:
    if not is_delta_table(storage, ops.QUALITY.path):
        return {}
    log = delta_table(storage, ops.QUALITY.path)
    if "judged" not in {field.name for field in log.schema().fields}:
        return {}  # a lake that no writer of this release has opened
    whole = pc.field("judged").is_valid()
    rows: list[dict[str, Any]] = log.to_pyarrow_table(columns=list(_COLUMNS), filters=whole).to_pylist()
    newest = {row["dataset"]: row for row in sorted(rows, key=lambda row: row["at"])}
    return {name: _judgement(row, rows) for name, row in newest.items()}


def _judgement(newest: Mapping[str, Any], rows: list[dict[str, Any]]) -> LastJudgement:
    mine = [row for row in rows if (row["dataset"], row["at"]) == (newest["dataset"], newest["at"])]
    return LastJudgement(newest["judged"], newest["at"], tuple(row["message"] for row in mine if row["message"]))
