"""The images of an upload: keys, what documents say of them, rules, and how they change the draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from imagelake.core import digest, upload_paths
from imagelake.quality.apply import REJECT, problem, with_flags_judged, with_problems, without_flags_off
from imagelake.quality.catalogue import Rule
from imagelake.quality.rules import IMAGE_RULES, with_message
from imagelake.silver.image_frames import Row, map_rows, same, sorted_set, text_array
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.silver.upload.space import MISMATCH, SWAPPED
from imagelake.tables import silver
from imagelake.tables.frames import checkpointed

BYTES_CHANGED, LABELS_REJECTED = "image.bytes_changed", "image.labels_rejected"
STICKY = (BYTES_CHANGED, LABELS_REJECTED)
"""Flags that say something of an image's state, not of the upload it came with: they change a row by themselves."""

_OLD = ("content_hash", "width", "height", "orientation", "labelled", "split", "attributes", "source_id", "flags")


@dataclass(frozen=True)
class Incoming:
    """The images an upload contains or references: `accepted` with what the draft knows of them, and `rejected` files.

    `accepted` has the columns of an image file, `_old_*` of the draft's row (null without one), what documents say,
    `flags`, `path` (null for an image of the draft that is only spoken of) and `asked_split`, `published_split`.
    """

    accepted: DataFrame
    rejected: DataFrame


def with_keys(files: DataFrame, draft: DataFrame) -> DataFrame:
    """Image files with image_key, short_key, in_role and the split their folder names.

    Of the three names of a file (without split folder, with it, the path) those count that no other file of the upload
    may go by; the path always does. The key is the longest of them that the draft has, else the shortest.
    draft: image_key of the draft's images.
    """
    parts = map_rows(files, "short_key string, split_key string, split string, in_role boolean", _parts)
    level = F.when(F.col("name") == F.col("short_key"), 0).when(F.col("name") == F.col("split_key"), 1).otherwise(2)
    names = parts.select(
        "path",
        "short_key",
        "split_key",
        F.explode(F.array_distinct(F.array("short_key", "split_key", "path"))).alias("name"),
    ).withColumn("level", level)
    draft_keys = draft.select(F.col("image_key").alias("name"), F.lit(True).alias("_known"))
    counted = names.withColumn("_files", F.count("*").over(Window.partitionBy("name"))).join(draft_keys, "name", "left")
    usable = (F.col("_files") == 1) | (F.col("name") == F.col("path"))
    in_draft = usable & F.col("_known") & (F.col("level") > 0)
    chosen = counted.groupBy("path").agg(
        F.max_by("name", F.when(in_draft, F.col("level"))).alias("_in_draft"),
        F.min_by("name", F.when(usable, F.col("level"))).alias("_own"),
    )
    key = F.coalesce("_in_draft", "_own", "path")
    return parts.join(chosen, "path").withColumn("image_key", key).drop("split_key", "_in_draft", "_own")


def listed(matched: DataFrame) -> DataFrame:
    """What the documents say of each image, one row a key, from the records that found theirs (`with_space`)."""
    first = F.struct(-F.coalesce("_delivery", F.lit(0)), "document", "position")  # of labels that waited the newest
    warnings = F.when(F.col("by_name"), F.lit("image.matched_by_name"))
    return matched.groupBy("image_key").agg(
        F.max(F.size("kinds") > 0).alias("_listed"),
        F.max(F.col("space") == MISMATCH).alias("_size_mismatch"),
        F.max(F.col("space") == SWAPPED).alias("_size_swapped"),
        F.min_by("split", F.when(F.col("split").isNotNull(), first)).alias("_list_split"),
        F.size(F.collect_set("split")).alias("_list_splits"),  # a distinct count would aggregate all of it twice
        F.min_by("attributes", F.when(F.col("attributes").isNotNull(), first)).alias("_attributes"),
        F.min_by("source_id", F.when(F.col("source_id").isNotNull(), first)).alias("_source_id"),
        F.array_distinct(
            F.concat(F.flatten(F.collect_list(F.coalesce("warnings", text_array()))), F.collect_list(warnings))
        ).alias("_warnings"),
    )


def incoming(
    upload: LandedUpload,
    uploaded: DataFrame,
    referenced_images: DataFrame,
    draft: DataFrame,
    published: DataFrame,
    severities: Mapping[str, str],
) -> Incoming:
    """Judge the upload's images against the draft, with the draft images its documents reference; checkpointed.

    uploaded: `with_keys` of its image files; referenced_images: `listed` of its documents; draft: silver.images;
    published: image_key and published_split of images that were ever in a version.
    """
    draft_columns = _draft_columns(draft)
    matched = uploaded.join(referenced_images, "image_key", "left").join(draft_columns, "image_key", "left")
    noted = with_flags_judged(_with_row_problems(upload, matched, uploaded, draft), severities)
    judged = with_problems(noted, _rules(), severities)
    referenced = (
        draft.drop("flags", "labelled", "split", "source_id", "attributes")
        .join(referenced_images.join(uploaded.select("image_key"), "image_key", "left_anti"), "image_key")
        .join(draft_columns, "image_key")
        .withColumn("flags", F.coalesce("_warnings", text_array()))
    )
    rows = judged.unionByName(without_flags_off(referenced, severities), allowMissingColumns=True).join(
        published, "image_key", "left"
    )
    rows = checkpointed(rows.withColumn("asked_split", F.coalesce("split", "_list_split")))
    return Incoming(rows.where(F.col(REJECT).isNull()), rows.where(F.col(REJECT).isNotNull()))


