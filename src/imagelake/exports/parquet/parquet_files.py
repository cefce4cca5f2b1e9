"""One Parquet file of sorted rows: the same rows make the same bytes, however they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 1 << 17
"""Rows of every row group but the last."""

REF = b"imagelake.ref"
"""The key of the file's metadata that says which rows it has: a reference with the digest."""

_CODEC, _LEVEL = "zstd", 3


@dataclass(frozen=True)
class Footer:
    """Whose rows a file has (None when it does not say), and the program that wrote it."""

    ref: str | None
    created_by: str


def write(out: BinaryIO, schema: pa.Schema, ref: str, rows: Iterable[pa.RecordBatch]) -> int:
    """Write the rows, and say how many there were."""
    import pyarrow.parquet as pq

    count = 0
    described = schema.with_metadata({REF: ref.encode("utf-8", "surrogatepass")})
    with pq.ParquetWriter(out, described, compression=_CODEC, compression_level=_LEVEL) as writer:
        for group in _row_groups(rows, schema):
            writer.write_table(group, row_group_size=ROW_GROUP)
            count += group.num_rows
    return count


def footer(stream: BinaryIO) -> Footer | None:
    """The footer of a file; None when it is not a complete Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(stream)
    except (pa.ArrowInvalid, OSError):
        return None
    ref = (metadata.metadata or {}).get(REF)
    return Footer(None if ref is None else ref.decode("utf-8", "surrogatepass"), metadata.created_by)


def _row_groups(rows: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows cut every ROW_GROUP, each column in one piece: where batches end would show in the pages."""
    import pyarrow as pa

    waiting = pa.Table.from_batches([], schema)
    for batch in rows:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch.cast(schema)])])
        while waiting.num_rows >= ROW_GROUP:
            yield waiting.slice(0, ROW_GROUP).combine_chunks()
            waiting = waiting.slice(ROW_GROUP)
    if waiting.num_rows:
        yield waiting.combine_chunks()
