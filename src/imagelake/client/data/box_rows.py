"""The annotations of samples as Arrow columns, in the order of the samples.

Those of few images are read as rows. Those of most images of a version are read column by column from all rows of the
log: first the keys, which give the order, then each column, which is put into that order before the next one is read.
So one column is in memory twice, never all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagelake.client.catalog import Target
from imagelake.client.data.sample_tables import choose
from imagelake.client.delta.arrow_columns import integers, one_array, release, taken, taken_column
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import LOGS, EveryRow, count, every_row, live
from imagelake.client.sql_text import name, select, texts

if TYPE_CHECKING:
    import pyarrow as pa

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

_LARGE = ("source_id", *(f"bbox.{side}" for side in "xywh"), "area", "bbox IS NULL")
"""What most annotations have: read first, while there is room for two of them twice; boxes side by side."""

_REPEATED = ("kind", "category")
_MOST_VALUES = 10_000
"""Of a column of repeated values: with more of them, each is stored where it is."""

_FEW_IMAGES, _FEW_OF = 10_000, 8
"""Few images: so many, or one of so many of the version."""

_BITS = 40
_DIGITS = f"left(annotation_key, {_BITS // 4})"
_PREFIX = (
    f"CASE WHEN {_DIGITS} = lower({_DIGITS}) AND strlen(annotation_key) >= {_BITS // 4} "
    f"THEN try_cast('0x' || {_DIGITS} AS UBIGINT) END"
)
"""The first bits of an annotation key, whose order is that of the keys; null where no lower-case hex begins a key."""


@dataclass(frozen=True)
class Boxes:
    """The annotations of images: rows in the order of the images, and where those of each image begin, and the end."""

    rows: pa.Table
    starts: pa.Array

    def take(self, images: pa.Array) -> Boxes:
        """Those of the images at these places, in their order, as often as they are named."""
        import pyarrow as pa
        import pyarrow.compute as pc

        numbers = integers(range(self.rows.num_rows), pa.int64())
        chosen = pa.LargeListArray.from_arrays(self.starts, numbers).take(images)
        ends = pc.cumulative_sum(pc.list_value_length(chosen))
        starts = pa.concat_arrays([integers([0], pa.int64()), ends])
        return Boxes(taken(self.rows, pc.list_flatten(chosen)), starts)


def box_rows(tables: Tables, target: Target, images: pa.Table) -> Boxes:
    """BOX of the annotations of images, those of one image in the order of their keys."""
    return (_of_few if _are_few(tables, target, images.num_rows) else _of_most)(tables, target, images)


def _are_few(tables: Tables, target: Target, images: int) -> bool:
    """Whether so many images have few of the rows that there are."""
    version = target.version
    if images < _FEW_IMAGES:
        return True
    if version is None:
        return images * _FEW_OF < count(tables, target, "image")
    rows = tables.counts(LOGS["annotation"]).get(target.dataset, 0)
    return images * _FEW_OF < version.images or version.annotations * _FEW_OF < rows


def _of_few(tables: Tables, target: Target, images: pa.Table) -> Boxes:
    import pyarrow.compute as pc

    among = choose(tables, images.column("image_key"))
    source = live(tables, target, "annotation", ("image_key", "annotation_key", *BOX), among)
    for key, in_order in ((_PREFIX, _order_by_prefix), ("annotation_key", _order)):
        rows = tables.arrow(f"SELECT {select(('image_key', *BOX))}, {key} AS key FROM {source}", _compact)
        of = pc.index_in(rows.column("image_key"), value_set=images.column("image_key"))
        order = in_order(of, rows.column("key"))
        if order is not None:
            break
    assert order is not None
    return Boxes(taken(rows.select(list(BOX)), order), starts_of(of.take(order), images.num_rows))


def _of_most(tables: Tables, target: Target, images: pa.Table) -> Boxes:
    import pyarrow as pa

    rows = every_row(tables, target, "annotation", ("image_key", "annotation_key", *BOX))
    keys = _keys(tables, rows, images, _PREFIX)
    order = _order_by_prefix(keys.column("of"), keys.column("key"))
    if order is None:
        keys = _keys(tables, rows, images, "annotation_key")
        order = _order(keys.column("of"), keys.column("key"))
    starts = starts_of(keys.column("of").take(order), images.num_rows)
    order = one_array(keys.column("row_index").take(order))
    del keys
    columns = _columns(tables, rows.source, order)
    sides = [one_array(columns[f"bbox.{side}"].cast(pa.float64())) for side in "xywh"]
    columns["bbox"] = _boxes(sides, one_array(columns["bbox IS NULL"]))
    return Boxes(pa.table({column: columns[column] for column in BOX}), starts)


def _columns(tables: Tables, source: str, order: pa.Array) -> dict[str, pa.ChunkedArray]:
    """The columns of BOX in an order of the rows, `bbox` side by side: one is read, one put in order."""
    columns: dict[str, Future[pa.ChunkedArray]] = {}
    with ThreadPoolExecutor(1) as beside:
        for column in (*_LARGE, *(c for c in BOX if c not in _LARGE and c != "bbox")):
            release(tables)
            expression = _of_few_values(tables, source, column) if column in _REPEATED else column
            table = tables.arrow(f"SELECT {expression} AS value FROM {source}", _without_nulls)
            wait(columns.values())
            columns[column] = beside.submit(taken_column, table.column(0), order)
            del table
    return {column: values.result() for column, values in columns.items()}


def _keys(tables: Tables, rows: EveryRow, images: pa.Table, key: str) -> pa.Table:
    """For each live row: `of`, the place of its image among the images; its `key`; its `row_index`."""
    import pyarrow as pa

    numbers = integers(range(images.num_rows), pa.int32())
    tables.con.register("_images", pa.table({"image_key": images.column("image_key"), "of": numbers}))
    # joined from the side of the images: DuckDB may guess far too few rows for a log of many files
    tables.con.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    try:
        keys = tables.arrow(
            f'SELECT "of", {key} AS key, row_index::UINTEGER AS row_index FROM {rows.source} '
            f"JOIN _images USING (image_key) WHERE {rows.is_live}"
        )
    finally:
        tables.con.execute("RESET disabled_optimizers")
    tables.con.unregister("_images")
    release(tables)
    return keys


def _without_nulls(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without space for a column that is empty."""
    import pyarrow as pa

    is_empty = 0 < batch.column(0).null_count == batch.num_rows
    return pa.record_batch([pa.nulls(batch.num_rows)], names=["value"]) if is_empty else batch


