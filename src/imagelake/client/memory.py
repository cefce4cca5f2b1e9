"""Arrow columns in as little memory as may be."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

from imagelake.client.tables import Tables

if TYPE_CHECKING:
    import pyarrow as pa


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array; combine_chunks copies also where there is one chunk."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def taken_column(column: pa.ChunkedArray, order: pa.Array) -> pa.ChunkedArray:
    """The values of a column in another order."""
    import pyarrow as pa

    return pa.chunked_array([pa.nulls(len(order))]) if column.type == pa.null() else column.take(order)


def taken(table: pa.Table, order: pa.Array) -> pa.Table:
    """The rows of a table in another order."""
    import pyarrow as pa

    return pa.table([taken_column(column, order) for column in table.columns], names=table.column_names)


def integers(values: Iterable[int], of: pa.DataType) -> pa.Array:
    """An array without pa.array, which imports pandas where that is installed: half a second."""
    import pyarrow as pa

    data = array("i" if of.bit_width == 32 else "q", values)
    return pa.Array.from_buffers(of, len(data), [None, pa.py_buffer(data)])


def release(tables: Tables) -> None:
    """Give memory that was freed back to the system: allocators keep it, in all as much as the samples take."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    tables.con.execute("RESET memory_limit")  # DuckDB's allocator gives back what it may when a limit is set
