"""Reading a blob from its place: a whole object, or a member's range in a kept archive."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagelake.errors import IntegrityError
from imagelake.storage.base import Storage
from imagelake.storage.codec import RAW_DEFLATE


@dataclass(frozen=True)
class Place:
    """Where bytes are: object, first byte, bytes there, bytes after decoding, and the codec (stored or deflate)."""

    uri: str
    offset: int
    length: int
    size: int
    codec: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Place:
        """A place from the columns of bronze.blobs."""
        return cls(row["uri"], row["offset"], row["length"], row["size"], row["codec"])


def read_place(storage: Storage, place: Place) -> bytes:
    """The decoded bytes; IntegrityError when they are not as long as they were."""
    data = storage.read(place.uri, place.offset, place.length)
    if place.codec == "stored":
        return data
    try:
        decoded = zlib.decompressobj(RAW_DEFLATE).decompress(data, place.size + 1)
    except zlib.error as error:
        raise IntegrityError(f"{place.uri} at byte {place.offset} cannot be inflated: {error}") from None
    if len(decoded) != place.size:
        raise IntegrityError(f"{place.uri} at byte {place.offset}: {len(decoded)} bytes, expected {place.size}")
    return decoded