def _boxes(sides: Sequence[pa.Array], is_null: pa.BooleanArray) -> pa.Array:
    """Boxes of their four sides."""
    import pyarrow as pa

    if is_null.true_count == len(is_null):
        return pa.nulls(len(is_null))
    return pa.StructArray.from_arrays(sides, names=list("xywh"), mask=is_null if is_null.true_count else None)


def _of_few_values(tables: Tables, source: str, column: str) -> str:
    """A column, each of whose values is stored once where they are few."""
    values = tables.query(
        f"SELECT DISTINCT {name(column)} AS value FROM {source} WHERE {name(column)} IS NOT NULL LIMIT {_MOST_VALUES}"
    )
    if not 0 < len(values) < _MOST_VALUES:
        return name(column)
    return f"{name(column)}::ENUM ({texts([row['value'] for row in values])})"


def starts_of(of: pa.ChunkedArray, count: int) -> pa.Array:
    """Where the annotations of each image begin, and the end, from the ordered places of their images."""
    import pyarrow as pa
    import pyarrow.compute as pc

    runs = pc.run_end_encode(one_array(of), run_end_type=pa.int64())
    at = pc.index_in(integers(range(count), pa.int32()), value_set=runs.values)
    zero = integers([0], pa.int64())
    return pc.fill_null_forward(pa.concat_arrays([zero, runs.run_ends.take(at)]))


def _compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without space for columns that are empty, as those of other kinds are; few values are written once."""
    import pyarrow as pa

    columns: list[Any] = []
    for column, of in zip(batch.columns, batch.schema.names, strict=True):
        if of in BOX and column.null_count == batch.num_rows:
            columns.append(pa.nulls(batch.num_rows))
        else:
            columns.append(column.dictionary_encode() if of in _REPEATED else column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _order_by_prefix(of: pa.ChunkedArray, prefix: pa.ChunkedArray) -> pa.Array | None:
    """The order by image and prefix; None where prefixes do not tell the annotations of an image apart."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if prefix.null_count or len(of) == 0 or pc.max(of).as_py() >> (64 - _BITS):
        return _order(of, prefix) if len(of) == 0 else None
    key = pc.shift_left(of.cast(pa.uint64()), integers([_BITS], pa.uint64())[0])
    key = pc.bit_wise_or(key, prefix).combine_chunks()
    order = pc.array_sort_indices(key)
    ordered = key.take(order)
    return None if pc.any(pc.equal(ordered[1:], ordered[:-1])).as_py() else order


def _order(of: pa.ChunkedArray, key: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.sort_indices(pa.table({"of": of, "key": key}), [("of", "ascending"), ("key", "ascending")])
