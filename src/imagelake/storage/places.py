"""Reading a blob from its place: a whole object, or a member's range in a kept archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagelake.errors import IntegrityError, UploadRejected
from imagelake.storage.base import Storage
from imagelake.storage.codec import decode_all
from imagelake.storage.zip_directory import Codec


@dataclass(frozen=True)
class Place:
    """Where bytes are: object, first byte, bytes there, bytes after decoding, and the codec (stored or deflate)."""

    uri: str
    offset: int
    length: int
    size: int
    codec: Codec

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Place:
        """A place from the columns of bronze.blobs."""
        return cls(row["uri"], row["offset"], row["length"], row["size"], row["codec"])


def read_place(storage: Storage, place: Place) -> bytes:
    """The decoded bytes; IntegrityError when they are not what was kept."""
    data = storage.read(place.uri, place.offset, place.length)
    try:
        return bytes(decode_all(data, place.codec, place.size))
    except UploadRejected as error:
        raise IntegrityError(f"{place.uri} at byte {place.offset}: {error.message}") from None
