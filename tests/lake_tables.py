"""Delta tables made without Spark, as the store creates them from the specs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from imagelake.tables.spec import TableSpec

Row = dict[str, Any]

_SCALARS = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", "UTC"),
}


def arrow_type(ddl: str) -> pa.DataType:
    """The Arrow type of a Spark DDL type."""
    if ddl.startswith("array<"):
        return pa.list_(arrow_type(ddl[6:-1]))
    if ddl.startswith("struct<"):
        return pa.struct([(f.split(":")[0], arrow_type(f.split(":")[1])) for f in ddl[7:-1].split(",")])
    return _SCALARS[ddl]


def arrow_schema(spec: TableSpec) -> pa.Schema:
    """The Arrow schema of a table."""
    return pa.schema([(c.name, arrow_type(c.type)) for c in spec.columns])


def create_table(root: Path, spec: TableSpec, schema_number: int = 1) -> None:
    """An empty Delta table as the store creates it."""
    properties = {"delta.checkpointInterval": "100", "imagelake.schema": str(schema_number)}
    if spec.append_only:
        properties["delta.appendOnly"] = "true"
    if spec.stats:
        properties["delta.dataSkippingStatsColumns"] = ",".join(spec.stats)
    DeltaTable.create(
        str(root / spec.path),
        arrow_schema(spec),
        partition_by=list(spec.partition_by),
        configuration=properties,
        raise_if_key_not_exists=False,
    )


def write_rows(root: Path, spec: TableSpec, rows: Sequence[Row]) -> None:
    """One append of rows; what a row does not name is null."""
    table = pa.Table.from_pylist([{c.name: r.get(c.name) for c in spec.columns} for r in rows], arrow_schema(spec))
    write_deltalake(str(root / spec.path), table, mode="append")


def replace_rows(root: Path, spec: TableSpec, dataset: str, rows: Iterable[Row]) -> None:
    """One commit that replaces a dataset's rows."""
    table = pa.Table.from_pylist([{c.name: r.get(c.name) for c in spec.columns} for r in rows], arrow_schema(spec))
    write_deltalake(str(root / spec.path), table, mode="overwrite", predicate=f"dataset = '{dataset}'")
