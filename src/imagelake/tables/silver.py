"""Silver: the draft of each dataset, validated and flat, and everything that was refused."""

from __future__ import annotations

from imagelake.tables.bronze import STATISTICS
from imagelake.tables.spec import Column, TableSpec

BOX = "struct<x:double,y:double,w:double,h:double>"

IMAGE_COLUMNS = (
    Column("dataset", "string", "dataset id"),
    Column("image_key", "string", "path without wrapper, split and role folders, /, NFC"),
    Column("content_hash", "string", "sha256 of the bytes, hex"),
    Column("media_type", "string", "by magic bytes"),
    Column("length", "bigint", "size in bytes"),
    Column("width", "int", "raw width in pixels, before EXIF orientation"),
    Column("height", "int", "raw height in pixels, before EXIF orientation"),
    Column(
        "orientation",
        "int",
        "EXIF orientation, 1 to 8; from 5 on the shown image has width and height swapped",
    ),
    Column("mode", "string", "Pillow mode"),
    Column("frames", "int", "number of frames"),
    Column("split", "string", "the split the upload gave: train, val, test or another name; null if none"),
    Column("labelled", "array<string>", "kinds the image was labelled for, sorted; possibly with nothing found"),
    Column("attributes", "string", "JSON object with sorted keys: what the upload said beyond the known fields"),
    Column("flags", "array<string>", "ids of the rules that warn, sorted"),
    *STATISTICS,
    Column("source_id", "string", "the image's id in its document"),
    Column("upload_id", "string", "the upload that last changed this row"),
    Column("delivery", "bigint", "its sequence number"),
    Column("row_hash", "binary", "sha256 of the canonical encoding (imagelake.core.digest)"),
)

IMAGES = TableSpec(
    name="silver.images",
    doc="The draft's images.",
    columns=IMAGE_COLUMNS,
    key=("dataset", "image_key"),
    append_only=False,
    stats=("image_key",),
)

ANNOTATION_COLUMNS = (
    Column("dataset", "string", "dataset id"),
    Column(
        "annotation_key",
        "string",
        "sha256 over image key, kind, category, geometry and an ordinal among equals",
    ),
    Column("image_key", "string", "the image"),
    Column("kind", "string", "box, polygon, rle, class; later keypoints, caption, mask, panoptic"),
    Column("category", "string", "category name"),
    Column("bbox", BOX, "x, y, w, h in pixels of the raw image, from its top left corner"),
    Column("box_space", "string", "how the space was known: raw, oriented, same (orientation 1), assumed"),
    Column("polygons", "array<array<double>>", "parts, each x1, y1, x2, y2, … in pixels of the raw image"),
    Column("rle_size", "array<int>", "height and width of the mask"),
    Column("rle_counts", "string", "the mask as COCO compressed run lengths, column by column"),
    Column("area", "double", "in square pixels, as given or computed"),
    Column("is_crowd", "boolean", "one row for many objects"),
    Column("keypoints", "array<double>", "x, y, v triples"),
    Column("attributes", "string", "JSON object with sorted keys: what the upload said beyond the known fields"),
    Column("flags", "array<string>", "ids of the rules that warn, sorted"),
    Column("source_id", "string", "the annotation's id in its document"),
    Column("source_document", "string", "the document, a path in the upload"),
    Column("upload_id", "string", "the upload that last changed this row"),
    Column("delivery", "bigint", "its sequence number"),
    Column("row_hash", "binary", "sha256 of the canonical encoding (imagelake.core.digest)"),
)

ANNOTATIONS = TableSpec(
    name="silver.annotations",
    doc="The draft's annotations.",
    columns=ANNOTATION_COLUMNS,
    key=("dataset", "annotation_key"),
    append_only=False,
    stats=("image_key",),
)

CATEGORY_COLUMNS = (
    Column("dataset", "string", "dataset id"),
    Column("name", "string", "category name"),
    Column("supercategory", "string", "its parent, if the upload named one"),
    Column("source_id", "string", "the category's id in its document"),
    Column("train_index", "int", "0, 1, 2, …: never reused; null for a root that owns no annotation"),
    Column("attributes", "string", "JSON object with sorted keys"),
    Column("upload_id", "string", "the upload that last changed this row"),
    Column("delivery", "bigint", "its sequence number"),
    Column("row_hash", "binary", "sha256 of the canonical encoding (imagelake.core.digest)"),
)

CATEGORIES = TableSpec(
    name="silver.categories",
    doc="The draft's categories and their place in the training index.",
    columns=CATEGORY_COLUMNS,
    key=("dataset", "name"),
    append_only=False,
)

REJECTIONS = TableSpec(
    name="silver.rejections",
    doc="Every row that was refused; open until the same image and kind (or file) is accepted.",
    columns=(
        Column("dataset", "string", "dataset id"),
        Column(
            "rejection_id",
            "string",
            "hash of entity, path, locator, rule and raw: the same defect, the same id",
        ),
        Column("entity", "string", "file, image, annotation or category"),
        Column("image_key", "string", "the image concerned, if known"),
        Column("kind", "string", "the annotation kind concerned, if known"),
        Column("path", "string", "the file, a path in the upload"),
        Column("locator", "string", "where in the file: line, index or id"),
        Column("rule", "string", "rule id"),
        Column("severity", "string", "quarantine; reject in rows of older programs"),
        Column("message", "string", "what is wrong, with the value and what is allowed"),
        Column("raw", "string", "the payload as it was delivered"),
        Column("record", "string", "JSON of the parsed record, for rows that wait for their image"),
        Column("upload_id", "string", "the upload that brought it"),
        Column("delivery", "bigint", "its sequence number"),
        Column("opened_at", "timestamp", "when it was refused"),
        Column("closed_at", "timestamp", "when the same key was accepted; null while open"),
        Column("closed_by", "string", "the upload that was accepted"),
    ),
    key=("dataset", "rejection_id"),
    append_only=False,
    stats=("rejection_id", "rule", "closed_at"),
)
