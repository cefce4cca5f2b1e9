"""Copying new bytes into the lake in Spark's workers: one by one, or many small files together in packages.

No decoder runs here, so nothing hostile shares a process with what writes to the lake. What was hashed is what is
kept: a file that has changed since then fails the upload, and the same command again reads it anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema

from imagelake.bronze.probe_read import WHOLE, Ranges
from imagelake.bronze.spread import spread
from imagelake.context import Context
from imagelake.errors import ImagelakeError, NotFound, UploadRejected
from imagelake.storage.blobs import blob_path, changed, keep_bytes
from imagelake.storage.codec import decode, decode_all
from imagelake.storage.local import path_from_uri
from imagelake.storage.package import Package
from imagelake.storage.zip_directory import Codec

KEPT = pa.schema(
    [("content_hash", pa.string()), ("uri", pa.string()), ("offset", pa.int64()), ("problem", pa.string())]
)
"""Where bytes are kept now, relative to the lake; or why they could not be."""


class Blob(NamedTuple):
    """Bytes to keep, as FACTS has them: where they are now, and what they are."""

    uri: str
    offset: int
    stored: int
    codec: Codec
    length: int
    content_hash: str
    crc32: int


def keep(ctx: Context, facts: pa.Table) -> pa.Table:
    """Keep the bytes of these FACTS, one row a content hash; KEPT. From `ingest.package_files` on in packages."""
    packed = len(facts) >= ctx.settings.ingest.package_files
    wanted = facts.select(Blob._fields).sort_by([("uri", "ascending"), ("offset", "ascending")])
    frame = spread(ctx, wanted, wanted["length"].to_pylist())
    kept = (
        frame.mapInArrow(_keeper(str(path_from_uri(ctx.storage.root)), packed), from_arrow_schema(KEPT))
        .toArrow()
        .cast(KEPT)
    )
    problem = next((p for p in kept["problem"].to_pylist() if p is not None), None)
    if problem is not None:
        raise ImagelakeError(problem, hint="see to it, then run the same command again")
    return kept


def keep_blobs(blobs: Iterable[Blob], lake: str, packed: bool) -> Iterator[tuple[str, str, int]]:
    """Keep each; its hash, and path and offset in the lake. ImagelakeError names the file that could not be kept."""
    ranges = Ranges()
    small: list[Blob] = []
    for blob in blobs:
        if packed and blob.stored <= WHOLE and blob.length <= WHOLE:
            small.append(blob)
            continue
        with _about(blob):
            keep_bytes(lake, blob.content_hash, blob.length, _pieces(ranges, blob))
        yield blob.content_hash, blob_path(blob.content_hash), 0
    yield from _packages(small, lake, ranges)


def _packages(blobs: Sequence[Blob], lake: str, ranges: Ranges) -> Iterator[tuple[str, str, int]]:
    rest = list(reversed(blobs))
    while rest:
        offsets: list[tuple[str, int]] = []
        with Package(lake) as package:
            while rest and package.room_for(rest[-1].length):
                blob = rest.pop()
                with _about(blob):
                    data = _whole(ranges, blob)
                offsets.append((blob.content_hash, package.add(blob.content_hash, blob.crc32, data)))
            path = package.finish()
        yield from ((content_hash, path, offset) for content_hash, offset in offsets)


def _whole(ranges: Ranges, blob: Blob) -> bytes | memoryview:
    ranges.open(blob.uri)
    end = blob.offset + blob.stored
    data = decode_all(ranges.read(blob.offset, end, end), blob.codec, blob.length)
    if hashlib.sha256(data).hexdigest() != blob.content_hash:
        raise changed()
    return data


def _pieces(ranges: Ranges, blob: Blob) -> Iterator[bytes | memoryview]:
    ranges.open(blob.uri)
    return decode(ranges.stream(blob.offset, blob.stored), blob.codec, blob.length)


@contextmanager
def _about(blob: Blob) -> Iterator[None]:
    try:
        yield
    except (UploadRejected, NotFound) as error:
        raise ImagelakeError(f"{blob.uri} {error.message}") from None
    except OSError as error:
        raise ImagelakeError(f"{blob.uri} cannot be read: {error.strerror}") from None


def _keeper(lake: str, packed: bool) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        blobs = (Blob(*row) for b in batches for row in zip(*(b[c].to_pylist() for c in Blob._fields), strict=True))
        rows: list[tuple[str | None, str | None, int | None, str | None]] = []
        try:
            rows += [(*found, None) for found in keep_blobs(blobs, lake, packed)]
        except ImagelakeError as error:
            rows.append((None, None, None, error.message))
        if rows:
            columns = zip(*rows, strict=True)
            yield pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, KEPT, strict=True)], schema=KEPT)

    return run
