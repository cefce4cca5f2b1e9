"""publish: the draft becomes version n+1, or an existing content gets another split recipe.

Rows first, version row last. Rows of an attempt without a version row are invisible for ever, so a crash costs nothing.
Two publishers cannot both win a number: the version row carries the transaction `version/<dataset>` with the next
sequence number; Delta lets one through, and the loser sees that the row is not its own and compares anew.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from functools import partial

from imagelake.config.dataset_settings import DatasetSettings, load_dataset_settings
from imagelake.errors import Conflict, NotFound
from imagelake.gold.aliases import AliasMove, check_alias, move_alias
from imagelake.gold.drafts.draft import is_small
from imagelake.gold.live import LOGS, Published, published
from imagelake.gold.make_plan import make_plan
from imagelake.gold.plan import Current, PublishPlan, PublishRequest, Remarks
from imagelake.gold.version_row import version_row
from imagelake.runs.context import Context, RunReport
from imagelake.storage.leases.lease import Lease
from imagelake.tables import gold, upload_rows
from imagelake.tables.build_rows import half_built
from imagelake.tables.delta.commit import Txn
from imagelake.tables.frames import Counted, LocalRows, all_of, few_rows, run_parallel
from imagelake.tables.spec import TableSpec

log = logging.getLogger(__name__)
_TRIES = 20


def run(ctx: Context, request: PublishRequest, lease: Lease) -> RunReport:
    """Publish under the caller's lease on the dataset, unless nothing differs from the newest version.

    GateFailed when the draft is not good enough, UsageError for options that do not fit the recipe, NotFound when
    there is no such dataset or version, Conflict when the draft is half-built or others publish faster.
    """
    if request.alias is not None:
        check_alias(request.alias)
    check_whole(ctx, request.dataset)
    settings = load_dataset_settings(ctx.storage, request.dataset)
    for _ in range(_TRIES):
        with few_rows(ctx.spark) if is_small(ctx, request.dataset) else nullcontext():
            report = _published(ctx, request, settings, lease)
        if report is not None:
            return report
        log.info("%s: another publisher was faster, comparing anew", request.dataset)
    raise Conflict(f"{request.dataset}: other publishers were faster {_TRIES} times", hint="run the command again")


def _published(ctx: Context, request: PublishRequest, settings: DatasetSettings, lease: Lease) -> RunReport | None:
    """The report of one try; None when another publisher took the number."""
    past_versions = published(ctx.tables, request.dataset)
    plan = make_plan(ctx, request, settings, past_versions)
    if isinstance(plan, Current):
        _name(ctx, request, plan.number, plan.recipe_number)
        return _report(request, "unchanged", plan.number, plan.recipe_number, plan.remarks)
    if not _write(ctx, request, settings, past_versions, plan, lease):
        return None
    _name(ctx, request, plan.attempt.number, plan.recipe_number)
    return _report(request, "published", plan.attempt.number, plan.recipe_number, plan.remarks)


def check_whole(ctx: Context, dataset: str) -> None:
    """NotFound for a dataset without any upload, Conflict for a draft that an interrupted build left half-written."""
    if not upload_rows.newest(ctx.tables, dataset) and not published(ctx.tables, dataset).rows:
        raise NotFound(f"there is no dataset {dataset!r} in this lake", hint="imagelake show lists those there are")
    if half_built(ctx.tables, dataset):
        raise Conflict(
            f"the draft of {dataset} is half-built: a build was interrupted between two tables",
            hint=f"imagelake build {dataset}",
        )


def _name(ctx: Context, request: PublishRequest, number: int, recipe: int) -> None:
    if request.alias:
        move = AliasMove(request.dataset, request.alias, (number, recipe), request.author, ctx.clock)
        move_alias(ctx.tables, move)


def _write(
    ctx: Context,
    request: PublishRequest,
    settings: DatasetSettings,
    past_versions: Published,
    plan: PublishPlan,
    lease: Lease,
) -> bool:
    """Append the rows, then the version row; False when another publisher took the number."""
    ctx.reached("publish:rows")
    ctx.progress(f"appending {sum(d.added + d.changed for d in plan.differences)} rows to gold")
    lease.check()
    new = [d for d in plan.differences if d.rows.count]
    ends = [d.closings for d in plan.differences if d.closings.count]
    run_parallel(
        *(partial(_append, ctx, d.entity, LOGS[d.entity], d.rows) for d in new),
        *([partial(_append, ctx, "closings", gold.CLOSINGS, all_of(ends))] if ends else []),
    )
    row = version_row(ctx, request, settings, past_versions, plan)
    ctx.reached("publish:version")
    lease.check()
    txn = Txn(f"version/{request.dataset}", row["sequence"])
    ctx.tables.append_rows(gold.VERSIONS, [row], txn)
    ctx.reached("publish:done")
    won = [r for r in published(ctx.tables, request.dataset).rows if r["sequence"] == row["sequence"]]
    return bool(won) and won[0]["publish_id"] == plan.attempt.publish_id


def _append(ctx: Context, what: str, spec: TableSpec, rows: Counted | LocalRows) -> None:
    ctx.tables.append_counted(spec, rows)
    ctx.reached(f"publish:{what}")


def _report(request: PublishRequest, status: str, number: int, recipe: int, remarks: Remarks) -> RunReport:
    suffix = f".{recipe}" if recipe > 1 else ""
    return RunReport(
        request.dataset,
        status,
        version=f"{request.dataset}@v{number}{suffix}",
        published=status == "published",
        warnings=dict(remarks.warnings),
        infos=dict(remarks.infos),
        notices=remarks.notices,
    )
