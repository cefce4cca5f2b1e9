"""The gate of a publish: the draft measured and judged, by thresholds and suites, and the judgement kept."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import Any

from imagelake.context import Context
from imagelake.dataset_settings import DatasetSettings
from imagelake.errors import GateFailed
from imagelake.gold.difference import Attempt
from imagelake.gold.draft import measure
from imagelake.gold.live import Published
from imagelake.gold.plan import Content, PublishRequest, Uploads
from imagelake.quality import expectations
from imagelake.quality.gate import Verdict, judge
from imagelake.quality.project import opened, own_suites
from imagelake.tables import ops, silver


def judged(
    ctx: Context,
    request: PublishRequest,
    attempt: Attempt,
    draft: tuple[Content, Uploads],
    by: tuple[DatasetSettings, Published],
) -> Verdict:
    """The verdict on a draft, kept in ops.quality; GateFailed when it is not good enough and nobody forces it.

    draft: its rows and the uploads since the parent version; by: the dataset's settings, and the versions there are.
    """
    (content, uploads), (settings, known) = draft, by
    rejections = ctx.tables.read(silver.REJECTIONS, request.dataset).where("closed_at IS NULL")
    loading = Thread(target=expectations.load)  # takes seconds, while Spark counts
    loading.start()
    verdict = judge(measure(content, rejections, uploads, known.newest), settings.gate)
    loading.join()
    with opened(ctx.storage, request.dataset) as project:
        own = own_suites(ctx.storage, request.dataset)
        suites = expectations.check_measures(project, request.dataset, verdict, own)
    verdict = replace(verdict, suites=suites)
    verdict = replace(verdict, forced=request.force and not verdict.passed)
    ctx.tables.append(ops.QUALITY, ctx.tables.frame(ops.QUALITY, _rows(ctx, attempt, verdict)))
    if verdict.word == "refused":
        raise GateFailed(
            f"{request.dataset} is not published: {'; '.join(verdict.problems)}",
            hint=f"imagelake rejections {request.dataset} shows them; thresholds are in "
            f"datasets/{request.dataset}.yaml; --force --note WHY publishes all the same",
        )
    return verdict


def _rows(ctx: Context, attempt: Attempt, verdict: Verdict) -> list[dict[str, Any]]:
    """Rows of ops.quality: one for each threshold, one for each suite."""
    same = {
        "dataset": attempt.dataset,
        "publish_id": attempt.publish_id,
        "run_id": ctx.run_id,
        "verdict": verdict.word,
        "at": ctx.clock(),
    }
    of_thresholds = [
        {
            **same,
            "measure": t.measure,
            "value": float(t.value),
            "least": None if t.least is None else float(t.least),
            "most": None if t.most is None else float(t.most),
            "setting": f"gate.{t.setting}",
            "holds": t.holds,
            "message": None if t.holds else t.breach,
        }
        for t in verdict.thresholds
    ]
    of_suites = [
        {
            **same,
            "measure": suite.suite,
            "value": float(len(suite.problems)),
            "least": None,
            "most": 0.0,
            "setting": None,
            "holds": not suite.problems,
            "message": "; ".join(suite.problems) or None,
        }
        for suite in verdict.suites
    ]
    return of_thresholds + of_suites