def with_waited(accepted: DataFrame, waited: DataFrame) -> DataFrame:
    """Accepted images with what records that waited for them say, where the upload itself says nothing.

    waited: `listed` of those records.
    """
    names = ("_list_split", "_attributes", "_source_id")
    said = waited.select("image_key", *(F.col(name).alias(f"_waited{name}") for name in names))
    joined = accepted.join(said, "image_key", "left")
    first = {name: F.coalesce(name, f"_waited{name}") for name in names[1:]}
    split = F.coalesce("asked_split", "_waited_list_split")
    return joined.withColumns({**first, "asked_split": split}).drop(*(f"_waited{name}" for name in names))


def without_boxes(accepted: DataFrame, images: DataFrame) -> DataFrame:
    """Accepted images of which those named (image_key) are no longer labelled for boxes by the draft."""
    marked = accepted.join(images.withColumn("_no_boxes", F.lit(True)), "image_key", "left")
    kinds = F.when(F.col("_no_boxes"), F.array_remove("_old_labelled", "box")).otherwise(F.col("_old_labelled"))
    return marked.withColumn("_old_labelled", kinds).drop("_no_boxes")


def merged(upload: LandedUpload, accepted: DataFrame, units: DataFrame) -> DataFrame:
    """Rows of silver.images as the upload leaves them, without LABELS_REJECTED; `_same` when the draft has that row.

    units: image_key, kind the upload brings. Labels of an image whose bytes have another size or orientation now are
    gone with those bytes, unless they are brought.
    """
    uploaded_kinds = units.groupBy("image_key").agg(F.array_sort(F.collect_set("kind")).alias("_kinds"))
    rows = accepted.join(uploaded_kinds, "image_key", "left").withColumn("_kinds", F.coalesce("_kinds", text_array()))
    labelled = F.col("_kinds") if upload.mode == "replace" else sorted_set(_still_labelled(), F.col("_kinds"))
    columns = {"split": _split(upload), "labelled": labelled, "upload_id": F.lit(upload.upload_id)}
    if upload.mode == "replace":
        columns |= {"attributes": F.col("_attributes"), "source_id": F.col("_source_id")}
    else:
        columns |= {name: F.coalesce(f"_{name}", f"_old_{name}") for name in ("attributes", "source_id")}
    columns |= {"dataset": F.lit(upload.dataset), "delivery": F.lit(upload.sequence).cast("bigint")}
    columns["flags"] = sorted_set(F.col("flags"), _label_flags(upload))
    hashed = map_rows(rows.withColumns(columns), "row_hash binary", _hash)
    unchanged = (
        same(F.col("row_hash"), F.col("_old_row_hash"))
        & same(F.col("split"), F.col("_old_split"))
        & same(_has(F.col("flags"), BYTES_CHANGED), _has(F.col("_old_flags"), BYTES_CHANGED))
    )
    return checkpointed(
        hashed.select(
            *silver.IMAGES.names,
            unchanged.alias("_same"),
            same(F.col("content_hash"), F.col("_old_content_hash")).alias("_same_bytes"),
            resized().alias("_resized"),
            F.col("path").isNotNull().alias("_from_upload"),
            "path",
            "asked_split",
            "published_split",
        )
    )


def resized() -> Column:
    """Whether the bytes are new and their size or orientation too: labels of the old ones mean nothing on them."""
    differs = F.lit(False)
    for name in ("width", "height", "orientation"):
        differs = differs | ~same(F.col(name), F.col(f"_old_{name}"))
    return F.col("_old_content_hash").isNotNull() & _other_bytes() & differs


def with_labels_rejected(images: DataFrame, refused: DataFrame) -> DataFrame:
    """The images with LABELS_REJECTED where some of the labels of a kind they are labelled for are still refused.

    refused: image_key, kind of open rejections of labels.
    """
    kinds = refused.groupBy("image_key").agg(F.collect_set("kind").alias("_refused"))
    some = F.coalesce(F.arrays_overlap("labelled", "_refused"), F.lit(False))
    flags = F.array_remove("flags", LABELS_REJECTED)
    marked = F.when(some, sorted_set(flags, text_array(LABELS_REJECTED))).otherwise(flags)
    return images.join(kinds, "image_key", "left").withColumn("flags", marked).drop("_refused")


def _draft_columns(draft: DataFrame) -> DataFrame:
    renamed = (F.col(name).alias(f"_old_{name}") for name in _OLD)
    return draft.select("image_key", *renamed, F.col("row_hash").alias("_old_row_hash"))


