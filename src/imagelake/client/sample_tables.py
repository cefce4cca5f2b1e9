"""The rows of samples as Arrow tables: narrow ones for the samples themselves, whole ones for who asks for them.

Rows come out of DuckDB as a stream in no order and are put into the order of the samples column by column: a sort of
whole rows takes three times the memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagelake.client.catalog import Target
from imagelake.client.rows import live
from imagelake.client.tables import Tables
from imagelake.client.text import Row, name, select, texts, within
from imagelake.client.turn import Turn
from imagelake.tables import silver

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE = ("image_key", "content_hash", "orientation", "labelled", "attributes", "width", "height")
"""What a sample needs of its image, besides its split."""

BOX = (
    "kind",
    "category",
    "bbox",
    "polygons",
    "rle_size",
    "rle_counts",
    "area",
    "is_crowd",
    "keypoints",
    "attributes",
    "source_id",
)
"""What a sample needs of an annotation."""

_FEW_VALUES = ("kind", "category")

_WHOLE_IMAGE = tuple(c for c in silver.IMAGES.names if c not in ("split", "width", "height", "row_hash"))
_WHOLE_ANNOTATION = tuple(c for c in silver.ANNOTATIONS.names if c != "row_hash")
_GEOMETRY = ("bbox", "polygons", "rle_size", "rle_counts", "keypoints")
_LITERALS = 100
_EXCHANGE = 5

_BITS = 40
_PREFIX = (
    "CASE WHEN annotation_key = lower(annotation_key) "
    f"THEN try_cast('0x' || annotation_key[:{_BITS // 4}] AS UBIGINT) END"
)
"""The first bits of an annotation key, whose order is that of the keys; null where a key is no lower-case hex."""


@dataclass(frozen=True)
class Boxes:
    """The annotations of images: rows in the order of the images, and where those of each image begin, and the end."""

    rows: pa.Table
    starts: pa.Array


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
    import pyarrow.compute as pc

    images = live(tables, target, "image", IMAGE, among)
    splits = live(tables, target, "split", ("image_key", "split"), among)
    columns = ", ".join(f"i.{name(c)}" for c in IMAGE) + ", coalesce(len(i.labelled) > 0, false) AS is_labelled"
    table = tables.arrow(f"SELECT {columns}, s.split FROM {images} AS i LEFT JOIN {splits} AS s USING (image_key)")
    return taken(table, pc.sort_indices(table.column("image_key")))


def box_rows(tables: Tables, target: Target, images: pa.Table, among: str | None) -> Boxes:
    """BOX of the annotations of images, those of one image in the order of their keys."""
    import pyarrow as pa
    import pyarrow.compute as pc

    of, rows, order = _unordered(tables, target, images, among)
    counts = pc.value_counts(of)
    each = pc.index_in(_integers(range(images.num_rows), pa.int32()), value_set=counts.field("values"))
    zeros = _integers([0] * images.num_rows, pa.int64())
    ends = pc.cumulative_sum(pc.coalesce(counts.field("counts").take(each), zeros))
    return Boxes(taken(rows, order), pa.concat_arrays([_integers([0], pa.int64()), ends]))


def _integers(values: Iterable[int], of: pa.DataType) -> pa.Array:
    """An array without pa.array, which imports pandas where that is installed: half a second."""
    import pyarrow as pa

    data = array("i" if of.bit_width == 32 else "q", values)
    return pa.Array.from_buffers(of, len(data), [None, pa.py_buffer(data)])


def _unordered(
    tables: Tables, target: Target, images: pa.Table, among: str | None
) -> tuple[pa.ChunkedArray, pa.Table, pa.Array]:
    """For each annotation the place of its image; the rows; and the order to take them in."""
    import pyarrow.compute as pc

    for expression in (_PREFIX, "annotation_key"):
        rows = _with_key(tables, target, expression, among)
        of = pc.index_in(rows.column("image_key"), value_set=images.column("image_key"))
        rows = rows.drop_columns(["image_key"])
        if of.null_count:  # of images that are not among them
            is_wanted = pc.is_valid(of)
            of, rows = of.filter(is_wanted), rows.filter(is_wanted)
        order = _order_by_prefix(of, rows.column("key")) if expression is _PREFIX else _order(of, rows.column("key"))
        if order is not None:
            break
    assert order is not None
    return of, rows.drop_columns(["key"]), order


def _with_key(tables: Tables, target: Target, key: str, among: str | None) -> pa.Table:
    boxes = live(tables, target, "annotation", ("image_key", "annotation_key", *BOX), among)
    return tables.arrow(f"SELECT {select(('image_key', *BOX))}, {key} AS key FROM {boxes}", _compact)


def _compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without space for columns that are empty, as those of other kinds are; few values are written once."""
    import pyarrow as pa

    columns = []
    for column, of in zip(batch.columns, batch.schema.names, strict=True):
        if of in BOX and column.null_count == batch.num_rows:
            columns.append(pa.nulls(batch.num_rows))
        else:
            columns.append(column.dictionary_encode() if of in _FEW_VALUES else column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _order_by_prefix(of: pa.ChunkedArray, prefix: pa.ChunkedArray) -> pa.Array | None:
    """The order by image and prefix; None where prefixes do not tell the annotations of an image apart."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if prefix.null_count or len(of) == 0 or pc.max(of).as_py() >> (64 - _BITS):
        return _order(of, prefix) if len(of) == 0 else None
    key = pc.bit_wise_or(pc.shift_left(of.cast(pa.uint64()), _integers([_BITS], pa.uint64())[0]), prefix)
    order = pc.array_sort_indices(key.combine_chunks())
    ordered = key.take(order).combine_chunks()
    return None if pc.any(pc.equal(ordered[1:], ordered[:-1])).as_py() else order


def _order(of: pa.ChunkedArray, key: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.sort_indices(pa.table({"of": of, "key": key}), [("of", "ascending"), ("key", "ascending")])


def taken(table: pa.Table, order: pa.Array) -> pa.Table:
    """The rows of a table in another order."""
    import pyarrow as pa

    return pa.table([column.take(order) for column in table.columns], names=table.column_names)


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

    exchanged = pc.fill_null(pc.greater_equal(images.column("orientation"), _EXCHANGE), False)
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
    turns = dict(zip(turning.to_pylist(), (Turn(*row.values()) for row in images), strict=True))
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


def turned_row(row: Row, turn: Turn) -> Row:
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
