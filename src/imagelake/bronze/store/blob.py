"""Bytes to store."""

from __future__ import annotations

from typing import NamedTuple

from imagelake.storage.zip.central_directory import Codec


class SourceBlob(NamedTuple):
    """Bytes to store, as in PROBE_ROWS: their current location, length, CRC-32 and content hash."""

    uri: str
    offset: int
    stored: int
    codec: Codec
    length: int
    content_hash: str
    crc32: int
    etag: str | None = None
