"""`s3://bucket/key`, taken apart and put together. Keys are taken as they are: nothing is percent-encoded."""

from __future__ import annotations

import re

from imagelake.errors import ConfigError

SCHEMES = ("s3://", "s3a://")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def is_s3(uri: str) -> bool:
    """Whether a URI names something in an object store."""
    return uri.startswith(SCHEMES)


def split(uri: str) -> tuple[str, str]:
    """Bucket and key or prefix, without slashes at its ends. ConfigError when there is no such bucket name."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ConfigError(f"{uri} names no bucket", hint="s3://bucket/prefix, the bucket in small letters and digits")
    return bucket, key.strip("/")


def join(*parts: str) -> str:
    """Parts of a key with one slash between them; empty ones are left out."""
    return "/".join(part for part in parts if part)
