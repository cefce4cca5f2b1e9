"""The nightly verb: everything complete under landing/, dataset by dataset, in one session.

A marker, `<name>.ready`, is an empty file or JSON with `mode`, `format` and `note`. What was taken moves to
landing/.done/<D>/, what was refused to landing/.rejected/<D>/ with a document that says why. One failing upload or
dataset does not stop the others.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import PurePosixPath

from imagelake.bronze.request import IngestRequest
from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.config.settings import Strict, validate
from imagelake.core.modes import Mode
from imagelake.core.upload_paths import DATASET_ID, check_dataset_id
from imagelake.errors import ConfigError, ImagelakeError, UploadRejected, UsageError
from imagelake.formats import reader
from imagelake.runs.context import Context, RunReport
from imagelake.runs.landing_folder import READY, ROOT, Waiting, waiting
from imagelake.runs.landing_problem import SUFFIX, problem_document
from imagelake.runs.pipeline import take_uploads
from imagelake.storage.base import Storage
from imagelake.storage.label_paths import ROOT as SAVES
from imagelake.tables import upload_rows

log = logging.getLogger(__name__)

_OPTIONS = 'leave the file empty, or write JSON like {"mode": "update", "format": "voc", "note": "weekly export"}'
_IDS = "1 to 63 of a-z, 0-9, - and _, starting with a letter or digit"


class ReadyOptions(Strict):
    """What a .ready file may say."""

    mode: Mode = "append"
    format: str | None = None
    note: str | None = None


def run_landing(ctx: Context, dataset: str | None = None) -> tuple[RunReport, ...]:
    """Take everything that waits, build it, and publish the datasets that are set to; a report an upload.

    That is: uploads under landing/, labelling saves, uploads that landed and were never built, and drafts of datasets
    set to publish by themselves that no version has yet. With `dataset` only what is that one's; UsageError when it is
    no dataset id.
    """
    if dataset is not None:
        check_dataset_id(dataset)
    reports = [report for name, uploads in _work(ctx, dataset).items() for report in _take(ctx, name, uploads)]
    return tuple(replace(report, run_id=ctx.run_id) for report in reports)


def _work(ctx: Context, dataset: str | None) -> dict[str, list[Waiting]]:
    """The uploads that wait by dataset; none for a dataset that there is something else to do for."""
    by_dataset: dict[str, list[Waiting]] = {}
    for upload in waiting(ctx.storage, dataset):
        by_dataset.setdefault(upload.dataset, []).append(upload)
    others = (*_with_saves(ctx.storage), *upload_rows.datasets_pending(ctx.tables), *_set_to_publish(ctx.storage))
    for name in others:
        if dataset in (None, name):
            by_dataset.setdefault(name, [])
    return by_dataset


def _with_saves(storage: Storage) -> list[str]:
    """The datasets with labelling saves."""
    return sorted({stat.path.split("/")[1] for stat in storage.list(SAVES + "/")})


def _set_to_publish(storage: Storage) -> list[str]:
    """The datasets whose settings say `publish: auto`. Settings that cannot be read are their dataset's problem."""
    names = [PurePosixPath(stat.path).stem for stat in storage.list("datasets/") if stat.path.endswith(".yaml")]
    return [name for name in sorted(names) if _publishes(storage, name)]


def _publishes(storage: Storage, dataset: str) -> bool:
    try:
        return load_dataset_settings(storage, dataset).publish == "auto"
    except ConfigError:
        return True  # whoever takes the dataset on says what is wrong


def _take(ctx: Context, dataset: str, uploads: Sequence[Waiting]) -> list[RunReport]:
    """The reports of one dataset, whatever becomes of it. Uploads whose markers are wrong are refused at once."""
    started = time.monotonic()
    refused: list[RunReport] = []
    try:
        if uploads and not DATASET_ID.fullmatch(dataset):
            raise UsageError(
                f"the folder {ROOT}/{dataset}/ is not named like a dataset: {_IDS}", hint="rename the folder"
            )
        requests: dict[Waiting, IngestRequest] = {}
        for upload in uploads:
            try:
                requests[upload] = _request(ctx.storage, upload)
            except UploadRejected as error:
                refused.append(_refuse(ctx, upload, error))
        return [*refused, *_build(ctx, dataset, requests)]
    except ImagelakeError as error:
        log.warning("%s: %s", dataset, error.message)
        failure = RunReport(dataset, "failed", problem=error.message, hint=error.hint, exit_code=error.exit_code)
    except Exception as error:
        log.exception("%s", dataset)  # whatever it is, the other datasets must not wait for it
        problem = f"{type(error).__name__}: {error}"
        failure = RunReport(dataset, "failed", problem=problem, exit_code=ImagelakeError.exit_code)
    sources = [ctx.storage.uri(upload.path) for upload in uploads]
    ended = {report.source for report in refused}
    failed = [replace(failure, source=source) for source in sources if source not in ended]
    return [*refused, *_with_seconds(failed if sources else [failure], time.monotonic() - started)]


