"""Everything a run needs, opened once and closed in order: lake, session, tables, and its two rows in ops.runs."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from imagelake.context import Clock, Context, RunReport, system_clock
from imagelake.errors import GateFailed, ImagelakeError, UploadRejected
from imagelake.session import jvm_pid, open_session
from imagelake.settings import Settings
from imagelake.storage.lake import Lake, create_lake, open_lake
from imagelake.storage.lease import acquire
from imagelake.storage.lease_record import this_process
from imagelake.storage.process import process
from imagelake.tables import ALL, ops
from imagelake.tables.store import DeltaStore


@contextmanager
def open_run(
    settings: Settings,
    verb: str,
    dataset: str | None,
    *,
    create: bool = False,
    progress: Callable[[str], None] = lambda _: None,
    clock: Clock = system_clock,
) -> Iterator[Context]:
    """A context to run stages in. With `create` an empty root becomes a lake; else it must be one (NotFound).

    ops.runs gets a row now and one at the end; a run that was killed has no end and holds no lease: it `died`.
    """
    lake = create_lake(settings.lake, clock, settings.s3) if create else open_lake(settings.lake, settings.s3)
    progress("starting Spark")
    context = replace(open_context(settings, lake, clock), progress=progress)
    name = f"run-{context.run_id}"
    try:
        with acquire(context.storage, name, context.holder, settings.lease, clock), _recorded(context, verb, dataset):
            yield context
    finally:
        context.storage.delete(f"locks/{name}.json")
        context.storage.delete(f"locks/{name}.lock")


@contextmanager
def _recorded(context: Context, verb: str, dataset: str | None) -> Iterator[None]:
    """The run's two rows in ops.runs, the second with how it ended."""
    started = time.monotonic()
    run = {"verb": verb, "dataset": dataset}
    _record(context, {**run, "phase": "start", "status": "running"})
    end: dict[str, Any] = {**run, "phase": "end", "status": "failed"}
    try:
        yield
        bad = [report for report in context.reports if report.exit_code]
        refusal = {UploadRejected.exit_code, GateFailed.exit_code}
        end["status"] = "failed" if {r.exit_code for r in bad} - refusal else "rejected" if bad else "done"
        end["problem"] = bad[0].problem if bad else None
    except ImagelakeError as error:
        end["problem"] = error.message
        raise
    finally:
        seconds = round(time.monotonic() - started, 3)
        _record(context, {**end, "seconds": seconds, "report": _reports(context)})


def open_context(settings: Settings, lake: Lake, clock: Clock = system_clock) -> Context:
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
    context.tables.append(ops.RUNS, context.tables.frame(ops.RUNS, [row]))


def _reports(context: Context) -> str | None:
    found: list[RunReport] = list(context.reports)
    return json.dumps([r.as_json() for r in found], ensure_ascii=False) if found else None
