"""A zip as an upload, wherever it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imagelake.errors import ImagelakeError
from imagelake.storage.base import Storage
from imagelake.uploads.archive import index, read_archive
from imagelake.uploads.member_rows import Ignored, entry_members
from imagelake.uploads.source import ArchiveLocation, ArchiveTree, UploadSource, arranged
from imagelake.uploads.source_rows import Rows

if TYPE_CHECKING:
    from imagelake.config.settings import IngestSettings


def archive_source(storage: Storage, path: str, limits: IngestSettings) -> UploadSource:
    """The zip at this path; UploadRejected (`archive.…`) when it cannot be taken as a whole."""
    archive = read_archive(storage, path, limits)
    members, wrapper, junk = arranged(entry_members(archive.entries.table), "archive")
    stat = storage.stat(path)
    assert stat is not None
    stamp = f"{stat.length}-{stat.etag or stat.mtime_ns}"
    tree = ArchiveTree(members, storage, path)
    place = ArchiveLocation(storage, path, archive.index, stat.etag)
    return UploadSource(
        "zip", storage.uri(path), members, Rows(junk, Ignored), wrapper, stat.length, stamp, tree, place
    )


def copied_source(source: UploadSource, storage: Storage, path: str) -> UploadSource:
    """The upload read from a copy of its archive, which is not read anew but must have the same index."""
    assert source.archive is not None
    if index(storage, path, source.archive.index.offset) != source.archive.index:
        raise ImagelakeError(
            f"{source.uri} changed while it was copied", hint="run the same command again once it is written"
        )
    place = ArchiveLocation(storage, path, source.archive.index, None)
    return replace(source, uri=storage.uri(path), tree=ArchiveTree(source.members, storage, path), archive=place)
