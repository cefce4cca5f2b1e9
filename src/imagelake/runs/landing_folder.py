"""What lies under landing/: complete uploads, and what no run takes: uploads without a marker, and the reverse.

`landing/<D>/<name>.zip`, a document as `<name>.json`, or `<name>/` is complete when `landing/<D>/<name>.ready` exists.
Folders whose names begin with a dot belong to the lake (.done, .rejected, .parts) or to tools, and are left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any

from imagelake.core.upload_paths import is_junk
from imagelake.storage.base import Stat, Storage
from imagelake.uploads.source import ANNOTATION_SUFFIXES

log = logging.getLogger(__name__)

ROOT = "landing"
UNMARKED_AFTER = timedelta(hours=1)
"""An upload without a marker is named from this age on: a younger one may still be on its way."""

READY = ".ready"
_SUFFIXES = ("", ".zip", *ANNOTATION_SUFFIXES)


@dataclass(frozen=True)
class Waiting:
    """A complete upload under landing/: its dataset, its path, its marker, that one's mtime and when it got there."""

    dataset: str
    path: str
    marker: str
    mtime_ns: int
    arrived_ns: int


@dataclass(frozen=True)
class NotTaken:
    """What lies under landing/ and is no complete upload.

    `kind` is no_marker (an upload without its marker), no_upload (a marker without its upload), or no_dataset (a file
    that lies in no dataset's folder); `age_seconds` counts from when its newest file got there.
    """

    path: str
    kind: str
    age_seconds: int
    problem: str

    def as_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return dict(vars(self))


def waiting(storage: Storage, dataset: str | None = None) -> list[Waiting]:
    """The complete uploads, of one dataset or of all, oldest marker first within a dataset."""
    files = _files(storage, dataset)
    uploads = []
    for marker in _markers(files):
        upload = _upload_of(marker, files)
        if upload is None:
            log.warning("%s", _without_upload(marker))
            continue
        stat = files[marker]
        folder = PurePosixPath(marker).parts[1]
        uploads.append(Waiting(folder, upload, marker, stat.mtime_ns or 0, stat.arrived_ns or 0))
    return sorted(uploads, key=lambda upload: (upload.dataset, upload.mtime_ns, upload.path))


def not_taken(storage: Storage, now: datetime, dataset: str | None = None) -> list[NotTaken]:
    """What a run leaves under landing/ because it is no complete upload, in path order.

    Uploads without a marker are named once they are an hour old, all else at any age: a marker is written last, and no
    upload is complete outside of a dataset's folder. With `dataset` only what lies in its folder.
    """
    files = _files(storage, dataset)
    uploads = {marker: _upload_of(marker, files) for marker in _markers(files)}
    entries: dict[str, list[Stat]] = {}
    for path, stat in files.items():
        if path not in uploads and not is_junk(path):
            entries.setdefault("/".join(path.split("/")[:3]), []).append(stat)
    for upload in uploads.values():
        if upload is not None:
            entries.pop(upload, None)
    strays = [_stray(path, stats, now) for path, stats in entries.items()]
    strays += [
        NotTaken(marker, "no_upload", _age(now, [files[marker]]), _without_upload(marker))
        for marker, upload in uploads.items()
        if upload is None
    ]
    return sorted(
        (s for s in strays if s.kind != "no_marker" or s.age_seconds >= UNMARKED_AFTER.total_seconds()),
        key=lambda stray: stray.path,
    )


def _files(storage: Storage, dataset: str | None) -> dict[str, Stat]:
    return {stat.path: stat for stat in storage.list(f"{ROOT}/{dataset}/" if dataset is not None else f"{ROOT}/")}


def _markers(files: Iterable[str]) -> list[str]:
    return [path for path in files if path.endswith(READY) and path.count("/") == 2 and path.split("/")[1][0] != "."]


def _upload_of(marker: str, files: Mapping[str, Stat]) -> str | None:
    """The path of the upload that a marker makes complete; None where there is none."""
    stem = marker.removesuffix(READY)
    path = next((stem + suffix for suffix in _SUFFIXES if stem + suffix in files), None)
    if path is None and any(path.startswith(stem + "/") for path in files):
        return stem
    return path


def _without_upload(marker: str) -> str:
    stem = marker.removesuffix(READY)
    return f"{marker} matches no upload: neither {stem}.zip, nor a document {stem}.json, nor a folder {stem}/ is there"


def _stray(path: str, stats: list[Stat], now: datetime) -> NotTaken:
    age = _age(now, stats)
    name = PurePosixPath(path).name
    if path.count("/") == 1:
        problem = f"{path} lies in no dataset's folder: uploads lie in {ROOT}/<dataset>/"
        return NotTaken(path, "no_dataset", age, problem)
    is_folder = stats[0].path != path
    suffix = PurePosixPath(path).suffix
    stem = path.removesuffix(suffix) if not is_folder and suffix in _SUFFIXES else path
    problem = f"{path} has no marker: write {PurePosixPath(stem).name}{READY} beside {name} once it is complete"
    return NotTaken(f"{path}/" if is_folder else path, "no_marker", age, problem)


def _age(now: datetime, stats: Iterable[Stat]) -> int:
    """Seconds since the newest of these files got there; a copy may carry its old mtime along."""
    newest = max(stat.arrived_ns or stat.mtime_ns or 0 for stat in stats)
    return max(0, int((now - datetime.fromtimestamp(newest / 1e9, timezone.utc)).total_seconds()))
