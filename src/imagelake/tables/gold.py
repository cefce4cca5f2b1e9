"""Gold: append-only logs from which any published version is read.

Version n is: rows with `added_in <= n` without a closing whose `removed_in <= n`, where only publish ids
that a row of gold.versions names count.
"""

from __future__ import annotations

from imagelake.tables.silver import ANNOTATION_COLUMNS, CATEGORY_COLUMNS, IMAGE_COLUMNS
from imagelake.tables.spec import Column, TableSpec

LOG_COLUMNS = (
    Column("row_id", "string", "unique per attempt, never reused"),
    Column("added_in", "bigint", "the version number that added the row"),
    Column("publish_id", "string", "the publish attempt that wrote it"),
)

IMAGE_LOG = TableSpec(
    name="gold.image_log",
    doc="Images of all versions.",
    columns=IMAGE_COLUMNS + LOG_COLUMNS,
    stats=("image_key", "added_in"),
)

ANNOTATION_LOG = TableSpec(
    name="gold.annotation_log",
    doc="Annotations of all versions.",
    columns=ANNOTATION_COLUMNS + LOG_COLUMNS,
    stats=("image_key", "added_in"),
)

CATEGORY_LOG = TableSpec(
    name="gold.category_log",
    doc="Categories of all versions.",
    columns=CATEGORY_COLUMNS + LOG_COLUMNS,
    stats=("added_in",),
)

SPLIT_LOG = TableSpec(
    name="gold.split_log",
    doc="Which split each image lies in, per split recipe.",
    columns=(
        Column("dataset", "string", "dataset id"),
        Column("recipe", "int", "the split recipe y of versions vX.y"),
        Column("image_key", "string", "the image"),
        Column("split", "string", "the split's name"),
        Column("group_key", "string", "images with one group key share a split"),
        Column("origin", "string", "uploaded, hashed, kept or moved"),
        *LOG_COLUMNS,
    ),
    stats=("recipe", "added_in"),
)

CLOSINGS = TableSpec(
    name="gold.closings",
    doc="Ends of log rows.",
    columns=(
        Column("dataset", "string", "dataset id"),
        Column("entity", "string", "image, annotation, category or split"),
        Column("row_id", "string", "the log row that ends"),
        Column("removed_in", "bigint", "the first version number without it"),
        Column("publish_id", "string", "the publish attempt that wrote it"),
    ),
    stats=("entity", "removed_in"),
)

LOG_COUNTS = "struct<images:bigint,annotations:bigint,categories:bigint,splits:bigint,closings:bigint>"

VERSIONS = TableSpec(
    name="gold.versions",
    doc="One row a published version, written last; later rows of one (number, recipe) change only its state.",
    columns=(
        Column("dataset", "string", "dataset id"),
        Column("sequence", "bigint", "rising per dataset, one a row; also the Delta transaction number"),
        Column("number", "bigint", "x of vX.y"),
        Column("recipe", "int", "y of vX.y"),
        Column("state", "string", "published, retired or archived"),
        Column("parent", "string", "the version this one was made from, as vX.y"),
        Column("publish_id", "string", "the attempt whose log rows count"),
        Column("digest", "string", "d1:… over content and splits"),
        Column("content_digest", "string", "d1:… over images, annotations and categories"),
        Column("images", "bigint", "images in this version"),
        Column("annotations", "bigint", "annotations in this version"),
        Column("categories", "bigint", "categories in this version"),
        Column("added", LOG_COUNTS, "rows this publish appended to each log"),
        Column("log_versions", LOG_COUNTS, "Delta version of each log after this publish"),
        Column("split_stats", "string", "JSON: split to {images, annotations}"),
        Column("class_stats", "string", "JSON: category to {images, annotations}"),
        Column("changes", "string", "JSON: counts of added, removed, changed per entity against the parent"),
        Column("recipe_spec", "string", "JSON: fractions, group_by, stratify, seed"),
        Column("settings", "string", "JSON: the dataset settings it was made with"),
        Column("quality", "string", "JSON: the gate's verdict"),
        Column("upload_ids", "array<string>", "the uploads since the parent"),
        Column("note", "string", "free text"),
        Column("author", "string", "who published"),
        Column("run_id", "string", "the run that published"),
        Column("at", "timestamp", "when"),
        Column("last_sequence", "bigint", "sequence of the newest upload in this version"),
        Column(
            "set_digests", "string", "JSON: sum of row hashes and count of each set; null in rows of older programs"
        ),
    ),
    key=("dataset", "sequence"),
    stats=("sequence", "number", "recipe", "state", "publish_id", "images", "annotations", "categories", "at"),
)

ALIASES = TableSpec(
    name="gold.aliases",
    doc="Names for versions, with history: the newest row of an alias counts.",
    columns=(
        Column("dataset", "string", "dataset id"),
        Column("sequence", "bigint", "rising per dataset; also the Delta transaction number"),
        Column("alias", "string", "the name"),
        Column("number", "bigint", "x of vX.y; null when the alias was taken away"),
        Column("recipe", "int", "y of vX.y"),
        Column("author", "string", "who set it"),
        Column("at", "timestamp", "when"),
    ),
    key=("dataset", "sequence"),
    stats=("sequence", "alias"),
)
