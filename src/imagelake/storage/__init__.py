"""Where bytes are: `base` is the protocol, `local` a folder, `s3/` a bucket, `open_lake` a lake's mark.

`zip/` reads archives, `blobs/` writes and finds the bytes of images, `leases/` keeps two writers apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelake.storage.base import Storage
from imagelake.storage.local import LocalStorage, path_from_uri
from imagelake.storage.uri import is_s3, split

if TYPE_CHECKING:
    from imagelake.config.settings import S3Settings
    from imagelake.storage.s3.bucket_storage import S3Storage


def open_storage(uri: str, s3: S3Settings | None = None) -> Storage:
    """The storage at a root: a plain path, a `file:` or an `s3:` URI; ConfigError for any other scheme.

    `s3` says how to reach an object store; None leaves it to the standard AWS_* variables.
    """
    if not is_s3(uri):
        return LocalStorage(path_from_uri(uri))
    # a local lake needs neither boto3 nor the settings, which take half a second to load
    from imagelake.config.settings import S3Settings
    from imagelake.storage.s3.bucket_storage import S3Storage

    return S3Storage(*split(uri), s3 or S3Settings())


def store_of(uri: str, s3: S3Settings) -> S3Storage | None:
    """A storage of the object store that a URI points into, to be sent to workers; None for anything local."""
    if not is_s3(uri):
        return None
    from imagelake.storage.s3.bucket_storage import S3Storage

    return S3Storage(split(uri)[0], "", s3)
