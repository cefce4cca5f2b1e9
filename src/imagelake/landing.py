"""The nightly verb: everything complete under landing/, dataset by dataset, in one session.

`landing/<D>/<name>.zip`, `<name>.json` or `<name>/` is complete when `landing/<D>/<name>.ready` exists, an empty file
or JSON with `mode`, `format` and `note`. What was taken moves to landing/.done/<D>/, what was refused to
landing/.rejected/<D>/. One failing upload or dataset does not stop the others.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from pydantic import ValidationError

from imagelake.bronze import ingest
from imagelake.bronze.ingest import IngestRequest
from imagelake.context import Context, RunReport
from imagelake.dataset_settings import load_dataset_settings
from imagelake.errors import ImagelakeError, UploadRejected
from imagelake.pipeline import publish_built
from imagelake.settings import Strict
from imagelake.silver import build
from imagelake.storage.base import Storage

log = logging.getLogger(__name__)

ROOT = "landing"
_READY = ".ready"


class ReadyOptions(Strict):
    """What a .ready file may say."""

    mode: str = "append"
    format: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A complete upload under landing/: its dataset, its path, its marker."""

    dataset: str
    path: str
    marker: str


def waiting(storage: Storage) -> list[Waiting]:
    """The complete uploads, oldest marker first within a dataset."""
    files = {s.path: s for s in storage.list(ROOT + "/")}
    found = []
    for path, facts in files.items():
        parts = PurePosixPath(path).parts
        if len(parts) == 3 and path.endswith(_READY) and not parts[1].startswith("."):
            stem = path.removesuffix(_READY)
            names = [p for p in files if p in (stem, f"{stem}.zip", f"{stem}.json", f"{stem}.xml")]
            folder = any(p.startswith(stem + "/") for p in files)
            target = names[0] if names else (stem if folder else None)
            if target is None:
                log.warning("%s names no upload: neither %s.zip nor a folder %s/ is there", path, stem, stem)
                continue
            found.append((facts.mtime_ns or 0, Waiting(parts[1], target, path)))
    return [w for _, w in sorted(found, key=lambda pair: (pair[1].dataset, pair[0], pair[1].path))]


def run_landing(ctx: Context) -> tuple[RunReport, ...]:
    """Take everything that waits, build it, and publish the datasets that are set to; a report an upload."""
    by_dataset: dict[str, list[Waiting]] = defaultdict(list)
    for upload in waiting(ctx.storage):
        by_dataset[upload.dataset].append(upload)
    reports: list[RunReport] = []
    for dataset, uploads in by_dataset.items():
        try:
            reports.extend(_take(ctx, dataset, uploads))
        except ImagelakeError as error:
            log.warning("%s: %s", dataset, error.message)
            failed = RunReport(dataset, "failed", problem=error.message, hint=error.hint, exit_code=error.exit_code)
            reports.append(failed)
    return tuple(reports)


def _take(ctx: Context, dataset: str, uploads: list[Waiting]) -> list[RunReport]:
    """One dataset: ingest all its uploads, move them, build once, publish once."""
    requests: list[IngestRequest] = []
    refused: list[RunReport] = []
    for upload in uploads:
        try:
            requests.append(_request(ctx.storage, upload))
        except UploadRejected as error:
            refused.append(RunReport(dataset, "rejected", problem=error.message, exit_code=error.exit_code))
            _move(ctx, upload, "rejected")
    kept = [u for u in uploads if ctx.storage.stat(u.marker) is not None]
    landed = ingest.run_all(ctx, dataset, requests)
    built = {r.upload_id: r for r in build.run(ctx, dataset)}
    reports = [replace(built[r.upload_id], status="accepted") if r.upload_id in built else r for r in landed]
    for upload, report in zip(kept, reports, strict=True):
        _move(ctx, upload, "rejected" if report.exit_code else "done")
    if load_dataset_settings(ctx.storage, dataset).publish == "auto" and reports:
        reports[-1] = publish_built(ctx, reports[-1], None)
    return refused + reports


def _request(storage: Storage, upload: Waiting) -> IngestRequest:
    text = storage.read(upload.marker).decode("utf-8", "replace").strip()
    try:
        options = ReadyOptions.model_validate(json.loads(text)) if text else ReadyOptions()
    except (ValueError, ValidationError) as error:
        raise UploadRejected(f"{upload.marker}: {error}", rule="landing.options") from None
    if options.mode not in ingest.MODES:
        raise UploadRejected(f"{upload.marker}: mode {options.mode!r} is unknown", rule="landing.options")
    return IngestRequest(upload.dataset, storage.uri(upload.path), options.format, options.mode, options.note)


def _move(ctx: Context, upload: Waiting, where: str) -> None:
    """The upload, then its marker: a crash in between leaves a marker without upload, which is only reported."""
    for path in (upload.path, upload.marker):
        name = PurePosixPath(path).name
        ctx.storage.move(path, f"{ROOT}/.{where}/{upload.dataset}/{ctx.run_id[:8]}-{name}")
