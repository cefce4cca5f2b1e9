"""publish: the draft becomes version n+1, or an existing content gets another split recipe.

Rows first, version row last. Rows of an attempt without a version row are invisible for ever, so a crash costs nothing.
Two publishers cannot both win a number: the version row carries the transaction `version/<dataset>` with the next
sequence number; Delta lets one through, and the loser sees that the row is not its own and compares anew.
"""

from __future__ import annotations

import logging
import uuid
from functools import partial, reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.context import Context, RunReport
from imagelake.dataset_settings import DatasetSettings, load_dataset_settings
from imagelake.errors import Conflict, GateFailed, NotFound
from imagelake.gold.aliases import check_alias, set_alias
from imagelake.gold.difference import Attempt, Difference, difference
from imagelake.gold.live import LOGS, Published, live, published
from imagelake.gold.plan import Content, Plan, PublishRequest
from imagelake.gold.recipes import FIRST, choose_recipe, history
from imagelake.gold.splits import Recipe, assign
from imagelake.gold.version_row import version_row
from imagelake.quality.gate import Verdict, judge
from imagelake.storage.lease import Lease
from imagelake.tables import gold, silver
from imagelake.tables.frames import all_settled, settled, tally, together
from imagelake.tables.spec import TableSpec
from imagelake.tables.store import Txn
from imagelake.writer import writing

log = logging.getLogger(__name__)
_TRIES = 20


def run(ctx: Context, request: PublishRequest) -> RunReport:
    """Publish, unless nothing differs from the newest version; GateFailed when the draft is not good enough."""
    if request.alias is not None:
        check_alias(request.alias)
    with writing(ctx, request.dataset) as lease:
        settings = load_dataset_settings(ctx.storage, request.dataset)
        for _ in range(_TRIES):
            known = published(ctx.tables, request.dataset)
            plan = _plan(ctx, request, settings, known)
            if plan is None:
                if request.alias and known.number and request.ref_number is None:
                    set_alias(ctx, request.dataset, request.alias, known.number, FIRST, request.author)
                return _report(request, known.number, None)
            if _write(ctx, request, settings, known, plan, lease):
                return _report(request, plan.attempt.number, plan)
            log.info("%s: another publisher was faster, comparing anew", request.dataset)
    raise Conflict(f"{request.dataset}: other publishers were faster {_TRIES} times", hint="run the command again")


def _plan(ctx: Context, request: PublishRequest, settings: DatasetSettings, known: Published) -> Plan | None:
    if request.ref_number is not None:
        return _recipe_plan(ctx, request, settings, known)
    return _content_plan(ctx, request, settings, known)


def _content_plan(ctx: Context, request: PublishRequest, settings: DatasetSettings, known: Published) -> Plan | None:
    attempt = Attempt(request.dataset, known.number + 1, uuid.uuid4().hex)
    ctx.progress(f"comparing the draft of {request.dataset} with version {known.number}")
    content = _draft(ctx, request.dataset)

    def compared(entity: str, key: str, frame: DataFrame) -> Difference:
        return difference(attempt, entity, key, frame, live(ctx.tables, known, entity, known.number), "row_hash")

    found = together(
        lambda: compared("image", "image_key", content.images),
        lambda: compared("annotation", "annotation_key", content.annotations),
        lambda: compared("category", "name", content.categories),
    )
    if known.number and not any(d.added + d.removed + d.changed for d in found):
        return None
    verdict = _gate(ctx, request.dataset, content, settings)
    recipe = choose_recipe(request, settings, known)
    splits = _splits(ctx, known, 1, recipe, content, settings)
    found.append(_split_difference(ctx, attempt, 1, splits, known))
    parent = f"v{known.number}.1" if known.number else None
    return Plan(attempt, 1, recipe, content, splits, found, verdict, parent, *_odd(splits))


def _recipe_plan(ctx: Context, request: PublishRequest, settings: DatasetSettings, known: Published) -> Plan | None:
    number = request.ref_number or known.number
    base = known.find(number)
    if base is None:
        raise NotFound(f"{request.dataset} has no version v{number}", hint=f"imagelake show {request.dataset}")
    recipe = choose_recipe(request, settings, known)
    recipe_number, of_recipe = history(known, recipe, number)
    if known.find(number, recipe_number) is not None:
        return None
    frames = (live(ctx.tables, known, entity, number) for entity in ("image", "annotation", "category"))
    content = Content(*all_settled(*frames))
    attempt = Attempt(request.dataset, number, uuid.uuid4().hex)
    splits = _splits(ctx, known, of_recipe, recipe, content, settings)
    found = [_split_difference(ctx, attempt, recipe_number, splits, known)]
    return Plan(attempt, recipe_number, recipe, content, splits, found, None, f"v{number}.1", *_odd(splits))


