"""build: parse, judge and apply what bronze has landed to the draft, then one MERGE per table that differs.

Correct with a second builder: every write carries the transaction `build/<dataset>` with the number of the batch's
newest upload, so Delta refuses a builder that was overtaken. Restartable between any two writes: the state that a batch
was computed from is laid down before its first write (`build_plan`), and a batch that was begun is finished first.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from pyspark.sql import functions as F

from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.errors import ImagelakeError, NotFound, UploadRejected, UsageError
from imagelake.formats import reader
from imagelake.quality.rules import RULES_VERSION
from imagelake.quality.severities import severities
from imagelake.runs.context import Before, Context, Counts, RunReport
from imagelake.silver import build_plan, seen_before
from imagelake.silver.apply_upload import UploadRules, apply, remove
from imagelake.silver.build_plan import BuildPlan
from imagelake.silver.changes import changes
from imagelake.silver.counts import count_removal, count_upload
from imagelake.silver.draft_source import DraftSource, are_small, source_of
from imagelake.silver.published import published_index
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.silver.upload.parsed_records import DDL
from imagelake.silver.upload.read_upload import ParsedUpload, parse_upload
from imagelake.silver.upload.silver_upload import files_of
from imagelake.silver.upload.upload_counts import UploadCounts, count_as_before, judged, with_recognition
from imagelake.storage.leases.lease import Lease
from imagelake.tables import bronze, silver, upload_rows
from imagelake.tables.build_rows import SILVER, app_id
from imagelake.tables.delta.commit import Txn
from imagelake.tables.delta.store import TableChanges
from imagelake.tables.frames import few_rows
from imagelake.tables.saved_labels import remove_delivered

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ended:
    """An upload and how it ended: the state, counts where it was read, the problem where there is one."""

    upload: LandedUpload
    state: str
    counts: UploadCounts | None = None
    problem: str | None = None
    rule: str | None = None
    hint: str | None = None
    exit_code: int = 0


@dataclass
class _Batch:
    """A batch in progress: the current draft, and the outcomes of its uploads."""

    rows: list[dict[str, Any]]
    rules: UploadRules
    source: DraftSource
    ended: list[_Ended] = field(default_factory=list)


def run(ctx: Context, dataset: str, lease: Lease) -> tuple[RunReport, ...]:
    """Build every upload of the dataset that waits, in order; first what an earlier build has begun."""
    reports: list[RunReport] = []
    while pending := upload_rows.pending(ctx.tables, dataset):
        plan = build_plan.unfinished(ctx, dataset, pending)
        batch = [LandedUpload(row) for row in pending if plan is None or row["sequence"] in plan.sequences]
        with few_rows(ctx.spark) if are_small(ctx, dataset, batch) else nullcontext():
            reports.extend(_build(ctx, dataset, batch, plan, lease))
    if lease.maybe_paused:
        _fence(ctx, dataset, lease)
    return tuple(reports)


def land_again(ctx: Context, dataset: str, upload_id: str, *, again: bool = False) -> tuple[int, Before | None]:
    """Let an upload wait once more, to be built under today's reader and rules; its new sequence, and how it was.

    With `again` also where newer uploads have changed what it brings. upload_id: its beginning will do. NotFound when
    there is no such upload, UsageError when several begin so.
    """
    rows = [r for r in upload_rows.newest(ctx.tables, dataset) if (r["upload_id"] or "").startswith(upload_id)]
    if not rows:
        raise NotFound(f"{dataset} has no upload {upload_id}", hint='imagelake sql "select * from uploads" lists them')
    ids = sorted({row["upload_id"] for row in rows})
    if len(ids) > 1:
        raise UsageError(
            f"{len(ids)} uploads of {dataset} begin with {upload_id!r}", hint=f"{', '.join(i[:12] for i in ids[:5])}, …"
        )
    blank = dict.fromkeys(("problem", "problem_rule", "settings", "supersedes", "confirms"))
    (row,) = upload_rows.deliver(ctx, [{**rows[-1], **blank, "state": upload_rows.LANDED, "again": again}])
    return int(row["sequence"]), _before(rows)


def _before(rows: Sequence[Mapping[str, Any]]) -> Before | None:
    """How an upload ended when it was last built; None for one that has not been."""
    ended = [row for row in rows if row["state"] != upload_rows.LANDED]
    if not ended:
        return None
    row = ended[-1]
    images, annotations = (Counts(**(row[entity] or {})) for entity in ("images", "annotations"))
    return Before(row["state"], int(row["sequence"]), images, annotations, int(row["rejections"] or 0))


def _build(
    ctx: Context, dataset: str, uploads: Sequence[LandedUpload], begun: BuildPlan | None, lease: Lease
) -> list[RunReport]:
    plan = begun or _new_plan(ctx, dataset, uploads)
    rows = upload_rows.newest(ctx.tables, dataset)
    batch = _Batch(rows, _rules(ctx, dataset, plan, rows), source_of(ctx, dataset, plan, uploads))
    for upload in uploads:
        ctx.progress(f"reading the annotations of {dataset}, upload {upload.sequence}")
        batch.ended.append(_apply(ctx, batch, upload, plan.failed.get(upload.sequence)))
    different = [change for change in batch.source.different() if change.rows.count]
    if different and begun is None:
        failed = {e.upload.sequence: e.problem or "" for e in batch.ended if e.state == "failed"}
        laid_down = build_plan.lay_down(ctx, dataset, BuildPlan(**{**vars(plan), "failed": failed}))
        if laid_down.versions != plan.versions or laid_down.sequences != plan.sequences:
            return []  # somebody else has begun: the caller looks anew
    txn = Txn(app_id(dataset), plan.number)
    _write(ctx, txn, different, lease)
    _mark(ctx, txn, batch, plan)
    build_plan.clear(ctx, dataset, plan.number)
    lease.check()
    return [_report(ended) for ended in batch.ended]


def _new_plan(ctx: Context, dataset: str, uploads: Sequence[LandedUpload]) -> BuildPlan:
    sequences = tuple(upload.sequence for upload in uploads)
    versions = {spec.name: ctx.tables.version(spec) for spec in SILVER}
    settings = load_dataset_settings(ctx.storage, dataset)
    return BuildPlan(max(sequences), sequences, versions, settings, ctx.clock(), {})


def _rules(ctx: Context, dataset: str, plan: BuildPlan, rows: Sequence[Mapping[str, Any]]) -> UploadRules:
    lineages = {
        int(row["sequence"]): tuple(
            int(other["sequence"])
            for other in rows
            if other["source"] == row["source"] or other["upload_id"] == row["upload_id"]
        )
        for row in rows
    }
    sequences: dict[str, tuple[int, ...]] = {}
    for row in rows:
        sequences[row["upload_id"]] = (*sequences.get(row["upload_id"], ()), int(row["sequence"]))
    index = published_index(ctx, dataset)
    return UploadRules(plan.settings, severities(plan.settings), index, lineages, sequences, plan.now)


def _apply(ctx: Context, batch: _Batch, upload: LandedUpload, failure: str | None) -> _Ended:
    """Apply one upload to the batch's draft. Whatever goes wrong with it sets it aside, and the batch goes on."""
    if failure is not None:
        return _failed(upload, failure)
    try:
        return _applied(ctx, batch, upload)
    except UploadRejected as problem:
        log.warning("%s: upload %s rejected: %s", upload.dataset, upload.sequence, problem.message)
        return _Ended(upload, "rejected", None, problem.message, problem.rule, problem.hint, UploadRejected.exit_code)
    except Exception as error:
        ctx.spark.sparkContext.parallelize([0], 1).count()  # raises when it is the engine that is gone
        log.exception("%s: upload %s failed", upload.dataset, upload.sequence)
        return _failed(
            upload, error.message if isinstance(error, ImagelakeError) else f"{type(error).__name__}: {error}"
        )


