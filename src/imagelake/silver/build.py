"""build: parse, judge and fold what bronze has landed into the draft, then one MERGE per table that differs.

Correct with a second builder: every write carries the transaction `build/<dataset>` with the number of the newest
delivery, so Delta refuses a builder that was overtaken. Restartable between any two writes: what is done shows
no difference the next time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context, Counts, RunReport
from imagelake.dataset_settings import load_dataset_settings
from imagelake.errors import NotFound, UploadRejected
from imagelake.quality.catalogue import severities
from imagelake.quality.rules import RULES_VERSION
from imagelake.silver.account import Account, account, removed
from imagelake.silver.categories import published_index
from imagelake.silver.changes import SILVER, changes
from imagelake.silver.delivery import Delivery
from imagelake.silver.fold import Draft, Rules, apply, remove
from imagelake.storage.lease import Lease
from imagelake.tables import bronze, deliveries, silver
from imagelake.tables.saves import remove_delivered
from imagelake.tables.spec import TableSpec
from imagelake.tables.store import Txn
from imagelake.writer import writing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Built:
    """A delivery and how it ended: an account, or the reason it was rejected for."""

    delivery: Delivery
    account: Account | None
    problem: UploadRejected | None = None


def run(ctx: Context, dataset: str, upload_id: str | None = None) -> tuple[RunReport, ...]:
    """Build every delivery of the dataset that waits, in order; or one upload again under today's reader and rules."""
    with writing(ctx, dataset) as lease:
        if upload_id is not None:
            _deliver_again(ctx, dataset, upload_id)
        pending = [Delivery(row) for row in deliveries.pending(ctx.tables, dataset)]
        if not pending and not lease.suspect:
            return ()
        return _build(ctx, dataset, pending, lease)


def half_built(ctx: Context, dataset: str) -> bool:
    """Whether some silver table already holds writes of a delivery that is not marked built."""
    pending = deliveries.pending(ctx.tables, dataset)
    if not pending:
        return False
    seen = [ctx.tables.transaction(spec, app_id(dataset)) or 0 for spec in SILVER]
    return max(seen) >= min(int(row["sequence"]) for row in pending)


def app_id(dataset: str) -> str:
    """The Delta application id of the dataset's builds."""
    return f"build/{dataset}"


def _build(ctx: Context, dataset: str, pending: Sequence[Delivery], lease: Lease) -> tuple[RunReport, ...]:
    settings = load_dataset_settings(ctx.storage, dataset)
    rules = Rules(settings, severities(settings), published_index(ctx, dataset))
    before = draft = _draft(ctx, dataset)
    built: list[_Built] = []
    for delivery in pending:
        ctx.progress(f"reading the annotations of {dataset}, delivery {delivery.sequence}")
        try:
            draft, result = _apply(ctx, draft, delivery, rules)
            built.append(_Built(delivery, result))
        except UploadRejected as problem:
            log.warning("%s: delivery %s rejected: %s", dataset, delivery.sequence, problem.message)
            built.append(_Built(delivery, None, problem))
    number = max((d.sequence for d in pending), default=0) or _last_number(ctx, dataset)
    _write(ctx, Txn(app_id(dataset), number), changes(ctx, before, draft), lease)
    if built:
        _mark(ctx, Txn(app_id(dataset), number), built)
        for each in built:
            remove_delivered(ctx, each.delivery.row)
    lease.check()
    lease.clear_suspect()
    return tuple(_report(b) for b in built)


def _draft(ctx: Context, dataset: str) -> Draft:
    """The draft now, settled: frames are lazy, and must not see this build's own writes."""
    images, annotations, rejections = (
        ctx.tables.read(spec, dataset) for spec in (silver.IMAGES, silver.ANNOTATIONS, silver.REJECTIONS)
    )
    categories = ctx.tables.collect(silver.CATEGORIES, dataset)
    return Draft(images, annotations, categories, rejections.where(F.col("closed_at").isNull())).settled()


def _apply(ctx: Context, draft: Draft, delivery: Delivery, rules: Rules) -> tuple[Draft, Account]:
    if delivery.mode == "remove":
        files = ctx.tables.read(bronze.FILES, delivery.dataset).where(F.col("attempt_id") == delivery.attempt_id)
        keys = files.where("role = 'removed'").select(F.col("path").alias("image_key"))
        after = remove(ctx, draft, delivery, keys).settled()
        return after, removed(draft, after)
    applied = apply(ctx, draft, delivery, rules)
    return applied.after, account(delivery, applied)


def _write(ctx: Context, txn: Txn, found: Sequence[tuple[TableSpec, DataFrame, int]], lease: Lease) -> None:
    """One MERGE per table that differs. After a builder was overtaken asleep, tables without a difference get the
    number too: else it could wake up and merge what it once computed."""
    dataset = txn.app_id.removeprefix("build/")
    ctx.reached("build:rows")
    # rejections last: a waiting label must not leave them before its row is in silver
    for specs in ((silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES), (silver.REJECTIONS,)):
        lease.check()
        differing = [(spec, frame) for spec, frame, count in found if spec in specs and count]
        if differing:
            ctx.progress(f"writing changes to {', '.join(spec.name for spec, _ in differing)}")
            ctx.tables.merge(differing, dataset, txn, lambda spec: ctx.reached(f"build:{spec.name}"))
    if lease.suspect:
        for spec in (spec for spec, _, count in found if not count):
            ctx.tables.append(spec, ctx.tables.frame(spec, []), txn)


def _mark(ctx: Context, txn: Txn, built: Sequence[_Built]) -> None:
    ctx.reached("build:mark")
    rows = [_upload_row(ctx, b) for b in built]
    ctx.tables.append(bronze.UPLOADS, ctx.tables.frame(bronze.UPLOADS, rows), txn)
    ctx.reached("build:done")


def _upload_row(ctx: Context, b: _Built) -> dict[str, Any]:
    row = {**b.delivery.row, "run_id": ctx.run_id, "at": ctx.clock(), "rules_version": RULES_VERSION}
    if b.account is not None:
        return {**row, **b.account.columns(), "state": "built"}
    assert b.problem is not None
    return {**row, "state": "rejected", "problem": b.problem.message, "problem_rule": b.problem.rule}


def _deliver_again(ctx: Context, dataset: str, upload_id: str) -> None:
    rows = [r for r in deliveries.newest(ctx.tables, dataset) if r["upload_id"].startswith(upload_id)]
    if not rows:
        raise NotFound(f"{dataset} has no upload {upload_id}", hint='imagelake sql "select * from uploads" lists them')
    deliveries.deliver(ctx, [{**rows[-1], "state": "landed", "problem": None, "problem_rule": None}])


def _last_number(ctx: Context, dataset: str) -> int:
    return max((r["sequence"] for r in deliveries.newest(ctx.tables, dataset)), default=0)


def _report(b: _Built) -> RunReport:
    row = b.delivery.row
    common = {
        "dataset": b.delivery.dataset,
        "upload_id": b.delivery.upload_id,
        "format": row["format"],
        "mode": b.delivery.mode,
    }
    if b.account is None:
        assert b.problem is not None
        files = Counts(**row["files"])
        return RunReport(
            **common, status="rejected", files=files, problem=b.problem.message, exit_code=b.problem.exit_code
        )
    return RunReport(
        **common,
        status="built",
        files=b.account.files,
        images=b.account.images,
        annotations=b.account.annotations,
        rejections=b.account.rejections,
        warnings=b.account.warnings,
    )
