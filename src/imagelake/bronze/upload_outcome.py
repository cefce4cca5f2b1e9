"""The outcome of an upload in bronze: rows to commit, its sequence, its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from imagelake.bronze.request import IngestRequest
from imagelake.errors import UploadRejected
from imagelake.runs.context import Context, Counts, Objects, RunReport
from imagelake.tables import bronze, upload_rows
from imagelake.tables.frames import run_parallel
from imagelake.tables.spec import TableSpec


@dataclass(frozen=True)
class Prepared:
    """An upload ready to be committed: its row of bronze.uploads, and its rows of the other tables, if any are new.

    `seconds` is how long that took.
    """

    row: dict[str, Any]
    files: pa.Table | None = None
    blobs: pa.Table | None = None
    hint: str | None = None
    objects: Objects | None = None
    seconds: float = 0.0


def commit(ctx: Context, prepared: Sequence[Prepared]) -> list[dict[str, Any]]:
    """Rows of all uploads, then their deliveries, which make them count."""
    files = [p.files for p in prepared if p.files is not None]
    blobs = [p.blobs for p in prepared if p.blobs is not None and len(p.blobs)]
    if files:
        ctx.storage.flush()
        ctx.reached("ingest:rows")
    run_parallel(
        *(partial(_append, ctx, spec, rows) for spec, rows in ((bronze.FILES, files), (bronze.BLOBS, blobs)) if rows)
    )
    if prepared:
        ctx.reached("ingest:upload")
    rows = upload_rows.deliver(ctx, [p.row for p in prepared])
    ctx.reached("ingest:done")
    return rows


def _append(ctx: Context, spec: TableSpec, tables: Sequence[pa.Table]) -> None:
    ctx.tables.append_table(spec, pa.concat_tables(tables))
    ctx.reached(f"ingest:{spec.name}")


def rejected(request: IngestRequest, problem: UploadRejected) -> Prepared:
    """The row of an upload that cannot be taken."""
    row = {
        "dataset": request.dataset,
        "state": "rejected",
        "mode": request.mode,
        "requested_format": request.format,
        "source": request.upload,
        "note": request.note,
        "problem": problem.message,
        "problem_rule": problem.rule,
    }
    return Prepared(row, hint=problem.hint)


def landed(row: Mapping[str, Any], prepared: Prepared) -> RunReport:
    """The report of a delivery as it was written."""
    rejected = row["state"] == "rejected"
    return RunReport(
        row["dataset"],
        row["state"],
        upload_id=row["upload_id"],
        format=row["format"] or row["requested_format"],
        mode=row["mode"],
        files=Counts(**row["files"]) if row["files"] else Counts(),
        problem=row["problem"],
        hint=prepared.hint,
        rule=row["problem_rule"],
        seconds=prepared.seconds,
        objects=prepared.objects,
        sequence=row["sequence"],
        exit_code=UploadRejected.exit_code if rejected else 0,
    )
