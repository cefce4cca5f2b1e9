"""Packages written by Spark's workers, a package a row: the bytes are copied once and read back, and hashed nowhere.

Length and CRC-32 of every member are known from bronze. What was copied is compared with them when it is read back, so
that a source that has decayed is found before it is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from isal.isal_zlib import crc32
from pyspark.sql.pandas.types import from_arrow_schema

from imagelake.bronze.spread import collected
from imagelake.bronze.store.blob import Blob
from imagelake.bronze.store.read_blobs import is_small, open_reader
from imagelake.bronze.store.write_blobs import about
from imagelake.errors import IntegrityError
from imagelake.runs.context import Context
from imagelake.storage import store_of
from imagelake.storage.base import Storage
from imagelake.storage.blobs.local_writer import blob_path
from imagelake.storage.blobs.zip_package import Package, cut
from imagelake.storage.zip.codec import decode_all

if TYPE_CHECKING:
    from imagelake.storage.s3.bucket_storage import S3Storage

PACKED = pa.schema([("content_hash", pa.string()), ("uri", pa.string()), ("offset", pa.int64())])
"""Where bytes lie now, relative to the lake."""

_COLUMNS = ("content_hash", "uri", "offset", "stored", "codec", "length", "crc32")
_BLOCK = 8 << 20


def write_packages(ctx: Context, sources: pa.Table, package_bytes: int) -> pa.Table:
    """Copy these bytes (plan.PLACE, in the order they are to have) into packages; PACKED.

    What is too large to be held in memory becomes an object of its own. IntegrityError names bytes that are not what
    bronze says; nothing refers to what was written until then.
    """
    runs = cut(sources["size"].to_pylist(), package_bytes)
    members = pa.table(
        {
            "content_hash": sources["content_hash"],
            "uri": pa.array([ctx.storage.uri(path) for path in sources["uri"].to_pylist()], pa.string()),
            "offset": sources["offset"],
            "stored": sources["length"],
            "codec": sources["codec"],
            "length": sources["size"],
            "crc32": sources["crc32"],
        }
    ).combine_chunks()
    offsets = pa.array([start for start, _ in runs] + [len(sources)], pa.int32())
    packages = pa.table(
        {name: pa.ListArray.from_arrays(offsets, pc.cast(members[name].chunk(0), _type(name))) for name in _COLUMNS}
    )
    frame = ctx.spark.createDataFrame(packages, from_arrow_schema(packages.schema)).repartition(len(runs))
    worker = _writer(ctx.storage, store_of(members["uri"][0].as_py(), ctx.settings.s3))
    return collected(frame.mapInArrow(worker, from_arrow_schema(PACKED))).cast(PACKED)


def _type(name: str) -> pa.DataType:
    return pa.int64() if name in ("offset", "stored", "length", "crc32") else pa.string()


def _writer(lake: Storage, store: S3Storage | None) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for row in (row for batch in batches for row in batch.select(list(_COLUMNS)).to_pylist()):
            members = zip(*(row[name] for name in _COLUMNS), strict=True)
            blobs = [Blob(**dict(zip(_COLUMNS, member, strict=True))) for member in members]
            columns = zip(*write_package(lake, store, blobs), strict=True)
            yield pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, PACKED, strict=True)], schema=PACKED)

    return run


def write_package(lake: Storage, store: S3Storage | None, blobs: Sequence[Blob]) -> list[tuple[str, str, int]]:
    """Copy these bytes into one package, in this order, and read it back: content hash, path and offset of each."""
    writer = lake.blob_writer()
    small = [blob for blob in blobs if is_small(blob)]
    large = [blob for blob in blobs if not is_small(blob)]
    reader = open_reader(small, store)
    for blob in large:
        with about(blob):
            writer.write(blob.content_hash, blob.length, reader.pieces(blob))
    writer.wait()
    places = [(blob.content_hash, blob_path(blob.content_hash), 0) for blob in large]
    if not small:
        return places
    with Package(writer) as package:
        offsets = []
        for blob in small:
            with about(blob):
                data = decode_all(reader.whole(blob), blob.codec, blob.length)
            offsets.append(package.add(blob.content_hash, blob.crc32, data))
        path = package.finish()
    check_package(lake, path, small, offsets)
    return [*places, *((blob.content_hash, path, offset) for blob, offset in zip(small, offsets, strict=True))]


def check_package(lake: Storage, path: str, blobs: Sequence[Blob], offsets: Sequence[int]) -> None:
    """Read the members of a package, in blocks; IntegrityError when one has not the CRC-32 that bronze has of it."""
    start = 0
    while start < len(blobs):
        end = start + 1
        while end < len(blobs) and offsets[end] + blobs[end].length - offsets[start] <= _BLOCK:
            end += 1
        length = offsets[end - 1] + blobs[end - 1].length - offsets[start]
        block = memoryview(lake.read(path, offsets[start], length))
        for blob, offset in zip(blobs[start:end], offsets[start:end], strict=True):
            begin = offset - offsets[start]
            if crc32(block[begin : begin + blob.length]) != blob.crc32:
                raise IntegrityError(
                    f"{blob.uri} at byte {blob.offset} does not hold the bytes of {blob.content_hash}",
                    hint="imagelake verify names the versions; restore the file from a copy of the lake",
                )
        start = end
