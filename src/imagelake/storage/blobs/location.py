"""Reading a blob from its location: a whole object, or a member's range in a stored archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from imagelake.errors import ImagelakeError, IntegrityError, UploadRejected
from imagelake.storage.base import Range, Storage
from imagelake.storage.zip.central_directory import Codec
from imagelake.storage.zip.codec import decode_all


class Location(NamedTuple):
    """Where bytes are: object, first byte, bytes there, bytes after decoding, and the codec (stored or deflate)."""

    uri: str
    offset: int
    length: int
    size: int
    codec: Codec

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Location:
        """The location in a row of bronze.blobs."""
        return cls(row["uri"], row["offset"], row["length"], row["size"], row["codec"])


def read_location(storage: Storage, location: Location) -> bytes:
    """The decoded bytes; IntegrityError when they are not what was stored."""
    return _decoded(storage.read(location.uri, location.offset, location.length), location)


def read_span(storage: Storage, location: Location, start: int, end: int) -> bytes:
    """Bytes `start` to `end` of the decoded ones; of stored bytes no others are read."""
    if location.codec == "stored":
        return read_location(
            storage, Location(location.uri, location.offset + start, end - start, end - start, location.codec)
        )
    return read_location(storage, location)[start:end]


def read_locations(storage: Storage, locations: Sequence[Location]) -> Iterator[bytes | ImagelakeError]:
    """The decoded bytes of each location, or its error; fastest in the order of uri and offset.

    In a bucket neighbours come in one request, and several requests are on their way at a time.
    """
    ranges = [Range(location.uri, location.offset, location.length) for location in locations]
    for location, data in zip(locations, storage.read_ranges(ranges), strict=True):
        yield data if isinstance(data, ImagelakeError) else _attempted(partial(_decoded, data, location))


def _attempted(read: Callable[[], bytes]) -> bytes | ImagelakeError:
    try:
        return read()
    except ImagelakeError as error:
        return error
    except OSError as error:
        return ImagelakeError(f"cannot be read: {error}")


def _decoded(data: bytes, location: Location) -> bytes:
    try:
        return bytes(decode_all(data, location.codec, location.size))
    except UploadRejected as error:
        raise IntegrityError(f"{location.uri} at byte {location.offset}: {error.message}") from None