def _build(ctx: Context, dataset: str, requests: Mapping[Waiting, IngestRequest]) -> list[RunReport]:
    """Ingest all its uploads, build once, publish once; then move them: after a crash they still wait."""
    started = time.monotonic()
    auto = load_dataset_settings(ctx.storage, dataset).publish == "auto"
    reports = take_uploads(ctx, dataset, list(requests.values()), auto=auto)
    reports = _with_seconds(reports, time.monotonic() - started)
    others = len(reports) - len(requests)
    moved = [_move(ctx, upload, report) for upload, report in zip(requests, reports[others:], strict=True)]
    return [*reports[:others], *moved]


def _with_seconds(reports: Sequence[RunReport], total: float) -> list[RunReport]:
    """Each with its own seconds, and an equal part of those that all have in common, such as commits."""
    common = max(0.0, total - sum(report.seconds for report in reports)) / max(1, len(reports))
    return [replace(report, seconds=round(report.seconds + common, 3)) for report in reports]


def _request(storage: Storage, upload: Waiting) -> IngestRequest:
    text = storage.read(upload.marker).decode("utf-8-sig", "replace").strip()
    try:
        content = json.loads(text) if text else {}
        if not isinstance(content, dict):
            raise ConfigError(f"a JSON object is allowed, not {text[:40]}")
        options = validate(ReadyOptions, content, upload.marker)
        if options.format is not None:
            reader(options.format)
    except ValueError as error:
        problem, hint = f"not JSON: {error}", _OPTIONS
    except (ConfigError, UsageError) as error:
        problem, hint = error.message.removeprefix(f"{upload.marker}: "), error.hint or _OPTIONS
    else:
        dropped_at = datetime.fromtimestamp(upload.arrived_ns / 1e9, timezone.utc)
        request = IngestRequest(upload.dataset, storage.uri(upload.path), options.format, options.mode, options.note)
        return replace(request, dropped_at=dropped_at)
    raise UploadRejected(f"{upload.marker}: {problem}", hint=hint, rule="landing.options")


def _refuse(ctx: Context, upload: Waiting, error: UploadRejected) -> RunReport:
    started = time.monotonic()
    report = RunReport(upload.dataset, "rejected", problem=error.message, hint=error.hint, rule=error.rule)
    moved = _move(ctx, upload, replace(report, exit_code=error.exit_code))
    return replace(moved, seconds=round(time.monotonic() - started, 3))


def _move(ctx: Context, upload: Waiting, report: RunReport) -> RunReport:
    """Move the upload, then its marker, and say so in the report; before the marker the problem of a rejected one.

    A crash in between leaves a marker without upload, which is only reported.
    """
    rejected = report.status == "rejected"
    folder = f"{ROOT}/.{'rejected' if rejected else 'done'}/{upload.dataset}/{ctx.run_id[:8]}"
    target = f"{folder}-{PurePosixPath(upload.path).name}"
    ctx.storage.move(upload.path, target)
    source, moved_to = (ctx.storage.uri(path) for path in (upload.path, target))
    report = replace(report, source=source, moved_to=moved_to, run_id=ctx.run_id)
    marker = PurePosixPath(upload.marker).name
    if rejected:
        path = f"{folder}-{marker.removesuffix(READY)}{SUFFIX}"
        if ctx.storage.stat(path) is None:  # another rejected upload may be called like that, and is worth more
            ctx.storage.put(path, problem_document(report, ctx.clock()))
    ctx.storage.move(upload.marker, f"{folder}-{marker}")
    return report
