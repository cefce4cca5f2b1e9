"""Copying new bytes into the lake in Spark's workers: one by one, or many small files together in packages.

No decoder runs here, so nothing hostile shares a process with what writes to the lake. What was hashed is what is
kept: a file that has changed since then fails the upload, and the same command again reads it anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import from_arrow_schema

from imagelake.bronze.spread import BY_PLACE, collected, spread
from imagelake.bronze.store.blob import Blob
from imagelake.bronze.store.read_blobs import Reader, is_small, open_reader
from imagelake.errors import ImagelakeError, NotFound, UploadRejected
from imagelake.runs.context import Context
from imagelake.storage import store_of
from imagelake.storage.base import Storage
from imagelake.storage.blobs.blob_writer import BlobWriter
from imagelake.storage.blobs.local_writer import blob_path, changed
from imagelake.storage.blobs.zip_package import Package, cut
from imagelake.storage.uri import is_s3, split
from imagelake.storage.zip.codec import decode_all
from imagelake.uploads.source_rows import sum_of

if TYPE_CHECKING:
    from imagelake.storage.s3.bucket_storage import S3Storage

KEPT = pa.schema(
    [("content_hash", pa.string()), ("uri", pa.string()), ("offset", pa.int64()), ("problem", pa.string())]
)
"""Where bytes are kept now, relative to the lake; or why they could not be."""


def keep(ctx: Context, facts: pa.Table, single: bool) -> pa.Table:
    """Keep the bytes of these FACTS, one row a content hash; KEPT.

    From `ingest.package_files` on they go into packages, unless each is to be an object of its own. Loose files stand
    there in the order of their hashes, so that each package is a fair sample of them; members of an archive stand as
    they do there, for neighbours are read together.
    """
    packed = not single and len(facts) >= ctx.settings.ingest.package_files
    is_loose = pc.all(pc.equal(facts["offset"], 0)).as_py()
    order = ("content_hash",) if packed and is_loose else BY_PLACE
    wanted = facts.select(Blob._fields).sort_by([(column, "ascending") for column in order])
    frame = spread(ctx, wanted, sum_of(wanted["length"]), order)
    limit = ctx.settings.pack.package_megabytes << 20 if packed else None
    worker = _keeper(ctx.storage, limit, store_of(facts["uri"][0].as_py(), ctx.settings.s3))
    kept = collected(frame.mapInArrow(worker, from_arrow_schema(KEPT))).cast(KEPT)
    problems = kept["problem"].drop_null()
    if len(problems):
        raise ImagelakeError(problems[0].as_py(), hint="see to it, then run the same command again")
    return kept


def keep_blobs(
    blobs: Iterable[Blob], lake: Storage, package_bytes: int | None, store: S3Storage | None
) -> Iterator[tuple[str, str, int]]:
    """Keep each; its hash, and path and offset in the lake. ImagelakeError names the file that could not be kept.

    With `package_bytes` small ones go into packages of about that size. Whole objects of the bucket's own store are
    copied by the server, and stay objects of their own.
    """
    writer = lake.blob_writer()
    there, here = _divided(blobs, lake)
    for blob in there:
        writer.copy(blob.content_hash, *split(blob.uri), blob.etag)
    small = [blob for blob in here if is_small(blob)]
    reader = open_reader(small, store)
    for blob in here:
        if is_small(blob) and package_bytes:
            continue
        with about(blob):
            pieces = (_whole(reader, blob),) if is_small(blob) else reader.pieces(blob)
            writer.write(blob.content_hash, blob.length, pieces)
        there.append(blob)
    if package_bytes:
        yield from _packages(small, package_bytes, writer, reader)
    writer.wait()
    yield from ((blob.content_hash, blob_path(blob.content_hash), 0) for blob in there)


def _divided(blobs: Iterable[Blob], lake: Storage) -> tuple[list[Blob], list[Blob]]:
    """Blobs that the lake's store holds as whole objects, and the others."""
    there: list[Blob] = []
    here: list[Blob] = []
    for blob in blobs:
        whole = blob.offset == 0 and blob.etag is not None
        (there if whole and is_s3(lake.root) else here).append(blob)
    return there, here


def _packages(
    blobs: Sequence[Blob], package_bytes: int, writer: BlobWriter, reader: Reader
) -> Iterator[tuple[str, str, int]]:
    for start, end in cut([blob.length for blob in blobs], package_bytes):
        offsets: list[tuple[str, int]] = []
        with Package(writer) as package:
            for blob in blobs[start:end]:
                with about(blob):
                    data = _whole(reader, blob)
                offsets.append((blob.content_hash, package.add(blob.content_hash, blob.crc32, data)))
            path = package.finish()
        yield from ((content_hash, path, offset) for content_hash, offset in offsets)


def _whole(reader: Reader, blob: Blob) -> bytes | memoryview:
    data = decode_all(reader.whole(blob), blob.codec, blob.length)
    if hashlib.sha256(data).hexdigest() != blob.content_hash:
        raise changed()
    return data


@contextmanager
def about(blob: Blob) -> Iterator[None]:
    """Whatever keeps bytes from being read within is an ImagelakeError that names them."""
    try:
        yield
    except (UploadRejected, NotFound) as error:
        raise ImagelakeError(f"{blob.uri} {error.message}") from None
    except OSError as error:
        raise ImagelakeError(f"{blob.uri} cannot be read: {error.strerror}") from None


def _keeper(
    lake: Storage, package_bytes: int | None, store: S3Storage | None
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        blobs = (Blob(*row) for b in batches for row in zip(*(b[c].to_pylist() for c in Blob._fields), strict=True))
        rows: list[tuple[str | None, str | None, int | None, str | None]] = []
        try:
            rows += [(*found, None) for found in keep_blobs(blobs, lake, package_bytes, store)]
        except ImagelakeError as error:
            rows.append((None, None, None, error.message))
        if rows:
            columns = zip(*rows, strict=True)
            yield pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, KEPT, strict=True)], schema=KEPT)

    return run