def _failed(upload: LandedUpload, reason: str) -> _Ended:
    hint = f"imagelake build {upload.dataset} --upload {upload.upload_id[:12]} tries it again"
    return _Ended(upload, "failed", None, reason, None, hint, ImagelakeError.exit_code)


def _applied(ctx: Context, batch: _Batch, upload: LandedUpload) -> _Ended:
    if upload.mode == "remove":
        return _removed(ctx, batch, upload)
    parsed = parse_upload(ctx, upload)
    draft, rules = batch.source.part(upload, parsed), batch.rules
    applied = apply(ctx, draft, upload, parsed, rules)
    counts = judged(with_recognition(count_upload(applied), upload.recognition), rules.severities)
    done = batch.rows + [{**e.upload.row, "state": e.state, **_columns(e)} for e in batch.ended]
    before = seen_before.earlier(done, upload)
    changed = cache(partial(changes, ctx, draft, applied.after))
    if before is not None:
        images, annotations, categories, rejections = changed()
        if not any(change.rows.count for change in (images, annotations, categories, rejections)):
            return _Ended(upload, "unchanged", count_as_before(before))
        if upload.mode != "replace" and not upload.again:
            newer = seen_before.superseding(ctx, done, before, applied, (images.rows.frame, annotations.rows.frame))
            if newer:
                return _Ended(upload, "superseded", count_as_before(before), seen_before.message(newer))
    batch.source.take(draft, applied.after, changed)
    return _Ended(upload, "built", counts, upload.labels_not_read)


