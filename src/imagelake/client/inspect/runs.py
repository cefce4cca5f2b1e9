"""What ran: the start and end rows of ops.runs joined."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from imagelake.client.delta.tables import Tables
from imagelake.client.sql_text import Row
from imagelake.tables import ops

_COLUMNS = ("run_id", "phase", "verb", "dataset", "status", "host", "pid", "problem", "seconds", "program", "at")


@dataclass(frozen=True)
class Run:
    """A run; `status` is running, done, failed or died, times are UTC, `dataset` is None for a run over several."""

    run_id: str
    verb: str
    dataset: str | None
    status: str
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    problem: str | None
    host: str | None
    pid: int | None
    program: str | None


@dataclass(frozen=True)
class Runs:
    """Runs, newest first."""

    runs: tuple[Run, ...]

    def as_json(self) -> dict[str, Any]:
        """{"runs": [...]}, times as ISO 8601 in UTC."""
        return {"runs": [asdict(r) | {"started_at": iso(r.started_at), "ended_at": iso(r.ended_at)} for r in self.runs]}


def runs(tables: Tables, live_run_ids: frozenset[str]) -> Runs:
    """Every run. One without an end is running while it holds a lease (`live_run_ids`), else it died."""
    rows = tables.rows(ops.RUNS, _COLUMNS, None, 'ORDER BY "at", phase DESC')
    ends = {r["run_id"]: r for r in rows if r["phase"] == "end"}
    started = [_run(r, ends.get(r["run_id"]), live_run_ids) for r in rows if r["phase"] == "start"]
    return Runs(tuple(reversed(started)))


def iso(at: datetime | None) -> str | None:
    """A time of the lake, which is UTC without saying so, as ISO 8601."""
    return None if at is None else at.isoformat(timespec="microseconds" if at.microsecond else "seconds") + "Z"


def _run(start: Row, end: Row | None, live_run_ids: frozenset[str]) -> Run:
    unfinished = "running" if start["run_id"] in live_run_ids else "died"
    last = end or {"status": unfinished}
    return Run(
        run_id=start["run_id"],
        verb=start["verb"],
        dataset=start["dataset"],
        status=last["status"],
        started_at=start["at"],
        ended_at=last.get("at"),
        seconds=last.get("seconds"),
        problem=last.get("problem"),
        host=start["host"],
        pid=start["pid"],
        program=start["program"],
    )
