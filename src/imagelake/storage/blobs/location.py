"""Reading a blob from its place: a whole object, or a member's range in a kept archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from imagelake.errors import ImagelakeError, IntegrityError, UploadRejected
from imagelake.storage.base import Range, Storage
from imagelake.storage.zip.central_directory import Codec
from imagelake.storage.zip.codec import decode_all

if TYPE_CHECKING:
    pass


class Place(NamedTuple):
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
    return _decoded(storage.read(place.uri, place.offset, place.length), place)


def read_span(storage: Storage, place: Place, start: int, end: int) -> bytes:
    """Bytes `start` to `end` of the decoded ones; of stored bytes no others are read."""
    if place.codec == "stored":
        return read_place(storage, Place(place.uri, place.offset + start, end - start, end - start, place.codec))
    return read_place(storage, place)[start:end]


def read_places(storage: Storage, places: Sequence[Place]) -> Iterator[bytes | ImagelakeError]:
    """The decoded bytes of each, or the error that kept them away; fastest in the order of uri and offset.

    In a bucket neighbours come in one request, and several requests are on their way at a time.
    """
    ranges = [Range(place.uri, place.offset, place.length) for place in places]
    for place, data in zip(places, storage.read_ranges(ranges), strict=True):
        yield data if isinstance(data, ImagelakeError) else _attempted(partial(_decoded, data, place))


def _attempted(read: Callable[[], bytes]) -> bytes | ImagelakeError:
    try:
        return read()
    except ImagelakeError as error:
        return error
    except OSError as error:
        return ImagelakeError(f"cannot be read: {error}")


def _decoded(data: bytes, place: Place) -> bytes:
    try:
        return bytes(decode_all(data, place.codec, place.size))
    except UploadRejected as error:
        raise IntegrityError(f"{place.uri} at byte {place.offset}: {error.message}") from None
