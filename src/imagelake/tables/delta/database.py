"""DuckDB in this process, for queries over rows that it can read by itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

MEMORY_MB = 512


@contextmanager
def database(megabytes: int = MEMORY_MB) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database that takes so much memory; what does not fit lies in a folder that goes with it."""
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"temp_directory": folder, "memory_limit": f"{megabytes}MB"}
        with duckdb.connect(":memory:", config=options) as connection:
            connection.execute("SET enable_progress_bar = false")  # it would be printed among the answer of a command
            yield connection
