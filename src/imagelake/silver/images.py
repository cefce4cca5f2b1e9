"""The images of an upload: keys, what documents say of them, rules, and how they change the draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from imagelake import digest, keys
from imagelake.quality.apply import REJECT, problem, with_problems
from imagelake.quality.catalogue import Rule
from imagelake.quality.rules import IMAGE_RULES, with_message
from imagelake.silver.delivery import Delivery
from imagelake.silver.frames import Row, map_rows, same, sorted_set, text_array
from imagelake.silver.space import MISMATCH, SWAPPED
from imagelake.tables import silver
from imagelake.tables.frames import settled


@dataclass(frozen=True)
class Incoming:
    """The images an upload brings or speaks of: `accepted` rows of silver.images, and `rejected` files.

    `accepted` has `_same` too: the draft has the key, and nothing of it changes.
    """

    accepted: DataFrame
    rejected: DataFrame


def with_keys(files: DataFrame) -> DataFrame:
    """Image files with image_key and the split their folder names; what would collide keeps more of its path."""
    parts = map_rows(files, "short_key string, split_key string, split string", _keys)
    by_short, by_split = Window.partitionBy("short_key"), Window.partitionBy("split_key")
    key = (
        F.when(F.count("*").over(by_short) == 1, F.col("short_key"))
        .when(F.count("*").over(by_split) == 1, F.col("split_key"))
        .otherwise(F.col("path"))
    )
    return parts.withColumn("image_key", key).drop("short_key", "split_key")


def listed(resolved: DataFrame) -> DataFrame:
    """What the documents say of each image, one row a key, from the records that found theirs (`with_space`)."""
    first = F.struct("document", "position")
    fits = F.col("space") != MISMATCH
    return resolved.groupBy("image_key").agg(
        F.flatten(F.collect_list(F.when(fits, F.col("kinds")).otherwise(text_array()))).alias("_kinds"),
        F.max(~fits).alias("_size_mismatch"),
        F.max(F.col("space") == SWAPPED).alias("_size_swapped"),
        F.min_by("split", F.when(F.col("split").isNotNull(), first)).alias("_list_split"),
        F.count_distinct("split").alias("_list_splits"),
        F.min_by("attributes", F.when(F.col("attributes").isNotNull(), first)).alias("_attributes"),
        F.min_by("source_id", F.when(F.col("source_id").isNotNull(), first)).alias("_source_id"),
    )


def incoming(
    delivery: Delivery, uploaded: DataFrame, spoken_of: DataFrame, draft: DataFrame, severities: Mapping[str, str]
) -> Incoming:
    """Judge the upload's images against the draft, and take along draft images its documents speak of.

    uploaded: `with_keys` of its image files; spoken_of: `listed` of its documents; draft: silver.images.
    """
    judged = with_problems(_facts(delivery, uploaded, spoken_of, draft), _rules(), severities)
    referenced = _referenced(spoken_of, uploaded, draft)
    rows = settled(_merged(delivery, judged.unionByName(referenced, allowMissingColumns=True)))
    return Incoming(rows.where(F.col(REJECT).isNull()), rows.where(F.col(REJECT).isNotNull()))


def _facts(delivery: Delivery, uploaded: DataFrame, spoken_of: DataFrame, draft: DataFrame) -> DataFrame:
    known = draft.select(
        "image_key",
        F.col("content_hash").alias("_old_hash"),
        F.col("labelled").alias("_old_labelled"),
        F.col("split").alias("_old_split"),
        F.col("attributes").alias("_old_attributes"),
        F.col("source_id").alias("_old_source_id"),
        F.col("row_hash").alias("_old_row_hash"),
    )
    twins = draft.select("content_hash", F.col("image_key").alias("_twin")).join(
        uploaded.select(F.col("image_key").alias("_twin")), "_twin", "left_anti"
    )
    twins = twins.groupBy("content_hash").agg(F.min("_twin").alias("_twin"))
    taken = (F.col("_old_hash") != F.col("content_hash")) if delivery.mode == "append" else F.lit(False)
    bytes_twins = Window.partitionBy("content_hash")
    reject = F.when(
        F.col("problem_rule").isNotNull(),
        F.struct(F.col("problem_rule").alias("rule"), F.col("problem").alias("message")),
    ).when(taken, problem("image.key_taken", _taken_message()))
    return (
        uploaded.join(spoken_of, "image_key", "left")
        .join(known, "image_key", "left")
        .join(twins, "content_hash", "left")
        .withColumn("_copies", F.count("*").over(bytes_twins))
        .withColumn("_byte_splits", F.size(F.collect_set(F.coalesce("split", "_list_split")).over(bytes_twins)))
        .withColumn("_any_listed", F.lit(delivery.has_documents))
        .withColumn("_replacing", F.lit(delivery.mode == "replace"))
        .withColumn(REJECT, reject)
        .withColumn("flags", text_array())
    )


def _taken_message() -> Column:
    return F.concat(
        F.lit("key "),
        F.col("image_key"),
        F.lit(" holds other bytes (sha256 "),
        F.substring("_old_hash", 1, 12),
        F.lit("…); rename the file, or use --mode update to replace them"),
    )


def _rules() -> tuple[Rule, ...]:
    """The row rules, and those that need the rest of the upload or the draft beside the row."""
    several = (F.col("_copies") > 1) | (F.col("_twin").isNotNull() & ~F.col("_replacing"))
    both = F.col("split").isNotNull() & F.col("_list_split").isNotNull() & (F.col("split") != F.col("_list_split"))
    conflict = both | (F.col("_list_splits") > 1) | (F.col("_byte_splits") > 1)
    unlisted = F.col("_any_listed") & F.col("_kinds").isNull()
    renamed = F.col("_twin").isNotNull() & F.col("_replacing") & F.col("_old_hash").isNull()
    return (
        *IMAGE_RULES,
        with_message("image.duplicate_bytes", lambda: F.when(several, "byte-identical to another image")),
        with_message("image.renamed", lambda: F.when(renamed, F.concat(F.lit("was "), F.col("_twin")))),
        with_message("image.split_conflict", lambda: F.when(conflict, "named for several splits")),
        with_message("image.size_mismatch", lambda: F.when(F.col("_size_mismatch"), "declared size differs")),
        with_message("image.size_swapped", lambda: F.when(F.col("_size_swapped"), "declared sides are swapped")),
        with_message("image.unlisted", lambda: F.when(unlisted, "no document lists this file")),
    )


def _referenced(spoken_of: DataFrame, uploaded: DataFrame, draft: DataFrame) -> DataFrame:
    """Draft images that documents speak of and the upload does not bring."""
    speaking = spoken_of.join(uploaded.select("image_key"), "image_key", "left_anti")
    return draft.join(speaking, "image_key", "inner").select(
        "*",
        F.col("content_hash").alias("_old_hash"),
        F.col("labelled").alias("_old_labelled"),
        F.col("split").alias("_old_split"),
        F.col("attributes").alias("_old_attributes"),
        F.col("source_id").alias("_old_source_id"),
        F.col("row_hash").alias("_old_row_hash"),
    )


def _merged(delivery: Delivery, rows: DataFrame) -> DataFrame:
    """Rows of silver.images: what the draft knew, with what the upload says."""
    replacing = delivery.mode == "replace"
    new_split = F.coalesce("split", "_list_split")
    merged = (
        rows.withColumn("dataset", F.lit(delivery.dataset))
        .withColumn("split", new_split if replacing else F.coalesce("_old_split", new_split))
        .withColumn(
            "labelled",
            sorted_set(F.col("_kinds")) if replacing else sorted_set(F.col("_old_labelled"), F.col("_kinds")),
        )
        .withColumn("attributes", F.col("_attributes") if replacing else F.coalesce("_attributes", "_old_attributes"))
        .withColumn("source_id", F.coalesce("_source_id", "_old_source_id"))
        .withColumn("phash", F.lit(None).cast("string"))
        .withColumn("upload_id", F.lit(delivery.upload_id))
        .withColumn("delivery", F.lit(delivery.sequence))
        .withColumn("_from_upload", F.col("path").isNotNull())
    )
    hashed = map_rows(merged, "row_hash binary", _hash)
    unchanged = same(F.col("row_hash"), F.col("_old_row_hash")) & same(F.col("split"), F.col("_old_split"))
    return hashed.select(
        *silver.IMAGES.names,
        unchanged.alias("_same"),
        "_from_upload",
        same(F.col("content_hash"), F.col("_old_hash")).alias("_same_bytes"),
        "path",
        REJECT,
    )


def _keys(row: Row) -> Row:
    parts = keys.take_apart(row["path"])
    return {"short_key": parts.key, "split_key": parts.split_key, "split": parts.split}


def _hash(row: Row) -> Row:
    return {"row_hash": digest.image_hash(row) if row[REJECT] is None else None}