def _removed(ctx: Context, batch: _Batch, upload: LandedUpload) -> _Ended:
    listed = files_of(ctx, upload)
    none = ctx.spark.createDataFrame([], DDL)
    draft = batch.source.part(upload, ParsedUpload(listed, none, none))
    keys = listed.where("role = 'removed'").select(F.col("path").alias("image_key"))
    after = remove(draft, upload, keys, batch.rules.now).checkpointed()
    batch.source.take(draft, after, cache(partial(changes, ctx, draft, after)))
    return _Ended(upload, "built", count_removal(draft, after))


def _write(ctx: Context, txn: Txn, different: Sequence[TableChanges], lease: Lease) -> None:
    """One MERGE per table that differs and does not have the batch's rows yet."""
    dataset = txn.app_id.removeprefix("build/")
    ctx.reached("build:rows")
    # rejections last: a waiting label must not leave them before its row is in silver
    for specs in ((silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES), (silver.REJECTIONS,)):
        lease.check()
        merging = [c for c in different if c.spec in specs and not _has(ctx, c, txn)]
        if merging:
            ctx.progress(f"writing changes to {', '.join(change.spec.name for change in merging)}")
            ctx.tables.merge(merging, dataset, txn, lambda spec: ctx.reached(f"build:{spec.name}"))


def _has(ctx: Context, change: TableChanges, txn: Txn) -> bool:
    return (ctx.tables.transaction(change.spec, txn.app_id) or 0) >= txn.version


def _fence(ctx: Context, dataset: str, lease: Lease) -> None:
    """After a builder was overtaken asleep, every table gets the newest number: what it computed is refused."""
    number = max((r["sequence"] for r in upload_rows.newest(ctx.tables, dataset)), default=0)
    for spec in SILVER:
        if number > (ctx.tables.transaction(spec, app_id(dataset)) or 0):
            lease.check()
            ctx.tables.append_rows(spec, [], Txn(app_id(dataset), number))
    lease.clear_maybe_paused()


def _mark(ctx: Context, txn: Txn, batch: _Batch, plan: BuildPlan) -> None:
    ctx.reached("build:mark")
    rows = [_upload_row(ctx, ended, plan) for ended in batch.ended]
    ctx.tables.append_rows(bronze.UPLOADS, rows, txn)
    ctx.reached("build:done")
    for ended in batch.ended:
        if ended.state in (*upload_rows.DONE, "superseded"):
            remove_delivered(ctx, ended.upload.row)


def _columns(ended: _Ended) -> dict[str, Any]:
    columns: dict[str, Any] = {"problem": ended.problem, "problem_rule": ended.rule}
    return columns if ended.counts is None else {**columns, **ended.counts.columns()}


def _upload_row(ctx: Context, ended: _Ended, plan: BuildPlan) -> dict[str, Any]:
    row = ended.upload.row
    versions = {"rules_version": RULES_VERSION, "settings": plan.settings.model_dump_json()}
    if ended.upload.format is not None:
        versions["reader_version"] = reader(ended.upload.format).version
    return {**row, "run_id": ctx.run_id, "at": ctx.clock(), **versions, **_columns(ended), "state": ended.state}


def _report(ended: _Ended) -> RunReport:
    upload, counts = ended.upload, ended.counts
    read = counts or UploadCounts(Counts(**upload.row["files"]), Counts(), Counts(), 0, {}, (), ())
    return RunReport(
        dataset=upload.dataset,
        upload_id=upload.upload_id,
        format=upload.format,
        mode=upload.mode,
        status=ended.state,
        files=read.files,
        images=read.images,
        annotations=read.annotations,
        rejections=read.rejections,
        warnings=read.warnings,
        infos=read.infos,
        notices=read.notices,
        problem=ended.problem,
        hint=ended.hint,
        rule=ended.rule,
        exit_code=ended.exit_code,
        sequence=upload.sequence,
    )
