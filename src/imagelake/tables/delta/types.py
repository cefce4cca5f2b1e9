"""The column types of tables as Arrow and as Delta's log have them, without Java."""

from __future__ import annotations

from functools import cache
from typing import Any

import pyarrow as pa

from imagelake.tables.spec import TableSpec

_ARROW = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}

_DELTA = {"bigint": "long", "int": "integer"}
"""Delta's names where they are not Spark's."""


@cache
def arrow_schema(spec: TableSpec) -> pa.Schema:
    """The spec's columns as Arrow has them, times in UTC."""
    return pa.schema([(column.name, arrow_type(column.type)) for column in spec.columns])


def arrow_type(ddl: str) -> pa.DataType:
    """A type in Spark's DDL as Arrow has it; KeyError for one that no table of the lake has."""
    if ddl.startswith("array<"):
        return pa.list_(pa.field("element", arrow_type(ddl[6:-1])))
    if ddl.startswith("struct<"):
        return pa.struct([(name, arrow_type(kind)) for name, kind in _members(ddl)])
    return _ARROW[ddl]


def delta_schema(spec: TableSpec) -> dict[str, Any]:
    """The schema as Delta's log has it, with the columns' sentences as comments."""
    fields = [_delta_field(column.name, column.type, {"comment": column.doc}) for column in spec.columns]
    return {"type": "struct", "fields": fields}


def table_of(spec: TableSpec, rows: Any) -> pa.Table:
    """A few rows as a table of the spec; a name a row lacks is null."""
    data = [{name: row.get(name) for name in spec.names} for row in rows]
    return pa.Table.from_pylist(data, schema=arrow_schema(spec))


def with_all_columns(spec: TableSpec, rows: pa.Table) -> pa.Table:
    """The rows with the spec's columns and types; a column they do not have is null."""
    there = set(rows.column_names)
    columns = [
        rows[field.name].cast(field.type) if field.name in there else pa.nulls(len(rows), field.type)
        for field in arrow_schema(spec)
    ]
    return pa.table(columns, schema=arrow_schema(spec))


def _delta_field(name: str, ddl: str, metadata: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "type": _delta_type(ddl), "nullable": True, "metadata": metadata}


def _delta_type(ddl: str) -> Any:
    if ddl.startswith("array<"):
        return {"type": "array", "elementType": _delta_type(ddl[6:-1]), "containsNull": True}
    if ddl.startswith("struct<"):
        return {"type": "struct", "fields": [_delta_field(name, kind, {}) for name, kind in _members(ddl)]}
    return _DELTA.get(ddl, ddl)


def _members(ddl: str) -> list[tuple[str, str]]:
    """Names and types of a struct whose members are no structs themselves."""
    return [(name.strip(), kind.strip()) for name, _, kind in (m.partition(":") for m in ddl[7:-1].split(","))]
