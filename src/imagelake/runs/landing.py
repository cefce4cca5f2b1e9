"""The nightly verb: everything complete under landing/, dataset by dataset, in one session.

`landing/<D>/<name>.zip`, a document as `<name>.json`, or `<name>/` is complete when `landing/<D>/<name>.ready` exists,
an empty file or JSON with `mode`, `format` and `note`. What was taken moves to landing/.done/<D>/, what was refused to
landing/.rejected/<D>/. One failing upload or dataset does not stop the others.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import PurePosixPath

from imagelake.bronze.request import IngestRequest
from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.config.settings import Strict, validate
from imagelake.core.modes import Mode
from imagelake.errors import ConfigError, ImagelakeError, UploadRejected, UsageError
from imagelake.formats import reader
from imagelake.runs.context import Context, RunReport
from imagelake.runs.pipeline import take_uploads
from imagelake.storage.base import Storage
from imagelake.storage.label_paths import ROOT as SAVES
from imagelake.tables import upload_rows
from imagelake.uploads.source import ANNOTATION_SUFFIXES

log = logging.getLogger(__name__)

ROOT = "landing"
_READY = ".ready"
_OPTIONS = 'leave the file empty, or write JSON like {"mode": "update", "format": "voc", "note": "weekly export"}'
_SUFFIXES = ("", ".zip", *ANNOTATION_SUFFIXES)


class ReadyOptions(Strict):
    """What a .ready file may say."""

    mode: Mode = "append"
    format: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A complete upload under landing/: its dataset, its path, its marker, that one's mtime and when it got there."""

    dataset: str
    path: str
    marker: str
    mtime_ns: int
    arrived_ns: int


def waiting(storage: Storage) -> list[Waiting]:
    """The complete uploads, oldest marker first within a dataset."""
    files = {s.path: s for s in storage.list(ROOT + "/")}
    uploads = []
    for path, facts in files.items():
        parts = PurePosixPath(path).parts
        if len(parts) == 3 and path.endswith(_READY) and not parts[1].startswith("."):
            stem = path.removesuffix(_READY)
            target = next((stem + suffix for suffix in _SUFFIXES if stem + suffix in files), None)
            if target is None and any(p.startswith(stem + "/") for p in files):
                target = stem
            if target is None:
                log.warning("%s names no upload: neither %s.zip nor a folder %s/ is there", path, stem, stem)
                continue
            uploads.append(Waiting(parts[1], target, path, facts.mtime_ns or 0, facts.arrived_ns or 0))
    return sorted(uploads, key=lambda upload: (upload.dataset, upload.mtime_ns, upload.path))


def run_landing(ctx: Context) -> tuple[RunReport, ...]:
    """Take everything that waits, build it, and publish the datasets that are set to; a report an upload.

    That is: uploads under landing/, labelling saves, uploads that landed and were never built, and drafts of datasets
    set to publish by themselves that no version has yet.
    """
    by_dataset: dict[str, list[Waiting]] = defaultdict(list)
    for upload in waiting(ctx.storage):
        by_dataset[upload.dataset].append(upload)
    for dataset in (
        *_with_saves(ctx.storage),
        *upload_rows.datasets_pending(ctx.tables),
        *_set_to_publish(ctx.storage),
    ):
        by_dataset[dataset]  # a key is enough: there is something to do with or without an upload
    reports: list[RunReport] = []
    for dataset, uploads in by_dataset.items():
        try:
            reports.extend(_take(ctx, dataset, uploads))
        except ImagelakeError as error:
            log.warning("%s: %s", dataset, error.message)
            reports.append(_failed(dataset, error.message, error.hint, error.exit_code))
        except Exception as error:
            log.exception("%s", dataset)  # whatever it is, the other datasets must not wait for it
            reports.append(_failed(dataset, f"{type(error).__name__}: {error}", None, ImagelakeError.exit_code))
    return tuple(reports)


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


def _failed(dataset: str, problem: str, hint: str | None, exit_code: int) -> RunReport:
    return RunReport(dataset, "failed", problem=problem, hint=hint, exit_code=exit_code)


def _take(ctx: Context, dataset: str, uploads: list[Waiting]) -> list[RunReport]:
    """One dataset: ingest all its uploads, build once, publish once; then move them: after a crash they still wait."""
    requests: list[tuple[Waiting, IngestRequest]] = []
    taken: list[tuple[Waiting, RunReport]] = []
    for upload in uploads:
        try:
            requests.append((upload, _request(ctx.storage, upload)))
        except UploadRejected as error:
            report = RunReport(dataset, "rejected", problem=error.message, hint=error.hint, exit_code=error.exit_code)
            taken.append((upload, report))
    auto = load_dataset_settings(ctx.storage, dataset).publish == "auto"
    reports = take_uploads(ctx, dataset, [request for _, request in requests], auto=auto)
    others = len(reports) - len(requests)
    taken += zip((upload for upload, _ in requests), reports[others:], strict=True)
    for upload, report in taken:
        _move(ctx, upload, "rejected" if report.status == "rejected" else "done")
    return [*reports[:others], *(report for _, report in taken)]


def _request(storage: Storage, upload: Waiting) -> IngestRequest:
    text = storage.read(upload.marker).decode("utf-8", "replace").strip()
    try:
        options = validate(ReadyOptions, json.loads(text) if text else {}, upload.marker)
        if options.format is not None:
            reader(options.format)
    except ValueError as error:
        problem, hint = f"no JSON: {error}", _OPTIONS
    except (ConfigError, UsageError) as error:
        problem, hint = error.message.removeprefix(f"{upload.marker}: "), error.hint or _OPTIONS
    else:
        dropped_at = datetime.fromtimestamp(upload.arrived_ns / 1e9, timezone.utc)
        request = IngestRequest(upload.dataset, storage.uri(upload.path), options.format, options.mode, options.note)
        return replace(request, dropped_at=dropped_at)
    raise UploadRejected(f"{upload.marker}: {problem}", hint=hint, rule="landing.options")


def _move(ctx: Context, upload: Waiting, where: str) -> None:
    """The upload, then its marker: a crash in between leaves a marker without upload, which is only reported."""
    for path in (upload.path, upload.marker):
        name = PurePosixPath(path).name
        ctx.storage.move(path, f"{ROOT}/.{where}/{upload.dataset}/{ctx.run_id[:8]}-{name}")
