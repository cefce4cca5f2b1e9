"""Bytes once in the whole lake: what of an upload is new, how it is kept, and the rows that say where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.bronze.facts import probe
from imagelake.context import Context
from imagelake.storage.blobs import OBJECTS
from imagelake.storage.keep import Copied, keep_archive
from imagelake.storage.source import Member, Source
from imagelake.tables import bronze
from imagelake.tables.store import union

_PLACE = ("content_hash", "uri", "offset", "length", "size", "codec", "crc32")


@dataclass(frozen=True)
class Kept:
    """Places of the upload's new bytes (rows of bronze.blobs without dataset, state, attempt and time)."""

    places: DataFrame
    kept_uri: str | None


def known_sizes(ctx: Context, members: Sequence[Member]) -> frozenset[int]:
    """The sizes among these files that some blob of the lake has: only such files can be known already."""
    sizes = ctx.spark.createDataFrame([(m.length,) for m in members], "size bigint").distinct()
    found = ctx.tables.read(bronze.BLOBS).select("size").join(sizes, "size", "left_semi").distinct()
    return frozenset(row["size"] for row in found.collect())


def held(ctx: Context, prepared: Sequence[DataFrame]) -> DataFrame:
    """Live rows of bronze.blobs, and those that uploads before this one are about to add."""
    return union([ctx.tables.read(bronze.BLOBS).where("state = 'live'"), *prepared])


def unknown_blobs(facts: DataFrame, held: DataFrame) -> DataFrame:
    """The facts, one row a content hash, of bytes the lake does not hold yet."""
    readable = facts.where(F.col("content_hash").isNotNull())
    return readable.dropDuplicates(["content_hash"]).join(held.select("content_hash"), "content_hash", "left_anti")


def keep_zip(ctx: Context, copied: Copied, source: Source, facts: DataFrame, held: DataFrame) -> Kept:
    """Keep the archive when enough of its bytes are new, else only the new members as objects."""
    new = unknown_blobs(facts, held).persist()
    fresh = int(new.agg(F.sum("length")).first()[0] or 0)
    total = sum(m.length for m in source.members)
    if fresh and fresh >= ctx.settings.ingest.keep_archive_share * total:
        uri = keep_archive(ctx.storage, copied)
        places = new.select(
            "content_hash",
            F.lit(uri).alias("uri"),
            "offset",
            F.col("stored").alias("length"),
            F.col("length").alias("size"),
            "codec",
            "crc32",
        )
        return Kept(places, uri)
    wanted = {row["path"] for row in new.select("path").collect()}
    members = [m for m in source.members if m.path in wanted]
    written = probe(ctx, source, members, ctx.storage.uri(copied.temp), keep=True).persist()
    written.count()
    ctx.storage.delete(copied.temp)
    return Kept(_as_objects(written.where(F.col("content_hash").isNotNull())), None)


def keep_files(ctx: Context, source: Source, facts: DataFrame, held: DataFrame, written: frozenset[str]) -> Kept:
    """Keep the loose files whose bytes are new; those with a path in `written` have been kept while being read."""
    new = unknown_blobs(facts, held).persist()
    late = {row["path"] for row in new.select("path").collect()} - written
    if late:
        probe(ctx, source, [m for m in source.members if m.path in late], None, keep=True).count()
    return Kept(_as_objects(new), None)


def rows(ctx: Context, dataset: str, attempt_id: str, facts: DataFrame, kept: Kept, held: DataFrame) -> DataFrame:
    """Rows of bronze.blobs: new places, and known ones of other datasets that this dataset now uses too."""
    used = facts.where(F.col("content_hash").isNotNull()).select("content_hash").distinct()
    own = held.where(F.col("dataset") == dataset).select("content_hash")
    foreign = held.where(F.col("dataset") != dataset).dropDuplicates(["content_hash"]).select(*_PLACE)
    borrowed = foreign.join(used, "content_hash", "left_semi").join(own, "content_hash", "left_anti")
    columns = {
        "dataset": F.lit(dataset),
        "state": F.lit("live"),
        "attempt_id": F.lit(attempt_id),
        "at": F.lit(ctx.clock()),
    }
    return kept.places.select(*_PLACE).unionByName(borrowed).withColumns(columns).select(*bronze.BLOBS.names)


def _as_objects(new: DataFrame) -> DataFrame:
    """Places of objects at `storage.blobs.blob_path`."""
    path = F.concat_ws("/", F.lit(OBJECTS), F.substring("content_hash", 1, 2), "content_hash")
    return new.select(
        "content_hash",
        path.alias("uri"),
        F.lit(0).cast("bigint").alias("offset"),
        F.col("length"),
        F.col("length").alias("size"),
        F.lit("stored").alias("codec"),
        "crc32",
    )
