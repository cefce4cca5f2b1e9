"""ingest: an upload becomes bronze. Bytes first, then rows, then the delivery that makes them count."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from imagelake.bronze import bronze_rows, locations
from imagelake.bronze.probe.probe_files import PROBE_ROWS
from imagelake.bronze.probe.probe_results import probe_archive, probe_loose_files, unchanged_files
from imagelake.bronze.request import IngestRequest
from imagelake.bronze.seen_files import Past
from imagelake.bronze.upload_outcome import Prepared, commit, landed, rejected
from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.core.modes import MODES
from imagelake.core.upload_paths import check_dataset_id
from imagelake.errors import UploadRejected, UsageError
from imagelake.formats import reader
from imagelake.formats.detect import Choice, choose
from imagelake.runs.context import Context, RunReport
from imagelake.storage.label_paths import dataset_folder
from imagelake.storage.leases.lease import Lease
from imagelake.tables.saved_labels import FORMAT, saves
from imagelake.uploads.archive_copy import receive
from imagelake.uploads.archived import ArchiveCopy
from imagelake.uploads.open_source import open_source
from imagelake.uploads.source import UploadSource

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Upload:
    """An upload to take in: its files, their format, their origin, the PROBE_ROWS of files already in bronze.

    `archived` is how its archive is kept, if it is one.
    """

    source: UploadSource
    choice: Choice
    origin: Mapping[str, str | None]
    reused: pa.Table
    archived: ArchiveCopy | None = None


def run(ctx: Context, request: IngestRequest, lease: Lease) -> RunReport:
    """Take one upload into bronze, unless it is known. A rejected one is recorded and reported, not raised."""
    *folded, report = run_all(ctx, request.dataset, [request], lease)
    ctx.reports.extend(folded)
    return report


def run_all(ctx: Context, dataset: str, requests: Sequence[IngestRequest], lease: Lease) -> tuple[RunReport, ...]:
    """Take uploads of one dataset in order, with one commit for all of them in each table of rows.

    Labelling saves that wait are taken before, as an upload of their own, whose report then comes first. With no
    request at all only those are taken. A report carries the sequence its upload has, or has had before.
    """
    check_dataset_id(dataset)
    for request in requests:
        if request.mode not in MODES:
            raise UsageError(f"mode {request.mode!r} is not one of {', '.join(MODES)}")
    past = Past.of(ctx, dataset)
    outcomes: list[RunReport | Prepared] = []
    for request in (*_saved(ctx, dataset), *requests):
        outcome = _timed(ctx, request, past)
        outcomes.append(outcome)
        if isinstance(outcome, Prepared):
            past.add(outcome.row)
    lease.check()
    written = iter(commit(ctx, [o for o in outcomes if isinstance(o, Prepared)]))
    return tuple(landed(next(written), o) if isinstance(o, Prepared) else o for o in outcomes)


def _saved(ctx: Context, dataset: str) -> list[IngestRequest]:
    """The labelling saves that wait, as an upload; those a build is done with are removed."""
    there = saves(ctx, dataset)
    ctx.storage.delete_all(f"{dataset_folder(dataset)}/{name}" for name in there.finished)
    if not there.waiting:
        return []
    upload = ctx.storage.uri(dataset_folder(dataset))
    return [IngestRequest(dataset, upload, FORMAT, note="labelling saves", only=frozenset(there.waiting))]


def _ingest(ctx: Context, request: IngestRequest, past: Past) -> RunReport | Prepared:
    ctx.progress(f"looking at {request.upload}")
    source = open_source(request.upload, ctx.settings.ingest, ctx.settings.s3, request.only)
    stamp = bronze_rows.trusted_stamp(ctx, source.stamp)
    origin = {"source": source.uri, "source_stamp": stamp}
    if stamp is not None and not request.rehash:
        seen = past.find(request, source=source.uri, source_stamp=stamp)
        if seen is not None:
            return past.answer(ctx, request, seen, origin)
    force_rehash = request.rehash or source.kind == "zip"
    reused = PROBE_ROWS.empty_table() if force_rehash else unchanged_files(ctx, request.dataset, source)
    if source.kind == "folder" and len(reused) == len(source.members):
        # nothing of it is read, not even the documents that tell its format
        seen = past.find(request, upload_id=bronze_rows.upload_id(reused))
        if seen is not None:
            return past.answer(ctx, request, seen, origin)
    if source.kind != "zip":
        return _take(ctx, request, past, _Upload(source, _chosen(ctx, request, source), origin, reused))
    with ThreadPoolExecutor(1) as pool:
        receiving = pool.submit(receive, ctx.storage, source)
        choice = _chosen(ctx, request, source)  # meanwhile
        archived = receiving.result()
    try:
        return _take(ctx, request, past, _Upload(archived.source, choice, origin, reused, archived))
    finally:
        archived.discard()


def _take(ctx: Context, request: IngestRequest, past: Past, upload: _Upload) -> RunReport | Prepared:
    """Hash and probe the upload and store its new bytes; or report that everything is in bronze already."""
    source, choice, archived = upload.source, upload.choice, upload.archived
    probe_rows = _probe(ctx, source, upload.reused)
    bronze_rows.check_usable(probe_rows, choice)
    upload_id = bronze_rows.upload_id(probe_rows)
    if (seen := past.find(request, upload_id=upload_id)) is not None:
        return past.answer(ctx, request, seen, upload.origin)
    attempt_id = uuid.uuid4().hex
    ctx.progress("storing the bytes")
    existing_rows = locations.existing_locations(ctx, request.dataset, probe_rows, past.blobs)
    single = load_dataset_settings(ctx.storage, request.dataset).browse
    if archived is not None:
        location_rows, archive_uri = locations.store_zip(ctx, archived, upload_id, probe_rows, existing_rows, single)
    else:
        location_rows, archive_uri = locations.store_files(ctx, probe_rows, existing_rows, single), None
    if single:
        copies = locations.make_objects(ctx, request.dataset, probe_rows["content_hash"], existing_rows)
        location_rows = pa.concat_tables([location_rows, copies])
    files = bronze_rows.files(ctx, request.dataset, attempt_id, source, choice, probe_rows)
    row = {
        "dataset": request.dataset,
        "upload_id": upload_id,
        "state": "landed",
        "attempt_id": attempt_id,
        "mode": request.mode,
        "requested_format": request.format,
        "format": choice.reader,
        "reader_version": reader(choice.reader).version,
        "detection": bronze_rows.recognition(files, choice, source.wrapper),
        **upload.origin,
        "kept_uri": archive_uri,
        "bytes": source.bytes,
        "files": asdict(bronze_rows.landed_counts(files)),
        "note": request.note,
        "dropped_at": request.dropped_at,
    }
    objects = locations.objects(location_rows) if single else None
    blobs = locations.rows(ctx, request.dataset, attempt_id, location_rows, existing_rows)
    past.blobs.append(blobs)
    return Prepared(row, files, blobs, objects=objects)


def _probe(ctx: Context, source: UploadSource, reused: pa.Table) -> pa.Table:
    ctx.progress(f"hashing and checking {len(source.members)} files")
    if source.kind == "zip":
        return probe_archive(ctx, source)
    return probe_loose_files(ctx, source, reused)


def _timed(ctx: Context, request: IngestRequest, past: Past) -> RunReport | Prepared:
    """One upload: prepared, known, or refused, which is recorded, for it is tried again whenever it comes again."""
    started = time.monotonic()
    try:
        outcome = _ingest(ctx, request, past)
    except UploadRejected as problem:
        log.info("%s: %s rejected: %s", request.dataset, request.upload, problem.message)
        outcome = rejected(request, problem)
    return replace(outcome, seconds=round(time.monotonic() - started, 3))


def _chosen(ctx: Context, request: IngestRequest, source: UploadSource) -> Choice:
    tree = copy(source.tree)  # its paths as Python strings are needed no longer than here
    choice = choose(tree, request.format)
    limit = ctx.settings.ingest.max_document_bytes
    for path in choice.detection.documents:
        size = tree.size(path)
        if size > limit:
            raise UploadRejected(
                f"{path} has {size} bytes, ingest.max_document_bytes allows {limit}",
                hint="split the document, or raise the limit",
                rule="document.too_large",
            )
    return choice
