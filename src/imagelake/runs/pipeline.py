"""The whole way in one session: ingest, build, publish; for one upload, or for all that wait under landing/.

The dataset's lease is held from the first write to the last: what is published is what was built, whole.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from imagelake.bronze import ingest, remove
from imagelake.bronze.request import IngestRequest
from imagelake.core.upload_paths import check_dataset_id
from imagelake.errors import GateFailed
from imagelake.gold import publish, run_gate
from imagelake.gold.live import published
from imagelake.gold.plan import PublishRequest
from imagelake.quality.gate import Verdict
from imagelake.runs.context import Context, RunReport
from imagelake.runs.version_packages import with_packages
from imagelake.runs.version_report import with_report
from imagelake.runs.writer import writing
from imagelake.silver import build
from imagelake.storage.leases.lease import Lease
from imagelake.tables import upload_rows
from imagelake.tables.build_rows import half_built

_STOPPED = ("rejected", "failed")


def run_upload(ctx: Context, request: IngestRequest) -> RunReport:
    """Ingest an upload, build everything of its dataset that waits, publish if anything differs."""
    started = time.monotonic()
    check_dataset_id(request.dataset)
    with writing(ctx, request.dataset) as lease:
        report = _built_one(ctx, ingest.run(ctx, request, lease), lease)
        if report.status not in _STOPPED:
            report = with_packages(ctx, publish_built(ctx, report, request.note, lease), lease)
    if not (report.exit_code or report.status in _STOPPED):
        report = with_report(ctx, report)
    return replace(report, seconds=round(time.monotonic() - started, 3))


def land_upload(ctx: Context, request: IngestRequest) -> RunReport:
    """The verb ingest: take an upload into bronze, to be built later."""
    check_dataset_id(request.dataset)
    with writing(ctx, request.dataset) as lease:
        return ingest.run(ctx, request, lease)


def build_dataset(
    ctx: Context, dataset: str, upload_id: str | None = None, *, again: bool = False
) -> tuple[RunReport, ...]:
    """The verb build: all that waits, labelling saves too; or one upload again under today's reader and rules."""
    check_dataset_id(dataset)
    with writing(ctx, dataset) as lease:
        ingest.run_all(ctx, dataset, [], lease)
        if upload_id is None:
            return build.run(ctx, dataset, lease)
        sequence, before = build.land_again(ctx, dataset, upload_id, again=again)
        reports = build.run(ctx, dataset, lease)
        return tuple(replace(report, before=before) if report.sequence == sequence else report for report in reports)


def remove_images(
    ctx: Context, dataset: str, image_keys: Collection[str], note: str | None = None, *, ignore_missing: bool = False
) -> RunReport:
    """The verb remove: land the removal and build it. NotFound for keys the draft lacks, unless they are ignored."""
    check_dataset_id(dataset)
    with writing(ctx, dataset) as lease:
        landed = remove.run(ctx, dataset, image_keys, note, ignore_missing=ignore_missing)
        built = _built_one(ctx, landed, lease)
    if built.sequence is None:
        return built  # nothing was removed: the report says so already
    warnings = {**landed.warnings, **built.warnings}
    return replace(built, warnings=warnings, notices=(*landed.notices, *built.notices))


def publish_draft(ctx: Context, request: PublishRequest) -> RunReport:
    """The verb publish: take in labelling saves and finish a half-built upload, so that the draft is whole; publish."""
    check_dataset_id(request.dataset)
    with writing(ctx, request.dataset) as lease:
        if request.ref_number is None:
            _finish_draft(ctx, request.dataset, lease)
        report = with_packages(ctx, publish.run(ctx, request, lease), lease)
    return with_report(ctx, report)


def gate_draft(ctx: Context, dataset: str, *, full: bool = False) -> Verdict:
    """The verb gate: the draft made whole as for a publish, and judged; with `full` its tables too; not published.

    It takes the lease as a publish does: no build may change a table between two looks at it, and the project of the
    dataset's suites has one writer. NotFound for a dataset without a draft.
    """
    check_dataset_id(dataset)
    with writing(ctx, dataset) as lease:
        _finish_draft(ctx, dataset, lease)
        publish.check_whole(ctx, dataset)
        return run_gate.judge_draft_and_tables(ctx, dataset) if full else run_gate.judge_draft(ctx, dataset)


