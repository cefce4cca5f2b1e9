"""Bytes to keep."""

from __future__ import annotations

from typing import NamedTuple

from imagelake.storage.zip.central_directory import Codec


class SourceBlob(NamedTuple):
    """Bytes to keep, as PROBE_ROWS has them: where they are now, and what they are."""

    uri: str
    offset: int
    stored: int
    codec: Codec
    length: int
    content_hash: str
    crc32: int
    etag: str | None = None
