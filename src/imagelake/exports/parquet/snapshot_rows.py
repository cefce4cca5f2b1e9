"""The rows of the four tables: those of the views of `sql`, in one order, without what only verification needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.query.view_columns import COLUMNS
from imagelake.client.query.views import Scope, content
from imagelake.client.sql_text import name, select
from imagelake.tables import gold, silver

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = ("categories", "splits", "images", "annotations")
"""The small ones first: whoever may not write is told at once."""

_HIDDEN = ("row_hash",)
_SPECS = {
    "images": silver.IMAGES,
    "annotations": silver.ANNOTATIONS,
    "categories": silver.CATEGORIES,
    "splits": gold.SPLIT_LOG,
}
_ORDER = {
    "images": ("image_key",),
    "annotations": ("image_key", "annotation_key"),
    "categories": ("train_index", "name"),
    "splits": ("image_key",),
}
_COMPUTED = {"uploaded_split": "string", "oriented_width": "int", "oriented_height": "int"}

_MEMORY = "1GB"
"""What DuckDB sorts in; the rest lies in its folder for temporary files."""


@dataclass(frozen=True, eq=False)
class RowSource:
    """A version or draft, and a condition on image_key for a part of it: categories always come whole."""

    tables: Tables
    target: Target
    among: str | None = None


def columns(table: str) -> tuple[str, ...]:
    """The columns of a table, in order."""
    return tuple(column for column in COLUMNS[table] if column not in _HIDDEN)


@cache
def schema(table: str) -> pa.Schema:
    """The columns of a table with their types; every one may be null."""
    import pyarrow as pa

    from imagelake.tables.delta.types import arrow_type

    types = {column.name: column.type for column in _SPECS[table].columns} | _COMPUTED
    return pa.schema([(column, arrow_type(types[column])) for column in columns(table)])


def query(source: RowSource, table: str) -> str:
    """SQL, in brackets, for the rows of a table in any order; IntegrityError when the version lacks rows."""
    rows = content(Scope(source.tables, source.target, frozenset), table)
    where = f" WHERE {source.among}" if source.among and table != "categories" else ""
    return f"(SELECT {select(columns(table))} FROM {rows}{where})"


def order(table: str) -> str:
    """What the rows of a table are sorted by, as the list of an ORDER BY."""
    return ", ".join(f"{name(column)} NULLS LAST" for column in _ORDER[table])


def batches(source: RowSource, table: str) -> Iterator[pa.RecordBatch]:
    """The rows of a table in their order, of its schema; no other query may run before their end."""
    yield from sorted_batches(source, f"SELECT * FROM {query(source, table)} ORDER BY {order(table)}")


def sorted_batches(source: RowSource, sql: str) -> Iterator[pa.RecordBatch]:
    """The result of a query that sorts many rows, in bounded memory."""
    source.tables.con.execute(f"SET memory_limit = '{_MEMORY}'")
    yield from source.tables.batches(sql)
