"""Set digests of a version: of its rows, or of its parent's and of what came and went since.

Each task adds up its rows, and the driver adds up the tasks.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from imagelake.core import digest
from imagelake.core.digest import MODULUS, SetDigest
from imagelake.gold.content import VersionContent
from imagelake.gold.difference import OLD, Difference
from imagelake.tables.frames import Counted, LocalRows, is_on_driver

_PARTIAL = "entity string, total binary, rows bigint"
_COMES, _GOES = 1, -1


@dataclass(frozen=True)
class Digests:
    """The set digests of a version: its three sets of rows by their stored `row_hash`, and (image_key, split)."""

    images: SetDigest
    annotations: SetDigest
    categories: SetDigest
    splits: SetDigest

    def as_json(self) -> str:
        """Each set's sum in hexadecimal digits and its count, as a version row stores them."""
        return json.dumps({name: [f"{part.total:064x}", part.count] for name, part in vars(self).items()})

    @classmethod
    def from_json(cls, text: str) -> Digests:
        """The digests that a version row stores."""
        return cls(**{name: SetDigest(int(total, 16), count) for name, (total, count) in json.loads(text).items()})


NOTHING = Digests(*[SetDigest()] * 4)


def digests(content: VersionContent, splits: DataFrame) -> Digests:
    """All set digests in one pass over all rows."""
    rows = [_row("split", splits, F.lit(_COMES), image_key=F.col("image_key"), split=F.col("split"))]
    frames = {"image": content.images, "annotation": content.annotations, "category": content.categories}
    rows += [_row(entity, frame, F.lit(_COMES), row_hash=F.col("row_hash")) for entity, frame in frames.items()]
    return _as_digests(_sums(rows))


def digests_since(parent: Digests, differences: Sequence[Difference]) -> Digests:
    """The parent's set digests with what came and went: as `digests`, from the differing rows alone."""
    different = [d for d in differences if d.unequal.count]
    rows = [side for d in different if isinstance(d.unequal, Counted) for side in _sides(d, d.unequal)]
    sums = _sums(rows) if rows else {}
    sums |= {d.entity: _sum_of(d, d.unequal.table) for d in different if isinstance(d.unequal, LocalRows)}
    change = _as_digests(sums)
    return Digests(**{name: part + getattr(change, name) for name, part in vars(parent).items()})


def stored(row: Mapping[str, Any] | None) -> Digests | None:
    """The set digests that a row of gold.versions has; None for one of an older imagelake."""
    return None if row is None or row["set_digests"] is None else Digests.from_json(row["set_digests"])


def _sum_of(difference: Difference, unequal: pa.Table) -> SetDigest:
    """What came without what went."""
    key, total, count = unequal.column(0).to_pylist(), 0, 0
    for name, sign in ((difference.compared, 1), (OLD, -1)):
        for image_key, value in zip(key, unequal[name].to_pylist(), strict=True):
            if value is not None:
                total += sign * int.from_bytes(_hash_of(difference.entity, image_key, value), "little")
                count += sign
    return SetDigest(total % MODULUS, count)


def _hash_of(entity: str, key: str, value: Any) -> bytes:
    return digest.split_hash({"image_key": key, "split": value["split"]}) if entity == "split" else bytes(value)


def _sides(difference: Difference, unequal: Counted) -> list[DataFrame]:
    frame, new, old = unequal.frame, F.col(difference.compared), F.col(OLD)
    sides = ((new, _COMES), (old, _GOES))
    if difference.entity == "split":
        key = F.col("image_key")
        return [
            _row("split", frame.where(place.isNotNull()), F.lit(sign), image_key=key, split=place["split"])
            for place, sign in sides
        ]
    return [
        _row(difference.entity, frame.where(value.isNotNull()), F.lit(sign), row_hash=value) for value, sign in sides
    ]


def _row(entity: str, frame: DataFrame, sign: Column, **columns: Column) -> DataFrame:
    types = {"image_key": "string", "split": "string", "row_hash": "binary"}
    values = [columns.get(name, F.lit(None)).cast(kind).alias(name) for name, kind in types.items()]
    return frame.select(F.lit(entity).alias("entity"), sign.alias("sign"), *values)


def _sums(frames: Sequence[DataFrame]) -> dict[str, SetDigest]:
    rows = reduce(DataFrame.unionByName, frames)
    if is_on_driver(rows):
        return _added(rows.toArrow().to_batches())
    sums: dict[str, SetDigest] = defaultdict(SetDigest)
    for part in rows.mapInArrow(_summing(), _PARTIAL).collect():
        sums[part["entity"]] += SetDigest(int.from_bytes(part["total"], "little"), part["rows"])
    return sums


def _summing() -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Defined inside, so that a worker gets the function and need not import this stage."""
    schema = pa.schema([("entity", pa.string()), ("total", pa.binary()), ("rows", pa.int64())])

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        totals = _added(batches)
        rows = [{"entity": e, "total": t.total.to_bytes(32, "little"), "rows": t.count} for e, t in totals.items()]
        yield pa.RecordBatch.from_pylist(rows, schema=schema)

    return run


def _added(batches: Iterable[pa.RecordBatch]) -> dict[str, SetDigest]:
    totals: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    for batch in batches:
        names = ("entity", "sign", "row_hash", "image_key", "split")
        for entity, sign, row_hash, key, split in zip(*(batch.column(n).to_pylist() for n in names), strict=True):
            value = row_hash or digest.split_hash({"image_key": key, "split": split})
            totals[entity] += sign * int.from_bytes(value, "little")
            counts[entity] += sign
    return {entity: SetDigest(total % MODULUS, counts[entity]) for entity, total in totals.items()}


def _as_digests(sums: Mapping[str, SetDigest]) -> Digests:
    sets = (sums.get(entity, SetDigest()) for entity in ("image", "annotation", "category", "split"))
    return Digests(*sets)
