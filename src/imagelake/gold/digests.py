"""Set digests of frames: each task adds up its rows, the driver adds up the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from imagelake import digest
from imagelake.digest import SetDigest

_PARTIAL = "total binary, rows bigint"


def of_hashes(frame: DataFrame) -> SetDigest:
    """The set digest of rows by their stored `row_hash`."""
    return _sum(frame.select("row_hash"), lambda row: row["row_hash"])


def of_splits(frame: DataFrame) -> SetDigest:
    """The set digest of (image_key, split) rows."""
    return _sum(frame.select("image_key", "split"), digest.split_hash)


def _sum(frame: DataFrame, hash_of: Callable[[dict[str, Any]], bytes]) -> SetDigest:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = SetDigest()
        for batch in batches:
            total += digest.set_digest(hash_of(row) for row in batch.to_pylist())
        yield pa.RecordBatch.from_pylist([{"total": total.total.to_bytes(32, "little"), "rows": total.count}])

    parts = frame.mapInArrow(run, _PARTIAL).collect()
    return sum((SetDigest(int.from_bytes(p["total"], "little"), p["rows"]) for p in parts), SetDigest())
