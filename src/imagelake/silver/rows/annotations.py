"""The annotations of an upload: joined to image and category, in raw pixels, judged, hashed and keyed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from imagelake.quality.apply import REJECT, problem, with_flags_judged, with_problems
from imagelake.quality.catalogue import REFUSING
from imagelake.quality.rules import ANNOTATION_RULES, DUPLICATE_RULE, only_outline_refused
from imagelake.silver.image_frames import map_batches, same, text_array
from imagelake.silver.pixels.pixel_columns import to_pixel_columns
from imagelake.silver.pixels.pixel_rows import ADDED
from imagelake.silver.rows.match_images import AMBIGUOUS, DUPLICATE, MISSING
from imagelake.silver.upload import space
from imagelake.silver.upload.landed_upload import LandedUpload
from imagelake.tables import silver
from imagelake.tables.frames import checkpointed


@dataclass(frozen=True)
class IncomingAnnotations:
    """`accepted` rows of silver.annotations with `_same` (the draft has this very row), and `rejected` records."""

    accepted: DataFrame
    rejected: DataFrame


BOX_SAVED = "_box_saved"
"""Marks a rejected outline whose box is a row of its own."""

_REFUSED = "refused"
"""The status of an image whose row in its document is no record."""

_MATCHED = ("image_key", "status", "waits_for", "by_name", "space", "_width", "_height", "_orientation")
"""Columns of matched image records, which records that waited have already."""

_OF_OTHERS = ("split", "kinds", "supercategory", "entity", "rule", "message")
"""Columns of records that no annotation has: every row would be carried with them from step to step."""


def joined(
    records: DataFrame, images: DataFrame, accepted: DataFrame, names: DataFrame, issues: DataFrame, yolo_space: str
) -> DataFrame:
    """Annotation records with image_key, image size, space and category; REJECT where one of them is missing.

    images: resolved image records (`with_space`); accepted: image keys and sizes that are in the draft
    from now on; names: doc, category_ref, _name of declared categories; issues: what of the documents became no record;
    yolo_space: whether shares are of the raw picture, or of the upright one.
    """
    refused = issues.where("entity = 'image' AND ref IS NOT NULL").select("doc", "ref", F.lit(_REFUSED).alias("status"))
    image = images.unionByName(refused, allowMissingColumns=True).select(
        "doc",
        "ref",
        "image_key",
        "status",
        "space",
        "waits_for",
        F.col("file").alias("_file"),
        F.col("by_stem").alias("_by_stem"),
        F.col("absolute").alias("_absolute"),
        F.col("width").alias("_declared_width"),
        F.col("height").alias("_declared_height"),
    )
    sizes = accepted.select("image_key", "width", "height", "orientation", F.lit(True).alias("_in"))
    frame = (
        records.drop("width", "height", "file", "by_stem", "absolute", *_OF_OTHERS, *_MATCHED)
        .join(image.dropDuplicates(["doc", "ref"]), ["doc", "ref"], "left")
        .join(sizes, "image_key", "left")
        .join(names, ["doc", "category_ref"], "left")
        .withColumn("category", F.coalesce("category", "_name"))
        .withColumn("space", _space_of_shares(yolo_space))
    )
    return frame.withColumn(REJECT, _relations()).withColumn("flags", F.coalesce("warnings", text_array()))


def _space_of_shares(yolo_space: str) -> Column:
    """Shares say no size: of a turned picture they are of the upright one, as trainers of the YOLO family read it."""
    of_turned = F.col("unit") & (F.col("orientation") != 1)
    return F.when(of_turned, space.ORIENTED if yolo_space == "upright" else space.RAW).otherwise(F.col("space"))


def judge(
    upload: LandedUpload, frame: DataFrame, draft: DataFrame, severities: Mapping[str, str]
) -> IncomingAnnotations:
    """Turn coordinates into raw pixels, apply the row rules, and key what is left."""
    pixels = map_batches(frame, ADDED, to_pixel_columns)
    noted = with_flags_judged(pixels, severities)
    judged = _with_saved_boxes(with_problems(noted, ANNOTATION_RULES, severities)).withColumn("bbox", F.col("clipped"))
    draft_hashes = draft.select(
        "annotation_key", F.col("row_hash").alias("_old_row_hash"), F.col("area").alias("_old_area")
    )
    rows = _as_silver(upload, _keyed(_with_needed_payloads(judged, severities), severities)).join(
        draft_hashes, "annotation_key", "left"
    )
    unchanged = same(F.col("row_hash"), F.col("_old_row_hash")) & same(F.col("area"), F.col("_old_area"))
    marked = checkpointed(rows.withColumn("_same", unchanged).drop("_old_row_hash", "_old_area"))
    return IncomingAnnotations(marked.where(F.col(REJECT).isNull()), marked.where(F.col(REJECT).isNotNull()))


def _with_needed_payloads(judged: DataFrame, severities: Mapping[str, str]) -> DataFrame:
    """The rows, accepted ones without what only a rejection shows: most of the bytes that are sorted from here on."""
    if severities[DUPLICATE_RULE.id] in REFUSING:
        return judged
    refused = F.col(REJECT).isNotNull()
    return judged.withColumns({name: F.when(refused, F.col(name)) for name in ("raw", "locator")})


def _with_saved_boxes(judged: DataFrame) -> DataFrame:
    """The rows, and for each that is rejected for its outline alone (BOX_SAVED) its good box, as a row of its own."""
    is_saved = F.col("as_box").isNotNull() & F.coalesce(only_outline_refused(REJECT), F.lit(False))
    parts = F.when(is_saved, text_array("outline", "box")).otherwise(text_array("whole"))
    rows = judged.withColumn("_part", F.explode(parts))
    of_box = F.col("_part") == "box"
    columns = {
        "kind": F.when(of_box, "box").otherwise(F.col("kind")),
        "final_area": F.when(of_box, F.col("as_box.area")).otherwise(F.col("final_area")),
        REJECT: F.when(~of_box, F.col(REJECT)),
        BOX_SAVED: F.col("_part") == "outline",
        **{h: F.when(of_box, F.col(f"as_box.{h}")).otherwise(F.col(h)) for h in ("row_hash", "geometry_hash")},
        **{name: F.when(~of_box, F.col(name)) for name in ("polygons", "rle_size", "rle_counts")},
    }
    return rows.withColumns(columns).drop("_part", "as_box")


def _relations() -> Column:
    missing = F.concat(F.lit("image "), F.col("_file"), F.lit(" is neither in the upload nor in the draft"))
    several = F.concat(F.lit("several images fit "), F.col("_file"))
    repeated = F.concat(F.lit("its document lists the image of "), F.col("_file"), F.lit(" more than once"))
    size = F.format_string(
        "document says %s is %s x %s, the file is %s x %s",
        "_file",
        "_declared_width",
        "_declared_height",
        "width",
        "height",
    )
    unknown = F.concat(F.lit("category "), F.coalesce("category_ref", F.lit("(empty)")), F.lit(" is not declared"))
    row = F.concat(F.lit("the row of image "), F.col("ref"), F.lit(" was refused"))
    orphan = F.concat(F.lit("image id "), F.coalesce("ref", F.lit("(none)")), F.lit(" is not in its document"))
    return (
        F.when(F.col("status").isNull(), problem("annotation.image_orphan", orphan))
        .when(F.col("status") == _REFUSED, problem("annotation.image_rejected", row))
        .when(F.col("status") == MISSING, problem("annotation.image_unknown", missing))
        .when(F.col("status") == AMBIGUOUS, problem("annotation.image_ambiguous", several))
        .when(F.col("status") == DUPLICATE, problem("annotation.image_ambiguous", repeated))
        .when(
            F.col("_in").isNull(),
            problem("annotation.image_rejected", F.concat(F.col("_file"), F.lit(" was rejected"))),
        )
        .when(F.col("space") == space.MISMATCH, problem("annotation.size_mismatch", size))
        .when(F.coalesce("category", F.lit("")) == "", problem("annotation.category_unknown", unknown))
    )


def _keyed(frame: DataFrame, severities: Mapping[str, str]) -> DataFrame:
    """Add annotation_key; equal annotations get an ordinal, and all but the first are flagged or rejected."""
    equals = Window.partitionBy(F.col(REJECT).isNull(), "image_key", "kind", "category", "geometry_hash")
    ordinal = F.row_number().over(equals.orderBy("row_hash", "document", "position"))
    key = F.sha2(
        F.concat_ws("\u0000", "image_key", "kind", "category", F.hex("geometry_hash"), ordinal.cast("string")), 256
    )
    numbered = frame.withColumns({"annotation_key": key, "_ordinal": ordinal})
    return with_problems(numbered, (DUPLICATE_RULE,), severities)


def _as_silver(upload: LandedUpload, frame: DataFrame) -> DataFrame:
    box_space = F.when(F.col("space") == space.SWAPPED, space.ASSUMED).otherwise(F.col("space"))
    columns = {
        "dataset": F.lit(upload.dataset),
        "box_space": box_space,
        "area": F.col("final_area"),
        "image_key": F.coalesce(
            "image_key", F.when(F.col(f"{REJECT}.rule") == "annotation.image_unknown", F.col("waits_for"))
        ),
        "source_document": F.col("document"),
        "upload_id": F.lit(upload.upload_id),
        "delivery": F.lit(upload.sequence).cast("bigint"),
    }
    mine = ("_scope", "_upload_id", "_delivery", "document", "locator", "raw", "record", REJECT, BOX_SAVED)
    return frame.withColumns(columns).selectExpr(*silver.ANNOTATIONS.names, *mine)
