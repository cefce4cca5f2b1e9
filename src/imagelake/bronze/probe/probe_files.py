"""Probing files in Spark's Python workers through mapInArrow: hash, media type, image facts, one row a file.

No image bytes pass through Spark: workers are given places and give back facts. Each worker does the work in a forked
process of its own with limits on memory and time, so a hostile file costs its own row and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from imagelake.bronze.probe.probe_file import Answer, Inspect, Inspector, ProbeItem
from imagelake.bronze.probe.probe_image import ImageProperties, ProbeLimits, inspect_image
from imagelake.bronze.probe.readers import Ranges
from imagelake.bronze.probe.sandbox import probe
from imagelake.storage.uri import is_s3
from imagelake.uploads.member_rows import Members
from imagelake.uploads.source import UploadSource
from imagelake.uploads.source_rows import BATCH

if TYPE_CHECKING:
    from imagelake.storage.s3.bucket_storage import S3Storage

__all__ = [
    "DESCRIPTORS",
    "PROBE_ROWS",
    "ImageProperties",
    "ProbeLimits",
    "describe",
    "describe_all",
    "inspect_image",
    "probe_members",
]

_PLACE = [
    pa.field("path", pa.string(), nullable=False),  # inside the upload
    pa.field("uri", pa.string(), nullable=False),  # the object the bytes are in
    pa.field("stored", pa.int64(), nullable=False),  # bytes there
    pa.field("codec", pa.string(), nullable=False),  # stored or deflate
    pa.field("etag", pa.string()),  # of the object, which must not have changed; null for a file
]

DESCRIPTORS = pa.schema(
    [
        *_PLACE,
        pa.field("member", pa.string()),  # name inside the archive; null for a file or a plain range
        pa.field("offset", pa.int64(), nullable=False),  # of the local header; of the bytes when member is null
        pa.field("end", pa.int64(), nullable=False),  # header and bytes end at or before it
        pa.field("size", pa.int64(), nullable=False),  # declared bytes after decoding
        pa.field("crc32", pa.int64()),  # declared, if anything is
        pa.field("whole", pa.bool_(), nullable=False),  # the bytes are all the object has
        pa.field("raw_name", pa.binary()),  # of the headers, where a Unicode path field gave another member name
    ]
)
"""The columns probe_members reads; others may be beside them."""

PROBE_ROWS = pa.schema(
    [
        *_PLACE,
        pa.field("content_hash", pa.string()),  # sha256 of the decoded bytes, hex; null when they cannot be read
        pa.field("crc32", pa.int64()),
        pa.field("length", pa.int64()),  # bytes after decoding
        pa.field("offset", pa.int64()),  # of the bytes, after the local header
        pa.field("media_type", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("mode", pa.string()),
        pa.field("orientation", pa.int32()),
        pa.field("frames", pa.int32()),
        pa.field("bit_depth", pa.int32()),
        pa.field("phash", pa.string()),
        pa.field("brightness_p5", pa.float64()),
        pa.field("brightness_p99", pa.float64()),
        pa.field("contrast", pa.float64()),
        pa.field("entropy", pa.float64()),
        pa.field("sharpness", pa.float64()),
        pa.field("problem_rule", pa.string()),
        pa.field("problem", pa.string()),
    ]
)
"""The columns probe_members yields, in this order."""

_ITEM_COLUMNS = (
    "path",
    "uri",
    "member",
    "offset",
    "end",
    "stored",
    "size",
    "codec",
    "crc32",
    "whole",
    "etag",
    "raw_name",
)


def probe_members(
    batches: Iterable[pa.RecordBatch],
    limits: ProbeLimits,
    inspect: Inspect = inspect_image,
    store: S3Storage | None = None,
) -> Iterator[pa.RecordBatch]:
    """A batch of PROBE_ROWS for each batch of DESCRIPTORS, row by row; read fastest in the order of uri and offset.

    `store` is needed where objects of a bucket are among them: any storage of that store.
    """
    inspector = Inspector(limits, inspect, Ranges())
    for batch in batches:
        columns = [batch.column(name).to_pylist() for name in _ITEM_COLUMNS]
        items = [ProbeItem(*row) for row in zip(*columns, strict=True)]
        yield _probe_rows(batch, _probe(items, inspector, store))


def _probe(items: Sequence[ProbeItem], inspector: Inspector, store: S3Storage | None) -> list[Answer]:
    if not items or not is_s3(items[0].uri):
        return probe(items, inspector)
    from imagelake.bronze.probe.probe_remote import probe_remote

    assert store is not None, "an upload of a bucket needs to know how to reach it"
    return probe_remote(items, inspector, store)


def describe(source: UploadSource, members: Members) -> pa.RecordBatch:
    """DESCRIPTORS of members of an upload: of so few that the text of each column is below 2 GB."""
    places = _places_in_archive(source, members) if source.kind == "zip" else _places_of_files(source, members)
    columns = {name: members.table[name] for name in ("path", "crc32", "raw_name")} | places
    arrays = [_array(columns[field.name], field.type) for field in DESCRIPTORS]
    return pa.record_batch(arrays, schema=DESCRIPTORS)


def describe_all(source: UploadSource, members: Members) -> pa.Table:
    """DESCRIPTORS of any number of members."""
    batches = (describe(source, members.part(start, BATCH)) for start in range(0, len(members), BATCH))
    return pa.Table.from_batches(batches, DESCRIPTORS)


def _places_in_archive(source: UploadSource, members: Members) -> dict[str, Any]:
    columns, count = members.table, len(members)
    return {
        "uri": [source.uri] * count,
        "stored": columns["compressed"],
        "codec": columns["codec"],
        "etag": [source.etag] * count,
        "member": columns["raw_path"],
        "offset": columns["header_offset"],
        "end": columns["end"],
        "size": columns["length"],
        "whole": [False] * count,
    }


def _places_of_files(source: UploadSource, members: Members) -> dict[str, Any]:
    columns, count = members.table, len(members)
    return {
        "uri": source.uris(members),
        "stored": columns["length"],
        "codec": ["stored"] * count,
        "etag": columns["etag"],
        "member": [None] * count,
        "offset": [0] * count,
        "end": columns["length"],
        "size": columns["length"],
        "whole": [True] * count,
    }


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks().cast(kind)
    return pa.array(values, kind)


def _probe_rows(batch: pa.RecordBatch, answers: Sequence[Answer]) -> pa.RecordBatch:
    answer_columns = zip(*answers, strict=True) if answers else [()] * len(Answer._fields)
    names = PROBE_ROWS.names[len(_PLACE) :]
    columns = [batch.column(name) for name in PROBE_ROWS.names[: len(_PLACE)]]
    answered = [pa.array(c, PROBE_ROWS.field(n).type) for n, c in zip(names, answer_columns, strict=True)]
    return pa.record_batch([*columns, *answered], schema=PROBE_ROWS)
