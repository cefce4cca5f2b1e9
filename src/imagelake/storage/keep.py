"""Keeping a whole archive: copied once into the lake under a temporary name, named by its sha256 when it is wanted."""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass

from imagelake.storage.base import Storage
from imagelake.storage.local import TEMP_PREFIX, open_regular, path_from_uri

ARCHIVES = "blobs/zip"
_CHUNK = 1 << 23


@dataclass(frozen=True)
class Copied:
    """An archive in the lake under a temporary name: its path there, and the sha256 it will be named by."""

    temp: str
    sha256: str

    @property
    def path(self) -> str:
        """Where it will be kept."""
        return f"{ARCHIVES}/{self.sha256}.zip"


def new_copy() -> str:
    """A path in the lake for a copy of an archive that has no name yet."""
    return f"{ARCHIVES}/{TEMP_PREFIX}{uuid.uuid4().hex}"


def copy_archive(lake: Storage, source_uri: str, temp: str) -> Copied:
    """Copy a local archive to this path of the lake in one pass, hashing it on the way."""
    target = path_from_uri(lake.uri(temp))
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with (
        os.fdopen(open_regular(path_from_uri(source_uri)), "rb", buffering=0) as source,
        target.open("xb", buffering=0) as out,
    ):
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
    return Copied(temp, digest.hexdigest())


def keep_archive(lake: Storage, copied: Copied) -> str:
    """Give the copy its name; the path it is kept at. The same archive twice is kept once."""
    if lake.stat(copied.path) is not None:
        lake.delete(copied.temp)
    else:
        lake.move(copied.temp, copied.path)
    return copied.path
