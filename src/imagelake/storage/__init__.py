"""Where bytes are: storages, the lake's mark, archives, uploads as sources, leases."""

from __future__ import annotations

from imagelake.storage.base import Storage
from imagelake.storage.local import LocalStorage, path_from_uri


def open_storage(uri: str) -> Storage:
    """The storage at a root: a plain path or a `file:` URI; ConfigError for any other scheme."""
    return LocalStorage(path_from_uri(uri))
