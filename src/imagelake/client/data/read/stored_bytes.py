"""The bytes of many samples: read in the order in which they are stored, and checked against their content hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from imagelake.client.delta.blob_places import Blob, blobs, read_blob
from imagelake.client.delta.tables import Tables
from imagelake.errors import ImagelakeError, IntegrityError, NotFound
from imagelake.storage.blobs.location import Location, read_locations

if TYPE_CHECKING:
    import pyarrow as pa

    from imagelake.client.data.samples import Samples

_AT_ONCE = 10_000
"""Places that are Python objects at a time."""


def in_storage_order(places: pa.Table, indexes: Sequence[int]) -> list[int]:
    """These places in the order of object and offset: neighbours come with one request."""
    import pyarrow as pa

    index = pa.array(indexes, pa.int64())
    positions = pa.table({"uri": places["uri"].cast(pa.string()), "offset": places["offset"]}).take(index)
    positions = positions.append_column("index", index)
    return list(positions.sort_by([("uri", "ascending"), ("offset", "ascending")])["index"].to_pylist())


def read_samples(samples: Samples, indexes: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Index and bytes of each of these samples, in this order; fastest in that of `in_storage_order`.

    IntegrityError names the image whose bytes are not what was published, NotFound one that is nowhere.
    """
    import pyarrow as pa

    rest = list(indexes)
    for start in range(0, len(rest), _AT_ONCE):
        some = pa.array(rest[start : start + _AT_ONCE], pa.int64())
        rows = samples.places.drop_columns(["crc32"]).take(some).to_pylist()
        hashes = samples.rows["content_hash"].take(some).to_pylist()
        answers = read_locations(samples.storage, [Location(**row) for row in rows])
        for index, content_hash, data in zip(some.to_pylist(), hashes, answers, strict=True):
            yield index, _checked(samples, index, content_hash, data)


def _checked(samples: Samples, index: int, content_hash: str, data: bytes | ImagelakeError) -> bytes:
    key = f"{samples.rows['image_key'][index].as_py()} of {samples.target.name}"
    hint = f"imagelake verify {samples.target.name} names all that is damaged; restore the file from a copy of the lake"
    if isinstance(data, NotFound):
        data = _read_elsewhere(samples, content_hash)
    if isinstance(data, ImagelakeError):
        raise type(data)(f"{key}: {data.message}", hint=data.hint or hint)
    if hashlib.sha256(data).hexdigest() != content_hash:
        raise IntegrityError(
            f"{key}: {samples.places['uri'][index].as_py()} does not hold the bytes of {content_hash}", hint=hint
        )
    return data


def _read_elsewhere(samples: Samples, content_hash: str) -> bytes:
    """Bytes that have moved since the samples were loaded."""
    dataset = samples.ref.partition("@")[0]
    places: Sequence[Blob] = blobs(Tables(samples.storage), dataset, (content_hash,)).get(content_hash, ())
    return read_blob(samples.storage, content_hash, places)
