"""Small pieces of DuckDB SQL, and what of Delta's log tells which files are worth opening."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Row = dict[str, Any]

Prune = Callable[[Row], bool]
"""Whether a file may hold rows of interest, from its log row: `num_records`, `min.<column>`, `max.<column>`, …"""

_SCALARS = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "binary": "BLOB",
    "timestamp": "TIMESTAMP",
}


def text(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def name(value: str) -> str:
    """A name as an SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def texts(values: Sequence[str]) -> str:
    """Strings as the inside of an SQL list."""
    return ", ".join(text(v) for v in values)


def sql_type(ddl: str) -> str:
    """DuckDB's name of a Spark DDL type; times are TIMESTAMP in UTC."""
    if ddl.startswith("array<"):
        return sql_type(ddl[6:-1]) + "[]"
    if ddl.startswith("struct<"):
        fields = (f.split(":") for f in ddl[7:-1].split(","))
        return "STRUCT(" + ", ".join(f"{name(n)} {sql_type(t)}" for n, t in fields) + ")"
    return _SCALARS[ddl]


def select(columns: Sequence[str]) -> str:
    """Columns as the list of a SELECT."""
    return ", ".join(name(c) for c in columns)


def within(column: str, source: str) -> str:
    """Condition: a column has a value that a source has in its column of the same name.

    As a filter, not as a join: DuckDB guesses far too few rows for a log of many files, and would join from its side.
    """
    return f"coalesce({name(column)} IN (SELECT {name(column)} FROM {source}), false)"


def outside(column: str, source: str) -> str:
    """Condition: a column has no value that a source has in its column of the same name."""
    return f"NOT {within(column, source)}"


def no_glob(path: str) -> str:
    """The path with the characters DuckDB takes for patterns made plain."""
    return path.replace("*", "[*]").replace("?", "[?]")


def holding(column: str, value: int) -> Prune:
    """Files that may hold rows with that value in an integer column."""

    def may(log: Row) -> bool:
        low, high = log.get(f"min.{column}"), log.get(f"max.{column}")
        return low is None or high is None or low <= value <= high

    return may


def beyond(column: str, value: int) -> Prune:
    """Files that may hold rows with more than that value in an integer column."""

    def may(log: Row) -> bool:
        high = log.get(f"max.{column}")
        return high is None or high > value

    return may


def any_of(column: str, values: Sequence[str]) -> Prune:
    """Files that may hold rows with one of these values in a text column; Delta may shorten the bounds it keeps."""

    def may(log: Row) -> bool:
        low, high = log.get(f"min.{column}"), log.get(f"max.{column}")
        return low is None or high is None or any(low <= value <= high for value in values)

    return may