def _draft(ctx: Context, dataset: str) -> Content:
    """The draft now, settled: what is compared, appended and digested are the same rows."""
    pinned = [(spec, ctx.tables.version(spec)) for spec in (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES)]
    return Content(*all_settled(*(ctx.tables.read(spec, dataset, version) for spec, version in pinned)))


def _gate(ctx: Context, dataset: str, content: Content, settings: DatasetSettings) -> Verdict:
    refused = ctx.tables.read(silver.REJECTIONS, dataset).where("closed_at IS NULL")
    frames = {"images": content.images, "annotations": content.annotations, "refused": refused}
    n = tally(*(frame.select(F.lit(label)) for label, frame in frames.items()))
    verdict = judge(n.get("images", 0), n.get("annotations", 0), n.get("refused", 0), settings.gate)
    if not verdict.passed:
        raise GateFailed(
            f"{dataset} is not published: {'; '.join(verdict.problems)}",
            hint=f"imagelake rejections {dataset} shows them; thresholds are in datasets/{dataset}.yaml",
        )
    return verdict


def _splits(
    ctx: Context, known: Published, recipe_number: int, recipe: Recipe, content: Content, settings: DatasetSettings
) -> DataFrame:
    past = ctx.tables.read(gold.SPLIT_LOG, known.dataset).where(
        F.col("publish_id").isin(known.publish_ids) & (F.col("recipe") == recipe_number)
    )
    splits = settled(assign(content.images, past, content.annotations, recipe))
    if settings.splits.on_conflict == "refuse":
        moved = [r["image_key"] for r in splits.where("origin = 'moved'").select("image_key").limit(3).collect()]
        if moved:
            raise GateFailed(
                f"{known.dataset}: the same bytes or group lie in several splits, for example {', '.join(moved)}",
                hint="mend the upload, or set splits.on_conflict: move",
            )
    return splits


def _odd(splits: DataFrame) -> tuple[int, int]:
    """How many images were asked into another split than they have, and how many were moved to lie together."""
    asked, moved = splits.where("contradicts"), splits.where("origin = 'moved'")
    n = tally(asked.select(F.lit("asked")), moved.select(F.lit("moved")))
    return n.get("asked", 0), n.get("moved", 0)


def _split_difference(ctx: Context, attempt: Attempt, recipe: int, splits: DataFrame, known: Published) -> Difference:
    old = live(ctx.tables, known, "split", attempt.number).where(F.col("recipe") == recipe)
    wanted = splits.withColumn("recipe", F.lit(recipe))
    return difference(attempt, "split", "image_key", wanted.drop("contradicts"), old, "split")


def _write(
    ctx: Context, request: PublishRequest, settings: DatasetSettings, known: Published, plan: Plan, lease: Lease
) -> bool:
    """Append the rows, then the version row; False when another publisher took the number."""
    ctx.reached("publish:rows")
    ctx.progress(f"appending {sum(d.added + d.changed for d in plan.differences)} rows to gold")
    lease.check()
    new = [d for d in plan.differences if d.added + d.changed]
    ends = [d.closings for d in plan.differences if d.removed + d.changed]
    closings = [reduce(lambda one, other: one.unionByName(other), ends).coalesce(1)] if ends else []
    together(
        *(partial(_append, ctx, d.entity, LOGS[d.entity], d.rows) for d in new),
        *(partial(_append, ctx, "closings", gold.CLOSINGS, frame) for frame in closings),
    )
    row = version_row(ctx, request, settings, known, plan)
    ctx.reached("publish:version")
    lease.check()
    txn = Txn(f"version/{request.dataset}", row["sequence"])
    ctx.tables.append(gold.VERSIONS, ctx.tables.frame(gold.VERSIONS, [row]), txn)
    ctx.reached("publish:done")
    won = [r for r in published(ctx.tables, request.dataset).rows if r["sequence"] == row["sequence"]]
    if not won or won[0]["publish_id"] != plan.attempt.publish_id:
        return False
    if request.alias:
        set_alias(ctx, request.dataset, request.alias, plan.attempt.number, plan.recipe_number, request.author)
    return True


def _append(ctx: Context, what: str, spec: TableSpec, rows: DataFrame) -> None:
    ctx.tables.append(spec, rows)
    ctx.reached(f"publish:{what}")


def _report(request: PublishRequest, number: int, plan: Plan | None) -> RunReport:
    if plan is None:
        version = f"{request.dataset}@v{number}" if number else None
        return RunReport(request.dataset, "unchanged", version=version)
    suffix = f".{plan.recipe_number}" if plan.recipe_number > 1 else ""
    odd = {"split.contradicts": plan.contradictions, "split.moved": plan.moved}
    warnings = {rule: count for rule, count in odd.items() if count}
    version = f"{request.dataset}@v{number}{suffix}"
    return RunReport(request.dataset, "published", version=version, published=True, warnings=warnings)
