"""Everything a run needs, opened once and closed in order: lake, session, tables, and its two rows in ops.runs."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from imagelake.config.settings import Settings
from imagelake.engine.expressions import interpreted
from imagelake.engine.session import jvm_pid, open_session
from imagelake.errors import GateFailed, ImagelakeError, UploadRejected
from imagelake.runs.context import Clock, Context, RunReport, system_clock
from imagelake.storage.leases.lease import acquire
from imagelake.storage.leases.lease_record import this_process
from imagelake.storage.leases.lock_record import lock_paths
from imagelake.storage.leases.process import process
from imagelake.storage.open_lake import MarkedRoot, create_lake, open_lake
from imagelake.tables import ALL, ops
from imagelake.tables.delta.store import DeltaStore

Work = Callable[[Context], Sequence[RunReport]]
"""What a verb does in a run; what it returns is what is recorded of it."""


def run_verb(
    settings: Settings,
    verb: str,
    dataset: str | None,
    work: Work,
    *,
    create: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[RunReport, ...]:
    """Do a verb's work as a run and return its reports. With `create` an empty root becomes a lake.

    ops.runs gets a row now and one at the end, whose status follows from the reports or the error; a run that was
    killed has no end and holds no lease: it `died`. NotFound where there is no lake.
    """
    root, s3 = settings.lake, settings.s3
    lake = create_lake(root, system_clock, s3) if create else open_lake(root, s3)
    progress("starting Spark")
    context = replace(open_context(settings, lake), progress=progress)
    name = f"run-{context.run_id}"
    try:
        with (
            acquire(context.storage, name, context.holder, settings.lease, context.clock),
            interpreted(context.spark, settings),
        ):
            return _recorded(context, {"verb": verb, "dataset": dataset}, work)
    finally:
        for path in lock_paths(name):  # one by one: RGW refuses a batch to a role that may remove only some prefixes
            context.storage.delete(path)


def _recorded(context: Context, run: Mapping[str, Any], work: Work) -> tuple[RunReport, ...]:
    """Do the work between the run's two rows in ops.runs, the second with how it ended."""
    started = time.monotonic()
    _record(context, {**run, "phase": "start", "status": "running"})
    end: dict[str, Any] = {**run, "phase": "end", "status": "failed"}
    try:
        reports = tuple(work(context))
        context.reports.extend(reports)
        end |= _outcome(context.reports)
        return reports
    except ImagelakeError as error:
        end["problem"] = error.message
        raise
    except Exception as error:
        end["problem"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        seconds = round(time.monotonic() - started, 3)
        _record(context, {**end, "seconds": seconds, "report": _as_json(context.reports)})


def _outcome(reports: Sequence[RunReport]) -> dict[str, Any]:
    """Status and problem of a run by its reports: `rejected` when nothing worse happened than a refusal."""
    bad = [report for report in reports if report.exit_code]
    worse = [report for report in bad if report.exit_code not in (UploadRejected.exit_code, GateFailed.exit_code)]
    status = "failed" if worse else "rejected" if bad else "done"
    return {"status": status, "problem": (worse or bad)[0].problem if bad else None}


def open_context(settings: Settings, lake: MarkedRoot, clock: Clock = system_clock) -> Context:
    """A context on a lake with all its tables in place, not yet recorded as a run."""
    spark = open_session(settings, "imagelake")
    run_id = uuid.uuid4().hex
    holder = this_process(run_id)
    holder = replace(holder, processes=(*holder.processes, process(jvm_pid(spark))))
    tables = DeltaStore(spark, lake.storage, settings.delta)
    tables.ensure(*ALL)
    return Context(settings, lake.storage, spark, tables, run_id, holder, clock)


def _record(context: Context, values: dict[str, Any]) -> None:
    row = {
        "run_id": context.run_id,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "program": version("imagelake"),
        "at": context.clock(),
        **values,
    }
    context.tables.append_rows(ops.RUNS, [row])


def _as_json(reports: Sequence[RunReport]) -> str | None:
    return json.dumps([report.as_json() for report in reports], ensure_ascii=False) if reports else None
