"""A whole archive stored in a bucket: sent from a local disk, or copied by the server."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from imagelake.storage.base import Storage
from imagelake.storage.blobs.local_writer import ARCHIVES
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.multipart import part_bytes, pieces_of
from imagelake.uploads.archived import ArchiveCopy
from imagelake.uploads.source import Located, Source

_CHUNK = 1 << 23


def receive_in_bucket(lake: Storage, given: Source) -> ArchiveCopy:
    """Begin to take an archive into the bucket: one of a local disk is hashed first, for its name."""
    assert given.archive is not None
    assert isinstance(lake, S3Storage)
    if given.archive.storage.folder is None:
        return CopiedOnServer(lake, given, given.archive)
    digest = hashlib.sha256()
    with given.archive.storage.open(given.archive.path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return Sent(lake, given, given.archive, digest.hexdigest())


@dataclass(frozen=True)
class Sent:
    """A local archive, read where it is; sent under its sha256 when it is stored."""

    lake: S3Storage
    source: Source
    archive: Located
    sha256: str

    def store(self, upload_id: str) -> str:
        """Send it. UploadRejected (`file.changed`) when it is no longer what was hashed."""
        path = f"{ARCHIVES}/{self.sha256}.zip"
        length = self.archive.index.length
        stored = self.lake.stat(path)
        if stored is None or stored.length != length:
            with self.archive.storage.open(self.archive.path) as stream:
                size = part_bytes(length, self.lake.settings)
                self.lake.put_parts(path, pieces_of(stream, size), self.sha256)
        return path

    def discard(self) -> None:
        """Nothing was copied yet."""


@dataclass(frozen=True)
class CopiedOnServer:
    """An archive of the same store: copied by the server when it is stored, and only the version that was read.

    Nobody reads all of it in order, so its name is not the sha256 of its bytes but of what decides them: its length,
    its index (which has every name, size, place and CRC-32), and what its members were found to hold.
    """

    lake: S3Storage
    source: Source
    archive: Located

    def store(self, upload_id: str) -> str:
        """Copy it; Conflict when it has changed since it was read."""
        index = self.archive.index
        text = f"{index.length}\n{index.offset}\n{index.sha256}\n{upload_id}\n"
        path = f"{ARCHIVES}/{hashlib.sha256(text.encode()).hexdigest()}.zip"
        if self.lake.stat(path) is None:
            origin = self.archive.storage
            assert isinstance(origin, S3Storage)
            self.lake.copy_from(origin.at(self.archive.path), path, self.archive.etag)
        return path

    def discard(self) -> None:
        """Nothing was copied yet."""
