"""The rows of samples as Arrow tables: narrow ones for the samples themselves, whole ones for who asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import live
from imagelake.client.sql_text import Row, name, texts, within
from imagelake.geometry.orientation import EXCHANGING, Orientation
from imagelake.tables import silver

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE = ("image_key", "content_hash", "orientation", "labelled", "attributes", "width", "height")
"""What a sample needs of its image, besides its split."""

_WHOLE_IMAGE = tuple(c for c in silver.IMAGES.names if c not in ("split", "width", "height", "row_hash"))
_WHOLE_ANNOTATION = tuple(c for c in silver.ANNOTATIONS.names if c != "row_hash")
_GEOMETRY = ("bbox", "polygons", "rle_size", "rle_counts", "keypoints")
_LITERALS = 100


def choose_listed(tables: Tables, keys: Sequence[str]) -> str:
    """A condition for `live`: image_key is one of these, of which a table is made when they are many."""
    if len(keys) <= _LITERALS:
        return f"image_key IN ({texts(keys)})" if keys else "false"
    tables.con.execute(
        "CREATE OR REPLACE TEMP TABLE _chosen AS SELECT unnest($1::VARCHAR[]) AS image_key", [list(keys)]
    )
    return within("image_key", "_chosen")


def choose(tables: Tables, keys: pa.ChunkedArray) -> str:
    """As choose_listed, of the keys in a column."""
    import pyarrow as pa

    if len(keys) <= _LITERALS:
        return choose_listed(tables, keys.to_pylist())
    tables.con.register("_keys", pa.table({"image_key": keys}))
    tables.con.execute("CREATE OR REPLACE TEMP TABLE _chosen AS SELECT image_key FROM _keys")
    tables.con.unregister("_keys")
    return within("image_key", "_chosen")


def image_rows(tables: Tables, target: Target, among: str | None) -> pa.Table:
    """IMAGE, `split` and `is_labelled` of the live images, or of those under a condition, in key order."""
    images = live(tables, target, "image", IMAGE, among)
    splits = live(tables, target, "split", ("image_key", "split"), among)
    columns = ", ".join(f"i.{name(c)}" for c in IMAGE)
    return tables.arrow(
        f"SELECT {columns}, coalesce(len(i.labelled) > 0, false) AS is_labelled, s.split FROM {images} AS i "
        f"LEFT JOIN {splits} AS s USING (image_key) ORDER BY image_key"
    )


def whole_images(tables: Tables, target: Target, chosen: str) -> pa.Table:
    """Every column of the images under a condition, in key order."""
    images = live(tables, target, "image", (*_WHOLE_IMAGE, "width", "height"), chosen)
    splits = live(tables, target, "split", ("image_key", "split"), chosen)
    return tables.arrow(
        f"SELECT {', '.join(f'i.{name(c)}' for c in _WHOLE_IMAGE)}, i.width, i.height, i.width AS raw_width, "
        f"i.height AS raw_height, s.split FROM {images} AS i LEFT JOIN {splits} AS s USING (image_key) "
        "ORDER BY image_key"
    )


def whole_annotations(tables: Tables, target: Target, chosen: str) -> pa.Table:
    """Every column of the annotations of images under a condition, in the order of both keys."""
    boxes = live(tables, target, "annotation", _WHOLE_ANNOTATION, chosen)
    classes = live(tables, target, "category", ("name", "train_index"))
    return tables.arrow(
        f"SELECT {', '.join(f'a.{name(c)}' for c in _WHOLE_ANNOTATION)}, k.train_index FROM {boxes} AS a "
        f"LEFT JOIN {classes} AS k ON k.name = a.category ORDER BY image_key, annotation_key"
    )


def turned_images(images: pa.Table) -> pa.Table:
    """`width` and `height` of the shown images."""
    import pyarrow.compute as pc

    exchanged = pc.fill_null(pc.greater_equal(images.column("orientation"), EXCHANGING), False)
    sides = {"width": images.column("width"), "height": images.column("height")}
    for side, other in (("width", "height"), ("height", "width")):
        column = pc.if_else(exchanged, sides[other], sides[side])
        images = images.set_column(images.schema.get_field_index(side), side, column)
    return images


def turned_boxes(raw: pa.Table, boxes: pa.Table, of: pa.ChunkedArray) -> pa.Table:
    """Geometry in the space of the shown images: `raw` are images with raw sizes, `of` says which image is whose.

    Most lakes have few images to turn, or none: only their annotations become Python objects.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    turning = pc.indices_nonzero(pc.fill_null(pc.greater(raw.column("orientation"), 1), False))
    is_concerned = pc.is_in(of, value_set=turning.cast(of.type))
    concerned = pc.indices_nonzero(is_concerned)
    if not len(concerned):
        return boxes
    images = raw.select(["orientation", "width", "height"]).take(turning).to_pylist()
    turns = dict(zip(turning.to_pylist(), (Orientation(*row.values()) for row in images), strict=True))
    rows = boxes.select(list(_GEOMETRY)).take(concerned).to_pylist()
    rows = [turned_row(row, turns[place]) for row, place in zip(rows, of.take(concerned).to_pylist(), strict=True)]
    count = boxes.num_rows
    places, new = pa.array(range(count), pa.int64()), pa.array(range(count, count + len(rows)), pa.int64())
    places = pc.replace_with_mask(places, _one_chunk(is_concerned), new)
    for column in _GEOMETRY:
        values = pa.chunked_array([pa.array([row[column] for row in rows], boxes.schema.field(column).type)])
        both = pa.chunked_array([*boxes.column(column).chunks, *values.chunks], values.type)
        boxes = boxes.set_column(boxes.schema.get_field_index(column), column, both.take(places))
    return boxes


def _one_chunk(column: Any) -> pa.Array:
    import pyarrow as pa

    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def turned_row(row: Row, turn: Orientation) -> Row:
    """An annotation in the space of the shown image."""
    if row["bbox"] is not None:
        box = turn.box((row["bbox"]["x"], row["bbox"]["y"], row["bbox"]["w"], row["bbox"]["h"]))
        row["bbox"] = dict(zip("xywh", box, strict=True))
    if row["polygons"] is not None:
        row["polygons"] = [turn.polygon(p) for p in row["polygons"]]
    if row["keypoints"] is not None:
        row["keypoints"] = turn.keypoints(row["keypoints"])
    if row["rle_counts"] is not None:
        row["rle_size"], row["rle_counts"] = turn.size[::-1], turn.mask(row["rle_counts"])
    return row
