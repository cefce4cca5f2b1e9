"""The label tables of a `croissant` export, and what their columns are called in its description.

Boxes and outlines are text: readers of Croissant take a box from a text or a list, and Parquet gives them neither lists
nor pairs but arrays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagelake.client.data.sample import Annotation
from imagelake.exports.entries import ExportEntry, entries
from imagelake.exports.folder import ExportFolder

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from imagelake.client.data.samples import Samples

_AT_ONCE = 10_000
_CLASS = "class"


@dataclass(frozen=True)
class CroissantColumn:
    """A column: its Arrow type in words, its data types in Croissant, and what it says.

    `references` names a field whose values it holds; `joins` does so by file and column, for fields that come from a
    table: readers go through a record set of a table once, and cannot join it again.
    """

    name: str
    arrow: str
    types: tuple[str, ...]
    doc: str
    references: str | None = None
    joins: tuple[str, str] | None = None
    format: str | None = None

    @property
    def repeated(self) -> bool:
        """Whether a value is a list."""
        return self.arrow.startswith("list")


@dataclass(frozen=True)
class Table:
    """A Parquet file and the record set that describes it."""

    path: str
    name: str
    doc: str
    columns: tuple[CroissantColumn, ...]
    key: str | None = None


_TEXT, _WHOLE, _NUMBER, _YES = ("sc:Text",), ("sc:Integer",), ("sc:Float",), ("sc:Boolean",)
_OF_IMAGE = CroissantColumn("image_key", "string", _TEXT, "The image.", joins=("images.parquet", "image_key"))
_CATEGORY = CroissantColumn(
    "category", "string", ("sc:Text", "cr:Label"), "The category.", references="categories/name"
)
_ATTRIBUTES = CroissantColumn(
    "attributes", "string", _TEXT, "What the upload said beyond these columns, a JSON object."
)

IMAGES = Table(
    "images.parquet",
    "images",
    "The images.",
    (
        CroissantColumn("image_key", "string", _TEXT, "The name of the image in the data set."),
        CroissantColumn("path", "string", _TEXT, "Its file.", references="files/path"),
        CroissantColumn("content_hash", "string", _TEXT, "The sha256 of its bytes."),
        CroissantColumn("split", "string", ("sc:Text", "cr:Split"), "The split it lies in.", references="splits/name"),
        CroissantColumn("width", "int32", _WHOLE, "Pixels across."),
        CroissantColumn("height", "int32", _WHOLE, "Pixels down."),
        CroissantColumn("orientation", "int32", _WHOLE, "EXIF orientation, 1 to 8: how it is turned to be shown."),
        CroissantColumn("labelled", "list<string>", _TEXT, "The kinds of labels that somebody looked for."),
        _ATTRIBUTES,
    ),
    key="image_key",
)
OBJECTS = Table(
    "objects.parquet",
    "objects",
    "Objects in the images. Coordinates are pixels from the top left corner.",
    (
        _OF_IMAGE,
        CroissantColumn("kind", "string", _TEXT, "box, polygon, rle or keypoints."),
        _CATEGORY,
        CroissantColumn(
            "bbox", "string", ("cr:BoundingBox",), "x, y, width and height, with spaces between.", format="XYWH"
        ),
        CroissantColumn("polygons", "list<string>", ("cr:SegmentationMask", "sc:Text"), "Outlines, each x,y x,y …"),
        CroissantColumn("mask_height", "int32", _WHOLE, "Rows of the mask."),
        CroissantColumn("mask_width", "int32", _WHOLE, "Columns of the mask."),
        CroissantColumn(
            "mask_counts", "string", ("cr:SegmentationMask", "sc:Text"), "The mask as COCO's compressed run lengths."
        ),
        CroissantColumn("keypoints", "list<double>", _NUMBER, "x, y, v, …"),
        CroissantColumn("area", "double", _NUMBER, "Square pixels."),
        CroissantColumn("is_crowd", "bool", _YES, "Whether it stands for many objects."),
        _ATTRIBUTES,
    ),
)
CLASSES = Table("classes.parquet", "classes", "Classes of whole images.", (_OF_IMAGE, _CATEGORY, _ATTRIBUTES))


def write_tables(samples: Samples, paths: Sequence[str], folder: ExportFolder) -> tuple[Table, ...]:
    """Write the tables that have rows, that of the images always. paths: the file of each image."""
    tables = (IMAGES, *(table for table, count in _counts(samples).items() if count))
    with ExitStack() as stack:
        writers = {table: stack.enter_context(_writer(stack, table, folder)) for table in tables}
        rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in tables}
        for entry in entries(samples):
            rows[IMAGES].append(_image(entry, paths[entry.index]))
            for annotation in entry.annotations:
                table = _table_of(annotation)
                if table is None:
                    folder.lose(f"{annotation.kind} annotations: the format holds objects with a box, and classes")
                else:
                    rows[table].append(_row(annotation, entry, table))
            for table, waiting in rows.items():
                if len(waiting) >= _AT_ONCE:
                    _flush(writers[table], waiting)
        for table, waiting in rows.items():
            _flush(writers[table], waiting)
    return tables


def _counts(samples: Samples) -> Mapping[Table, int]:
    """Rows of each table of annotations, by their columns alone."""
    import pyarrow.compute as pc

    boxes = samples.boxes.rows
    is_class = pc.equal(boxes.column("kind").cast("string"), _CLASS)
    has_category = pc.is_valid(boxes.column("category"))
    is_object = pc.and_(pc.invert(is_class), pc.is_valid(boxes.column("bbox")))
    columns = {OBJECTS: pc.and_(is_object, has_category), CLASSES: pc.and_(is_class, has_category)}
    return {table: pc.sum(column, min_count=0).as_py() for table, column in columns.items()}


def _table_of(annotation: Annotation) -> Table | None:
    if annotation.category is None:
        return None
    if annotation.kind == _CLASS:
        return CLASSES
    return OBJECTS if annotation.bbox is not None else None


def _writer(stack: ExitStack, table: Table, folder: ExportFolder) -> pq.ParquetWriter:
    import pyarrow.parquet as pq

    return pq.ParquetWriter(stack.enter_context(folder.open(table.path)), _schema(table))


def _schema(table: Table) -> pa.Schema:
    import pyarrow as pa

    lists = {f"list<{name}>": pa.list_(pa.type_for_alias(name)) for name in ("string", "double")}
    return pa.schema([(c.name, lists.get(c.arrow) or pa.type_for_alias(c.arrow)) for c in table.columns])


def _flush(writer: pq.ParquetWriter, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    if rows:
        writer.write_table(pa.Table.from_pylist(rows, writer.schema))
        rows.clear()


def _image(entry: ExportEntry, path: str) -> dict[str, Any]:
    columns = ("content_hash", "split", "width", "height", "orientation", "labelled")
    own = {name: getattr(entry, name) for name in columns}
    return {"image_key": entry.key, "path": path, **own, "attributes": _json(entry.attributes)}


def _row(annotation: Annotation, entry: ExportEntry, table: Table) -> dict[str, Any]:
    """The columns of a table; others are left out by its schema."""
    height, width, counts = annotation.rle or (None, None, None)
    row = {
        "image_key": entry.key,
        "kind": annotation.kind,
        "category": annotation.category,
        "bbox": None if annotation.bbox is None else " ".join(map(repr, annotation.bbox)),
        "polygons": [_outline(part) for part in annotation.polygons or ()],
        "mask_height": height,
        "mask_width": width,
        "mask_counts": counts,
        "keypoints": annotation.keypoints or (),
        "area": annotation.area,
        "is_crowd": annotation.is_crowd,
        "attributes": _json(annotation.attributes),
    }
    return {column.name: row[column.name] for column in table.columns}


def _outline(points: Sequence[float]) -> str:
    return " ".join(f"{x!r},{y!r}" for x, y in _pairs(points))


def _pairs(points: Sequence[float]) -> Iterator[tuple[float, float]]:
    return zip(points[::2], points[1::2], strict=True)


def _json(attributes: Mapping[str, Any]) -> str | None:
    return json.dumps(dict(attributes)) if attributes else None
