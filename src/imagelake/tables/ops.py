"""Ops: what ran."""

from __future__ import annotations

from imagelake.tables.spec import Column, TableSpec

RUNS = TableSpec(
    name="ops.runs",
    doc="A row at start and a row at end; a start without an end and without a lease reads `died`.",
    columns=(
        Column("run_id", "string", "the run"),
        Column("phase", "string", "start or end"),
        Column("verb", "string", "ingest, build, publish, run, remove, demo"),
        Column("dataset", "string", "dataset id; null when the run is over several"),
        Column("status", "string", "running, done, rejected (an upload or a publish was refused) or failed"),
        Column("host", "string", "machine name"),
        Column("pid", "bigint", "process id of the driver"),
        Column("report", "string", "JSON of the report, at the end"),
        Column("problem", "string", "the error, at the end"),
        Column("seconds", "double", "duration, at the end"),
        Column("program", "string", "imagelake version"),
        Column("at", "timestamp", "when"),
    ),
    partition_by=(),
    stats=("run_id", "phase", "at"),
)
