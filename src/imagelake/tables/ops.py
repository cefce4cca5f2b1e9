"""Ops: what ran, and how every gate has judged."""

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

QUALITY = TableSpec(
    name="ops.quality",
    doc="How a draft was judged by publish, gate or maintain: a row for each threshold and suite, also when refused.",
    columns=(
        Column("dataset", "string", "dataset id"),
        Column(
            "publish_id",
            "string",
            "the attempt of a publish, of a version where gold.versions names it; null for gate and maintain, which "
            "publish nothing",
        ),
        Column("run_id", "string", "the run"),
        Column("verdict", "string", "passed, refused or forced"),
        Column("measure", "string", "what was measured; of a suite its name"),
        Column("value", "double", "the measure; of a suite how many of its expectations do not hold"),
        Column("least", "double", "the smallest value that is allowed; null for any"),
        Column("most", "double", "the largest value that is allowed; null for any"),
        Column("setting", "string", "the dataset setting that says so; null for a suite"),
        Column("holds", "boolean", "whether the measure is allowed"),
        Column("message", "string", "the breach in words; null when it holds"),
        Column("at", "timestamp", "when"),
        Column(
            "judged",
            "string",
            "of judgements of whole tables a hash of what was judged: files in silver, settings, own suites; else null",
        ),
        Column("rule", "string", "the rule on datasets that a breach breaks; null for a threshold of the gate"),
        Column("severity", "string", "reject where a breach shuts the gate; warn or info where it is only said"),
    ),
    stats=("publish_id", "at"),
)
