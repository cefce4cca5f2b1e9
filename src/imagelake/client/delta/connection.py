"""DuckDB's connections of this process, which forked workers neither use nor end.

DuckDB runs threads, and a fork does not copy them: a worker that collects an inherited connection waits for them, or
crashes. So a worker keeps what it inherited until it ends.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_ROWS_AT_ONCE = 122_880
"""A row group of DuckDB's."""

_open: WeakSet[object] = WeakSet()
_inherited: list[object] = []


def connect() -> duckdb.DuckDBPyConnection:
    """A connection in memory; what does not fit lies in the folder for temporary files."""
    import duckdb

    spill = Path(tempfile.gettempdir()) / f"imagelake-{uuid.uuid4().hex}"  # made when needed, DuckDB removes it
    options: dict[str, Any] = {"temp_directory": str(spill), "autoinstall_known_extensions": "false"}
    con = duckdb.connect(":memory:", config=options)
    _keep_in_forks()
    _open.add(con)
    con.execute("SET enable_progress_bar = false")  # it would be printed among the answer of a command
    con.execute("SET parquet_metadata_cache = true")  # active files never change, and most queries read twice
    return con


def stream(con: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    """The result of a query bit by bit; no other query of the connection may run before its end."""
    reader = con.sql(sql).to_arrow_reader(_ROWS_AT_ONCE)
    _open.add(reader)
    return reader


@cache
def _keep_in_forks() -> None:
    os.register_at_fork(after_in_child=lambda: _inherited.extend(_open))
