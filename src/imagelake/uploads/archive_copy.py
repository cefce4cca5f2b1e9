"""A copy of a whole archive: where its members are read, and the name it gets when it is stored."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from imagelake.storage.base import TEMP_PREFIX, Storage
from imagelake.storage.blobs.local_writer import ARCHIVES
from imagelake.uploads.archived import ArchiveCopy
from imagelake.uploads.source import Source
from imagelake.uploads.zip_source import copied_source

_CHUNK = 1 << 23


def receive(lake: Storage, given: Source) -> ArchiveCopy:
    """Begin to take an archive into a lake.

    A local lake copies it at once, and reads the copy. A bucket gets it when it is stored: until then it is read
    where it is. ImagelakeError when it changes meanwhile.
    """
    assert given.archive is not None
    if lake.folder is not None:
        return copy_archive(lake, given)
    from imagelake.uploads.bucket_copy import receive_in_bucket

    return receive_in_bucket(lake, given)


@dataclass(frozen=True)
class Copied:
    """An archive in a local lake under a temporary name, and the sha256 it will be named by."""

    lake: Storage
    source: Source
    temp: str
    sha256: str

    def store(self, upload_id: str) -> str:
        """Give the copy its name."""
        path = f"{ARCHIVES}/{self.sha256}.zip"
        if self.lake.stat(path) is None:
            self.lake.move(self.temp, path)
        return path

    def discard(self) -> None:
        """Remove the copy unless it has its name."""
        self.lake.delete(self.temp)


def copy_archive(lake: Storage, given: Source) -> Copied:
    """Copy an archive from anywhere into a local lake in one pass, hashing it on the way."""
    assert given.archive is not None
    temp = f"{ARCHIVES}/{TEMP_PREFIX}{uuid.uuid4().hex}"
    assert lake.folder is not None
    target = lake.folder / temp
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with given.archive.storage.open(given.archive.path) as source, target.open("xb", buffering=0) as out:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
        return Copied(lake, copied_source(given, lake, temp), temp, digest.hexdigest())
    except BaseException:
        lake.delete(temp)
        raise
