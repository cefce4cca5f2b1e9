"""The answer to a query, as Python values, Arrow, pandas or Polars."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from imagelake.client.delta.connection import stream
from imagelake.errors import UsageError

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow as pa

ANSWER = "_answer"
"""The table that holds the answer, with columns c0, c1, …: a query may name two columns alike."""

_ZONED = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True, eq=False)
class SqlResult:
    """The answer to a query, computed once; each form of it is made when it is asked for.

    `columns` are the names. Forms: `rows`, `as_json`, `to_arrow`, `to_arrow_reader`, `to_pandas`,
    `to_polars`.
    """

    columns: tuple[str, ...]
    _con: duckdb.DuckDBPyConnection = field(repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets: the values, without the connection."""
        return {"columns": self.columns, "rows": self.rows, "_arrow": self._arrow}

    @cached_property
    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """Rows of Python values; times in UTC, without saying so."""
        types = [str(column[1]) for column in self._con.execute(f"FROM {ANSWER} LIMIT 0").description or ()]
        items = ", ".join(_without_zone(f"c{i}", t) for i, t in enumerate(types))
        return tuple(self._con.execute(f"SELECT {items} FROM {ANSWER}").fetchall())

    def as_json(self) -> dict[str, Any]:
        """{"columns": [...], "rows": [[...]]}: times as ISO 8601, bytes as hex, NaN and infinities as null."""
        return {"columns": list(self.columns), "rows": [[json_value(v) for v in row] for row in self.rows]}

    def to_arrow(self) -> pa.Table:
        """The answer as an Arrow table, in the types of DuckDB's result."""
        return self._arrow

    def to_pandas(self) -> pandas.DataFrame:
        """The answer as a DataFrame; integers and booleans in pandas' nullable types, so that null makes no floats.

        UsageError when pandas is not installed.
        """
        pd = _package("pandas")
        arrow = self.to_arrow()
        nullable = {str(t): pd.api.types.pandas_dtype(name) for t, name in _NULLABLE.items()}
        return arrow.to_pandas(types_mapper=lambda t: nullable.get(str(t)))

    def to_polars(self) -> polars.DataFrame:
        """The answer as a DataFrame of Polars; UsageError when it is not installed, or two columns have one name."""
        pl = _package("polars")
        self.require_unique_names()
        return pl.from_arrow(self.to_arrow())

    def require_unique_names(self) -> None:
        """UsageError when two columns have one name."""
        twice = [name for name, count in Counter(self.columns).items() if count > 1]
        if twice:
            raise UsageError(f"two columns are called {twice[0]!r}", hint="AS gives a column another name")

    def to_arrow_reader(self) -> pa.RecordBatchReader:
        """The answer in batches, for what does not fit into memory; no other form may be asked for before its end."""
        import pyarrow as pa

        if "_arrow" in self.__dict__:
            return self._arrow.to_reader()
        reader = stream(self._con, f"FROM {ANSWER}")
        fields = [f.with_name(n) for f, n in zip(reader.schema, self.columns, strict=True)]
        schema = pa.schema(fields)
        return pa.RecordBatchReader.from_batches(
            schema, (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in reader)
        )

    @cached_property
    def _arrow(self) -> pa.Table:
        return self.to_arrow_reader().read_all()


_NULLABLE = {
    **{f"int{bits}": f"Int{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UInt{bits}" for bits in (8, 16, 32, 64)},
    "bool": "boolean",
}
"""Arrow types whose nulls pandas would turn into floats or objects, and the dtypes that keep them."""


def _package(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        hint = f"pip install {name}; to_arrow() needs nothing more"
        raise UsageError(f"to_{name}() needs {name}, which is not installed", hint=hint) from None


def _without_zone(column: str, kind: str) -> str:
    """A column with zoned times turned to UTC: Python's DuckDB needs a further package to hand them over."""
    if kind == _ZONED:
        return f"make_timestamp(epoch_us({column}))"
    return f"{column}::VARCHAR" if _ZONED in kind else column


def json_value(value: Any) -> Any:
    """A value in JSON's terms: times as ISO 8601, bytes as hex, NaN and infinities as null, anything else as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(k): json_value(v) for k, v in value.items()}
    return [json_value(v) for v in value] if isinstance(value, list | tuple) else str(value)
