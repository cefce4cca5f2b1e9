"""The views of `sql` as declarations: what a view shows, its columns, their types in DuckDB and meanings.

Columns of a table mean what the table's spec says; those that a view adds are declared here. Times are TIMESTAMP in
UTC, under other names than `at`, which DuckDB reserves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imagelake.client.sql_text import sql_type
from imagelake.tables import bronze, gold, ops, silver
from imagelake.tables.spec import TableSpec


@dataclass(frozen=True)
class ViewColumn:
    """A column of a view: its name, its type in DuckDB, and one sentence on what it holds."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True)
class View:
    """A view, or a macro that answers with rows of these columns."""

    name: str
    doc: str
    columns: tuple[ViewColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)


_TEXT, _NUMBER, _TIME = "VARCHAR", "BIGINT", "TIMESTAMP"
_BOX = "STRUCT(x DOUBLE, y DOUBLE, w DOUBLE, h DOUBLE)"
_COUNTS = "STRUCT(images BIGINT, annotations BIGINT)"
_LOG = ("row_id", "added_in", "publish_id")
_NOT_OF_VERSIONS = ("dataset", "publish_id", "added", "log_versions", "set_digests", "at")


def _of(spec: TableSpec, *without: str) -> tuple[ViewColumn, ...]:
    """The columns of a table, but for those named."""
    return tuple(ViewColumn(c.name, sql_type(c.type), c.doc) for c in spec.columns if c.name not in without)


def _with_uploaded_split(columns: Iterable[ViewColumn]) -> tuple[ViewColumn, ...]:
    return tuple(ViewColumn("uploaded_split", c.type, c.doc) if c.name == "split" else c for c in columns)


_DATASET = ViewColumn("dataset", _TEXT, "dataset id")

IMAGES = View(
    "images",
    "The images of a version or draft.",
    (
        *_with_uploaded_split(_of(silver.IMAGES)),
        ViewColumn("split", _TEXT, "the split in the version's recipe; in a draft the published one, or unassigned"),
        ViewColumn("oriented_width", "INTEGER", "width in pixels of the image as EXIF shows it"),
        ViewColumn("oriented_height", "INTEGER", "height in pixels of the image as EXIF shows it"),
    ),
)

ANNOTATIONS = View("annotations", "The annotations of a version or draft.", _of(silver.ANNOTATIONS))

CATEGORIES = View("categories", "The categories of a version or draft.", _of(silver.CATEGORIES))

SPLITS = View("splits", "Which split each image of a version or draft is in.", _of(gold.SPLIT_LOG, *_LOG))

CLASS_STATS = View(
    "class_stats",
    "How often each category occurs in a version or draft; a version has these counts from its publish.",
    (
        _DATASET,
        ViewColumn("category", _TEXT, "category name"),
        ViewColumn("images", _NUMBER, "images with an annotation of it"),
        ViewColumn("annotations", _NUMBER, "its annotations"),
        ViewColumn("share", "DOUBLE", "its annotations by all annotations that have a category, 0 to 1"),
        ViewColumn("by_split", f"MAP(VARCHAR, {_COUNTS})", "the counts in each split"),
    ),
)

VERSIONS = View(
    "versions",
    "The published versions of all datasets, a row a version in its newest state.",
    (
        _DATASET,
        ViewColumn("version", _TEXT, "its name: pets@v3, or pets@v3.2 under another recipe"),
        *_of(gold.VERSIONS, *_NOT_OF_VERSIONS),
        ViewColumn("created_at", _TIME, "when it was published"),
    ),
)

REJECTIONS = View(
    "rejections", "What was refused, of all datasets; a row is open while closed_at is null.", _of(silver.REJECTIONS)
)

UPLOADS = View(
    "uploads",
    "The uploads of all datasets, a row an upload in its furthest state.",
    (*_of(bronze.UPLOADS, "at"), ViewColumn("state_at", _TIME, "when it reached that state")),
)

RUNS = View(
    "runs",
    "The runs of all datasets, a row a run.",
    (
        ViewColumn("run_id", _TEXT, "the run"),
        ViewColumn("verb", _TEXT, ops.RUNS.column("verb").doc),
        ViewColumn("dataset", _TEXT, ops.RUNS.column("dataset").doc),
        ViewColumn("status", _TEXT, "running, done, rejected (an upload or a publish was refused), failed or died"),
        ViewColumn("started_at", _TIME, "when it began"),
        ViewColumn("ended_at", _TIME, "when it ended; null while it runs, and when it died"),
        ViewColumn("seconds", "DOUBLE", "its duration; null while it runs, and when it died"),
        ViewColumn("problem", _TEXT, "why it failed or what was refused"),
        ViewColumn("host", _TEXT, ops.RUNS.column("host").doc),
        ViewColumn("pid", _NUMBER, ops.RUNS.column("pid").doc),
        ViewColumn("program", _TEXT, ops.RUNS.column("program").doc),
        ViewColumn("report", _TEXT, "what it reported: JSON, a list with a document for each upload; null without one"),
    ),
)

ALIASES = View(
    "aliases",
    "Every change of an alias, of all datasets; of each alias the row with the highest sequence counts.",
    (
        _DATASET,
        ViewColumn("alias", _TEXT, gold.ALIASES.column("alias").doc),
        ViewColumn("version", _TEXT, "the name of the version; null where the alias was removed"),
        ViewColumn("sequence", _NUMBER, gold.ALIASES.column("sequence").doc),
        ViewColumn("author", _TEXT, gold.ALIASES.column("author").doc),
        ViewColumn("set_at", _TIME, "when it was set or removed"),
    ),
)

VIEWS = (IMAGES, ANNOTATIONS, CATEGORIES, SPLITS, VERSIONS, ALIASES, REJECTIONS, UPLOADS, RUNS, CLASS_STATS)

COLUMNS: dict[str, tuple[str, ...]] = {view.name: view.names for view in VIEWS}
"""Columns of each view."""

CHANGES = View(
    "changes",
    "What differs between two versions: a row an image, annotation, category or move between splits.",
    (
        ViewColumn("entity", _TEXT, "image, annotation, category or split"),
        ViewColumn("change", _TEXT, "added, removed, changed, renamed (an image) or moved (between splits)"),
        ViewColumn(
            "what",
            "VARCHAR[]",
            "what changed: bytes, size, labelled, attributes, key of an image; moved, relabelled, attributes of an "
            "annotation; split; supercategory, train_index of a category",
        ),
        ViewColumn("image_key", _TEXT, "the image's key; of a renamed image the one before; null for a category"),
        ViewColumn("image_key_after", _TEXT, "its key after; null when there is none any more"),
        ViewColumn("kind", _TEXT, "the kind of the annotation"),
        ViewColumn("category_before", _TEXT, "the category before"),
        ViewColumn("category_after", _TEXT, "the category after"),
        ViewColumn("bbox_before", _BOX, "the box before, in pixels of the raw image"),
        ViewColumn("bbox_after", _BOX, "the box after"),
        ViewColumn("split_before", _TEXT, "the split before"),
        ViewColumn("split_after", _TEXT, "the split after"),
        ViewColumn("content_hash_before", _TEXT, "sha256 of the image's bytes before"),
        ViewColumn("content_hash_after", _TEXT, "sha256 of the image's bytes after"),
    ),
)
"""Rows of the macro changes('D@v2', 'D@v3')."""
