"""URLs of single objects, for tests."""

from imagelake.storage.base import Storage
from imagelake.storage.s3.presign import DEFAULT_SECONDS, Url, presigned_gets


def presigned_get(storage: Storage, path: str, media_type: str | None, seconds: int = DEFAULT_SECONDS) -> Url:
    """A URL to read one object as that media type."""
    return presigned_gets(storage, ((path, media_type),), seconds)[0]