def _with_row_problems(upload: LandedUpload, matched: DataFrame, uploaded: DataFrame, draft: DataFrame) -> DataFrame:
    own = uploaded.select(F.col("image_key").alias("_twin"))
    twins = draft.select("content_hash", F.col("image_key").alias("_twin")).join(own, "_twin", "left_anti")
    twins = twins.groupBy("content_hash").agg(F.min("_twin").alias("_twin"))
    is_key_taken = _other_bytes() & F.col("_old_content_hash").isNotNull() if upload.mode == "append" else F.lit(False)
    bytes_twins = Window.partitionBy("content_hash")
    reject = F.when(
        F.col("problem_rule").isNotNull(),
        F.struct(F.col("problem_rule").alias("rule"), F.col("problem").alias("message")),
    ).when(is_key_taken, problem("image.key_taken", _taken_message()))
    return (
        matched.join(twins, "content_hash", "left")
        .withColumn("_copies", F.count("*").over(bytes_twins))
        .withColumn("_byte_splits", F.size(F.collect_set(F.coalesce("split", "_list_split")).over(bytes_twins)))
        .withColumn("_any_listed", F.lit(upload.has_documents))
        .withColumn("_replacing", F.lit(upload.mode == "replace"))
        .withColumn(REJECT, reject)
        .withColumn("flags", F.coalesce("_warnings", text_array()))
    )


def _taken_message() -> Column:
    return F.concat(
        F.lit("key "),
        F.col("image_key"),
        F.lit(" has other bytes (sha256 "),
        F.substring("_old_content_hash", 1, 12),
        F.lit("…); rename the file, or use --mode update to replace them"),
    )


def _rules() -> tuple[Rule, ...]:
    """The row rules, and those that need the rest of the upload or the draft beside the row."""
    several = (F.col("_copies") > 1) | (F.col("_twin").isNotNull() & ~F.col("_replacing"))
    both = F.col("split").isNotNull() & F.col("_list_split").isNotNull() & (F.col("split") != F.col("_list_split"))
    conflict = both | (F.col("_list_splits") > 1) | (F.col("_byte_splits") > 1)
    unlisted = F.col("_any_listed") & ~F.coalesce("_listed", F.lit(False))
    renamed = F.col("_twin").isNotNull() & F.col("_replacing") & F.col("_old_content_hash").isNull()
    return (
        *IMAGE_RULES,
        with_message("image.duplicate_bytes", lambda: F.when(several, "byte-identical to another image")),
        with_message("image.renamed", lambda: F.when(renamed, F.concat(F.lit("was "), F.col("_twin")))),
        with_message("image.split_conflict", lambda: F.when(conflict, "named for several splits")),
        with_message("image.size_mismatch", lambda: F.when(F.col("_size_mismatch"), "declared size differs")),
        with_message("image.size_swapped", lambda: F.when(F.col("_size_swapped"), "declared sides are swapped")),
        with_message("image.unlisted", lambda: F.when(unlisted, "no document lists this file")),
    )


def _other_bytes() -> Column:
    return ~same(F.col("content_hash"), F.col("_old_content_hash"))


def _still_labelled() -> Column:
    """The kinds the draft's labels of the image are of, as far as they outlive its bytes."""
    return F.when(resized(), text_array()).otherwise(F.coalesce("_old_labelled", text_array()))


def _split(upload: LandedUpload) -> Column:
    """The newest uploaded split; of an image that has a published split the one that was there."""
    newest = F.col("asked_split") if upload.mode == "replace" else F.coalesce("asked_split", "_old_split")
    there = F.col("published_split").isNotNull() & F.col("_old_content_hash").isNotNull()
    return F.when(there, F.col("_old_split")).otherwise(newest)


def _label_flags(upload: LandedUpload) -> Column:
    """Flags for existing labels of images whose bytes changed."""
    if upload.mode == "replace":
        return text_array()
    lost = F.size(F.array_except(F.coalesce("_old_labelled", text_array()), "_kinds")) > 0
    is_in_draft = F.col("_old_content_hash").isNotNull()
    stays = lost & F.when(is_in_draft & _other_bytes(), ~resized()).otherwise(_has(F.col("_old_flags"), BYTES_CHANGED))
    flags = F.array(F.when(stays, F.lit(BYTES_CHANGED)), F.when(resized() & lost, F.lit("image.labels_dropped")))
    return F.array_compact(flags)


def _has(flags: Column, flag: str) -> Column:
    return F.coalesce(F.array_contains(flags, flag), F.lit(False))


def _parts(row: Row) -> Row:
    path = row["path"]
    parts = upload_paths.take_apart(path)
    in_role = any(map(upload_paths.is_role_folder, path.split("/")[:-1]))
    return {"short_key": parts.key, "split_key": parts.split_key, "split": parts.split, "in_role": in_role}


def _hash(row: Row) -> Row:
    return {"row_hash": digest.image_hash(row)}
