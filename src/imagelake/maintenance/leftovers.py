"""What killed runs leave behind: uploads in parts that never ended, and files that never got their name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, cast

from imagelake.context import Clock
from imagelake.storage.base import TEMP_PREFIX, Storage
from imagelake.storage.local import LocalStorage

GRACE = timedelta(hours=24)
"""Younger ones may belong to a run that is still at work."""


@dataclass(frozen=True)
class Leftovers:
    """Paths of what was removed: uploads in parts, and temporary files."""

    uploads: tuple[str, ...]
    files: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """{"uploads": [...], "files": [...]}."""
        return {"uploads": list(self.uploads), "files": list(self.files)}


def remove_leftovers(storage: Storage, clock: Clock) -> Leftovers:
    """Remove what is older than GRACE; what a run that is still at work needs is younger."""
    before = clock() - GRACE
    if isinstance(storage, LocalStorage):
        return Leftovers((), tuple(_local_files(storage, before)))
    from imagelake.storage.s3_probe import abort, unfinished
    from imagelake.storage.s3_storage import S3Storage

    bucket = cast(S3Storage, storage)
    stale = [upload for upload in unfinished(bucket) if upload.begun < before]
    for upload in stale:
        abort(bucket, upload)
    files = [found.path for found in bucket.list_temporary("blobs") if (found.mtime_ns or 0) < before.timestamp() * 1e9]
    bucket.delete_all(files)
    return Leftovers(tuple(upload.path for upload in stale), tuple(files))


def _local_files(storage: LocalStorage, before: datetime) -> Iterator[str]:
    for place in (storage.folder / "blobs").rglob(f"{TEMP_PREFIX}*"):
        if datetime.fromtimestamp(place.stat().st_mtime, timezone.utc) < before:
            place.unlink(missing_ok=True)
            yield place.relative_to(storage.folder).as_posix()
