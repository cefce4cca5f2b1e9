"""Arrow columns in as little memory as may be."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from imagelake.client.delta.tables import Tables

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


def plain_values(column: pa.ChunkedArray) -> list[Any]:
    """A column as a list, where it holds texts in a dictionary or int64 as to_pylist gives it, but ten times faster."""
    import pyarrow as pa

    values: list[Any] = []
    for chunk in column.chunks:
        if isinstance(chunk, pa.DictionaryArray) and not chunk.null_count and len(chunk.dictionary) <= len(chunk):
            texts = chunk.dictionary.to_pylist()
            values += map(texts.__getitem__, _integers(chunk.indices))
        elif chunk.type == pa.int64() and not chunk.null_count:
            values += _integers(chunk)
        else:
            values += chunk.to_pylist()
    return values


def _integers(numbers: pa.Array) -> list[int]:
    """The numbers of a signed array without nulls."""
    values = array("bhiq"[numbers.type.bit_width.bit_length() - 4])
    start, end = numbers.offset * values.itemsize, (numbers.offset + len(numbers)) * values.itemsize
    values.frombytes(memoryview(numbers.buffers()[1])[start:end])
    return values.tolist()


def release(tables: Tables) -> None:
    """Give memory that was freed back to the system: allocators keep it, in all as much as the samples take."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    tables.con.execute("RESET memory_limit")  # DuckDB's allocator gives back what it may when a limit is set
