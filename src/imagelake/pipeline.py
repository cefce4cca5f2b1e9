"""The whole way in one session: ingest, build, publish; for one upload, or for all that wait under landing/."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from imagelake.bronze import ingest, remove
from imagelake.bronze.request import IngestRequest
from imagelake.context import Context, RunReport
from imagelake.errors import GateFailed
from imagelake.gold import publish
from imagelake.gold.live import published
from imagelake.gold.plan import PublishRequest
from imagelake.silver import build


def run_upload(ctx: Context, request: IngestRequest) -> RunReport:
    """Ingest an upload, build everything of its dataset that waits, publish if anything differs."""
    started = time.monotonic()
    landed = ingest.run(ctx, request)
    report = build_landed(ctx, landed)
    if report.status != "rejected":
        report = publish_built(ctx, report, request.note)
    return replace(report, seconds=round(time.monotonic() - started, 3))


def remove_images(
    ctx: Context, dataset: str, image_keys: list[str], note: str | None = None, ignore_missing: bool = False
) -> RunReport:
    """The verb remove: land the removal and build it."""
    landed = remove.run(ctx, dataset, image_keys, note, ignore_missing)
    return build_landed(ctx, landed)


def publish_draft(ctx: Context, request: PublishRequest) -> RunReport:
    """The verb publish: finish a half-built upload, so that the draft is whole, then publish."""
    if build.half_built(ctx, request.dataset):
        build.run(ctx, request.dataset)
    return publish.run(ctx, request)


def build_landed(ctx: Context, landed: RunReport) -> RunReport:
    """Build what waits; the account of the delivery that has just landed, or was found waiting."""
    return built_landed(ctx, landed.dataset, [landed])[0]


def built_landed(ctx: Context, dataset: str, landed: Sequence[RunReport]) -> list[RunReport]:
    """Build what waits in the dataset; the accounts of these deliveries, in their order."""
    if all(report.status == "rejected" for report in landed):
        return list(landed)
    built = {report.upload_id: report for report in build.run(ctx, dataset)}
    return [_account(report, built.get(report.upload_id)) for report in landed]


def _account(landed: RunReport, built: RunReport | None) -> RunReport:
    if landed.status == "rejected" or built is None:
        return landed
    if built.status == "rejected":
        return built
    warnings, notices = {**landed.warnings, **built.warnings}, (*landed.notices, *built.notices)
    return replace(built, status="accepted", objects=landed.objects, warnings=warnings, notices=notices)


def publish_built(ctx: Context, report: RunReport, note: str | None) -> RunReport:
    """The report with the version that is current afterwards; a gate that refuses is its problem."""
    try:
        result = publish.run(ctx, PublishRequest(report.dataset, note=note))
    except GateFailed as refused:
        number = published(ctx.tables, report.dataset).number
        version = f"{report.dataset}@v{number}" if number else None
        return replace(report, version=version, problem=refused.message, hint=refused.hint, exit_code=refused.exit_code)
    warnings = {**report.warnings, **result.warnings}
    return replace(report, version=result.version, published=result.published, warnings=warnings)