def _finish_draft(ctx: Context, dataset: str, lease: Lease) -> None:
    """Take in labelling saves, and finish an upload that an interrupted build left half-written."""
    saved = ingest.run_all(ctx, dataset, [], lease)
    if saved or half_built(ctx.tables, dataset):
        build.run(ctx, dataset, lease)


def take_uploads(ctx: Context, dataset: str, requests: Sequence[IngestRequest], *, auto: bool) -> list[RunReport]:
    """Ingest these uploads, build all that waits, and with `auto` publish what differs; a report an upload.

    The last reports are those of the requests, in their order; before them come labelling saves and what was waiting.
    A publish that no upload of the run reports has a report of its own, at the front.
    """
    check_dataset_id(dataset)
    with writing(ctx, dataset) as lease:
        landed = ingest.run_all(ctx, dataset, requests, lease)
        reports = _built(ctx, dataset, landed, lease)
        if not auto or not _has_unpublished(ctx, dataset):
            reports = [replace(report, version=report.version or _current(ctx, dataset)) for report in reports]
            last = len(reports) - 1
        else:
            last = next((i for i in reversed(range(len(reports))) if reports[i].status not in _STOPPED), -1)
            if last < 0:
                reports, last = [RunReport(dataset, "unchanged"), *reports], 0
            reports[last] = with_packages(ctx, publish_built(ctx, reports[last], None, lease), lease)
    if auto and reports and not reports[last].exit_code:
        reports[last] = with_report(ctx, reports[last])
    return reports


def _has_unpublished(ctx: Context, dataset: str) -> bool:
    """Whether an upload was built after the newest one that a version includes."""
    included = max((row["last_sequence"] or 0 for row in published(ctx.tables, dataset).rows), default=0)
    built = [row["sequence"] for row in upload_rows.newest(ctx.tables, dataset) if row["state"] == "built"]
    return max(built, default=0) > included


def _current(ctx: Context, dataset: str) -> str | None:
    number = published(ctx.tables, dataset).number
    return f"{dataset}@v{number}" if number else None


def _built(ctx: Context, dataset: str, landed: Sequence[RunReport], lease: Lease) -> list[RunReport]:
    """Build what waits: what became of uploads that were waiting before, then of these in their order."""
    built = {report.sequence: report for report in build.run(ctx, dataset, lease)}
    mine = {report.sequence for report in landed}
    others = [_outcome(report, report) for sequence, report in built.items() if sequence not in mine]
    return [*others, *(_outcome(report, built.get(report.sequence)) for report in landed)]


def _built_one(ctx: Context, landed: RunReport, lease: Lease) -> RunReport:
    *others, report = _built(ctx, landed.dataset, [landed], lease)
    ctx.reports.extend(others)
    return report


def _outcome(landed: RunReport, built: RunReport | None) -> RunReport:
    if landed.status == "rejected" or built is None:
        return landed
    status = "accepted" if built.status == "built" else built.status
    return replace(built, status=status, objects=landed.objects, seconds=landed.seconds)


def publish_built(ctx: Context, report: RunReport, note: str | None, lease: Lease) -> RunReport:
    """The report with the version that is current afterwards; a gate that refuses is its problem."""
    try:
        result = publish.run(ctx, PublishRequest(report.dataset, note=note), lease)
    except GateFailed as refused:
        version = _current(ctx, report.dataset)
        return replace(report, version=version, problem=refused.message, hint=refused.hint, exit_code=refused.exit_code)
    return replace(
        report,
        version=result.version,
        published=result.published,
        warnings=dict(Counter(report.warnings) + Counter(result.warnings)),
        infos=dict(Counter(report.infos) + Counter(result.infos)),
        notices=(*report.notices, *result.notices),
    )
