"""The gate of a publish: the draft measured and judged, by thresholds and suites, and the judgement kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from threading import Thread
from typing import Any

from imagelake.config.dataset_settings import DatasetSettings, load_dataset_settings
from imagelake.errors import GateFailed, NotFound
from imagelake.gold.difference import Attempt
from imagelake.gold.drafts.draft import draft_of
from imagelake.gold.live import Published, published
from imagelake.gold.measures.look_alikes import look_alikes
from imagelake.gold.measures.measure import measure
from imagelake.gold.plan import Candidate, PublishRequest
from imagelake.gold.splits.recipes import choose_recipe
from imagelake.gold.version_uploads import INCLUDED, uploads_since
from imagelake.quality.catalogue import OFF
from imagelake.quality.dataset_checks import dataset_thresholds
from imagelake.quality.expectations import validate
from imagelake.quality.expectations.project import in_project
from imagelake.quality.gate import Verdict, judge
from imagelake.quality.measures import Measures
from imagelake.quality.record import judgement_rows
from imagelake.quality.severities import severities
from imagelake.quality.suites.judge import Judged, judge_tables
from imagelake.quality.suites.own import MEASURES, own_suites
from imagelake.runs.context import Context
from imagelake.tables import ops, upload_rows


def judged(
    ctx: Context,
    request: PublishRequest,
    attempt: Attempt,
    candidate: Candidate,
    by: tuple[DatasetSettings, Published],
) -> Verdict:
    """The verdict on a draft, stored in ops.quality; GateFailed when the draft fails and is not forced.

    by: the dataset's settings, and the versions there are.
    """
    verdict = _by_thresholds(ctx, request.dataset, candidate, by)
    if verdict.problems or own_suites(ctx.storage, request.dataset).of(MEASURES):
        # without either the suite would say again what the thresholds say: the library takes seconds to start
        verdict = _by_suites(ctx, request.dataset, verdict)
    verdict = replace(verdict, forced=request.force and not verdict.passed)
    _store_verdict(ctx, verdict, {"dataset": request.dataset, "publish_id": attempt.publish_id})
    if verdict.word == "refused":
        raise GateFailed(
            f"{request.dataset} is not published: {'; '.join(verdict.problems)}",
            hint=f"imagelake rejections {request.dataset} and imagelake report {request.dataset}@draft show why; "
            f"thresholds are in datasets/{request.dataset}.yaml; --force --note WHY publishes all the same",
        )
    return verdict


def judge_draft(ctx: Context, dataset: str) -> Verdict:
    """The verdict a publish of the draft would get, stored in ops.quality without an attempt.

    The caller holds the dataset's lease. NotFound when nothing of the dataset was ever built.
    """
    verdict = _verdict(ctx, dataset)
    _store_verdict(ctx, verdict, {"dataset": dataset})
    return verdict


def judge_draft_and_tables(ctx: Context, dataset: str) -> Verdict:
    """Like `judge_draft`, with the suites of whole tables as well."""
    verdict = _verdict(ctx, dataset)
    ctx.progress(f"judging the tables of {dataset}")
    tables = judge_tables(ctx, dataset)
    whole = replace(verdict, suites=(*verdict.suites, *tables.suites), notices=(*verdict.notices, *tables.notices))
    _store_verdict(ctx, whole, {"dataset": dataset}, tables)
    return whole


def _verdict(ctx: Context, dataset: str) -> Verdict:
    newest, past_versions = upload_rows.newest(ctx.tables, dataset), published(ctx.tables, dataset)
    if not any(row["state"] in INCLUDED for row in newest):
        raise NotFound(
            f"{dataset} has no draft: none of its {len(newest)} uploads was built",
            hint=f"imagelake show {dataset} lists them" if newest else "imagelake show lists the datasets there are",
        )
    settings = load_dataset_settings(ctx.storage, dataset)
    ctx.progress(f"measuring the draft of {dataset}")
    uploads = uploads_since(past_versions.newest, newest)
    recipe = choose_recipe(PublishRequest(dataset), settings, past_versions)
    draft = draft_of(ctx, past_versions, recipe)
    loading = Thread(target=validate.load)  # takes seconds, while Spark counts
    loading.start()
    with draft.relations(draft.splits(settings)) as relations:
        verdict = _by_thresholds(
            ctx, dataset, Candidate(relations, uploads, recipe.fractions), (settings, past_versions)
        )
    loading.join()
    return _by_suites(ctx, dataset, verdict)


def _by_thresholds(ctx: Context, dataset: str, candidate: Candidate, by: tuple[DatasetSettings, Published]) -> Verdict:
    settings, _ = by
    measures = _measured(ctx, dataset, candidate, by)
    return judge(measures, settings.gate, dataset_thresholds(measures, settings))


def _by_suites(ctx: Context, dataset: str, verdict: Verdict) -> Verdict:
    """The verdict with what the suites of measures find, who are shown in Data Docs."""
    own = own_suites(ctx.storage, dataset).of(MEASURES)
    check = partial(validate.check_measures, dataset=dataset, verdict=verdict, own=own)
    suites, notices = in_project(ctx.storage, dataset, check)
    return replace(verdict, suites=suites, notices=notices)


def _measured(ctx: Context, dataset: str, candidate: Candidate, by: tuple[DatasetSettings, Published]) -> Measures:
    settings, past_versions = by
    counted = measure(candidate.relations, candidate.uploads, past_versions.newest)
    statistics = replace(counted.statistics, shares=candidate.shares)
    if counted.images <= settings.statistics.compare_up_to and _asks_for_look_alikes(settings):
        alike = look_alikes(ctx, dataset, candidate.relations)
        statistics = replace(statistics, near_duplicates=alike.images, near_duplicates_across=alike.across)
    return replace(counted, statistics=statistics)


def _asks_for_look_alikes(settings: DatasetSettings) -> bool:
    chosen = severities(settings)
    return any(chosen[rule] != OFF for rule in ("dataset.near_duplicates", "dataset.near_duplicates_across"))


def _store_verdict(ctx: Context, verdict: Verdict, of: Mapping[str, Any], tables: Judged | None = None) -> None:
    """Rows of ops.quality: thresholds and suites of measures, and those of whole tables with the state they are of."""
    same = {**of, "run_id": ctx.run_id, "verdict": verdict.word, "at": ctx.clock()}
    whole = tables.suites if tables is not None else ()
    rows = judgement_rows(same, verdict.thresholds, [suite for suite in verdict.suites if suite not in whole])
    if tables is not None:
        rows += judgement_rows({**same, "judged": tables.state}, (), whole)
    ctx.tables.append_rows(ops.QUALITY, rows)
