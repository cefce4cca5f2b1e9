"""Set digests of frames: each task adds up its rows, the driver adds up the tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake import digest
from imagelake.digest import SetDigest
from imagelake.gold.plan import Content

_PARTIAL = "entity string, total binary, rows bigint"


@dataclass(frozen=True)
class Digests:
    """The set digests of a version: its three sets of rows by their stored `row_hash`, and (image_key, split)."""

    images: SetDigest
    annotations: SetDigest
    categories: SetDigest
    splits: SetDigest


def digests(content: Content, splits: DataFrame) -> Digests:
    """All set digests in one pass."""
    rows = splits.select(F.lit("splits").alias("entity"), "image_key", "split")
    for entity, frame in vars(content).items():
        hashed = frame.select(F.lit(entity).alias("entity"), "row_hash")
        rows = rows.unionByName(hashed, allowMissingColumns=True)
    found: dict[str, SetDigest] = defaultdict(SetDigest)
    for part in rows.mapInArrow(_summing(), _PARTIAL).collect():
        found[part["entity"]] += SetDigest(int.from_bytes(part["total"], "little"), part["rows"])
    return Digests(**{entity: found[entity] for entity in ("images", "annotations", "categories", "splits")})


def _summing() -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Defined inside, so that a worker gets the function and need not import this stage."""
    schema = pa.schema([("entity", pa.string()), ("total", pa.binary()), ("rows", pa.int64())])

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        totals: dict[str, SetDigest] = defaultdict(SetDigest)
        for batch in batches:
            hashes = defaultdict(list)
            for row in batch.to_pylist():
                hashes[row["entity"]].append(row["row_hash"] or digest.split_hash(row))
            for entity, found in hashes.items():
                totals[entity] += digest.set_digest(found)
        rows = [{"entity": e, "total": t.total.to_bytes(32, "little"), "rows": t.count} for e, t in totals.items()]
        yield pa.RecordBatch.from_pylist(rows, schema=schema)

    return run
