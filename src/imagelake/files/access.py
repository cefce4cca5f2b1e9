"""How files are reached: the settings of the object store, and the storage that a URI lies in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagelake.config.settings import S3Settings
from imagelake.errors import UsageError
from imagelake.storage import open_storage
from imagelake.storage.base import Storage
from imagelake.storage.local import LocalStorage, path_from_uri
from imagelake.storage.uri import is_s3, split
from imagelake.uploads.file_names import shown

if TYPE_CHECKING:
    from imagelake.storage.s3.client import Keys

_ALLOWED = "name a local path, a file:// or an s3:// URI of a file"


@dataclass(frozen=True)
class Options:
    """How to reach files: endpoint, region, retries and more of the object store; local files need none of it.

    `s3.attempts` is how often a request is tried in all, in boto3's adaptive mode; `s3.connections` how many files are
    read at a time, local ones too. Credentials come from the standard AWS_* chain of each process; a pickle holds them
    only with `s3.ship_credentials`, as they are at that moment.
    """

    s3: S3Settings = field(default_factory=S3Settings)
    credentials: Keys | None = field(default=None, repr=False, compare=False)

    def client(self) -> Any:
        """The boto3 client of this process, made on first use and shared by its threads."""
        from imagelake.storage.s3.client import connect

        return connect(self.s3, self.credentials)

    def storage(self, uri: str) -> Storage:
        """The storage at a root; ConfigError for a scheme that is not read."""
        if not is_s3(uri):
            return open_storage(uri)
        from imagelake.storage.s3.bucket_storage import S3Storage

        return S3Storage(*split(uri), self.s3, self.credentials)

    def __reduce__(self) -> tuple[object, ...]:
        return Options, (self.s3, self._shipped())

    def _shipped(self) -> Keys | None:
        if not self.s3.ship_credentials:
            return None
        from imagelake.storage.s3.client import frozen_credentials

        return frozen_credentials(self.client())


DEFAULTS = Options()
"""What the environment says."""


def locate(uri: object, options: Options) -> tuple[Storage, str]:
    """The storage that a file lies in, and its path there. UsageError for what names no file: text or a Path does."""
    if isinstance(uri, Path):
        return _on_disk(str(uri))
    if not isinstance(uri, str):
        problem = "there is no URI" if uri is None else f"a URI is text, not {type(uri).__name__}"
        raise UsageError(problem, hint=_ALLOWED)
    if uri.endswith("/"):
        raise _no_file(uri)
    return _in_bucket(uri, options) if is_s3(uri) else _on_disk(uri)


def _in_bucket(uri: str, options: Options) -> tuple[Storage, str]:
    bucket, key = split(uri)
    if not key:
        raise UsageError(f"{shown(uri)} names a bucket, not an object in it", hint=_ALLOWED)
    if not _is_encodable(uri):
        raise _no_file(uri)
    return options.storage(f"s3://{bucket}"), key


def _on_disk(uri: str) -> tuple[Storage, str]:
    try:
        path = path_from_uri(uri)
        if path.name in ("", "..") or not _is_encodable(str(path)):
            raise _no_file(uri)
        return LocalStorage(path.parent), path.name
    except RuntimeError as error:  # an unknown ~user, or links that lead in a circle
        raise UsageError(f"{shown(uri)} does not name a file: {error}", hint=_ALLOWED) from None


def _is_encodable(path: str) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _no_file(uri: str) -> UsageError:
    return UsageError(f"{shown(uri)} does not name a file", hint=_ALLOWED)
