"""Rows with named columns, whatever holds them: a pandas DataFrame, an Arrow table, or a single row."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from imagelake.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pandas import DataFrame

ID = "id"
"""The column that names a row in errors and in output folders."""

_ARROW_ERRORS = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError)


class Frame(Protocol):
    """Rows with named columns; picklable."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in their order."""
        ...

    def __len__(self) -> int: ...

    def values(self, name: str) -> list[Any]:
        """A column as Python objects, None where a value is missing."""
        ...

    def column(self, name: str) -> pa.Array | pa.ChunkedArray:
        """A column as Arrow has it; UsageError when it cannot be converted."""
        ...

    def slice(self, start: int, count: int) -> Frame:
        """The rows from `start`, at most `count`."""
        ...

    def take(self, rows: Sequence[int]) -> Frame:
        """The rows at these positions."""
        ...


def as_frame(source: Any) -> Frame:
    """The rows of a pandas DataFrame, an Arrow table or record batch. UsageError for anything else."""
    frame: Frame
    pandas = sys.modules.get("pandas")  # a DataFrame exists only where pandas has been imported
    if pandas is not None and isinstance(source, pandas.DataFrame):
        frame = PandasFrame(source)
    elif isinstance(source, pa.RecordBatch):
        frame = ArrowFrame(pa.Table.from_batches([source]))
    elif isinstance(source, pa.Table):
        frame = ArrowFrame(source)
    else:
        allowed = "a pandas DataFrame or Series, an Arrow table or a mapping"
        raise UsageError(f"rows are {allowed}, not {type(source).__name__}")
    return _checked(frame)


def as_row(source: Any) -> Mapping[str, Any] | None:
    """The row that a mapping or a pandas Series is; None for anything else."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.Series):
        return dict(source.items())
    return source if isinstance(source, Mapping) else None


def row_frame(row: Mapping[str, Any]) -> Frame:
    """A single row as a frame."""
    return _checked(RowFrame(row))


def records(frame: Frame) -> Iterator[dict[str, Any]]:
    """Row by row as mappings of Python objects."""
    columns = [frame.values(name) for name in frame.names]
    return (dict(zip(frame.names, values, strict=True)) for values in zip(*columns, strict=True))


def row_ids(frame: Frame) -> list[Any]:
    """The column `id`, or as many None."""
    return frame.values(ID) if ID in frame.names else [None] * len(frame)


def import_pandas() -> Any:
    """The module pandas; ConfigError with the way to install it when it is missing."""
    try:
        import pandas
    except ImportError:
        raise ConfigError("pandas is not installed", hint='pip install "pandas>=2.2,<3"') from None
    return pandas


@dataclass(frozen=True, eq=False)
class PandasFrame:
    """The rows of a pandas DataFrame; its index is left out."""

    data: DataFrame

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in their order."""
        return tuple(self.data.columns)

    def __len__(self) -> int:
        return len(self.data)

    def values(self, name: str) -> list[Any]:
        """A column as Python objects; NaN, NaT and NA are None."""
        series = self.data[name]
        pairs = zip(series.tolist(), series.isna().tolist(), strict=True)
        return [None if is_missing else value for value, is_missing in pairs]

    def column(self, name: str) -> pa.Array | pa.ChunkedArray:
        """A column as Arrow infers it; UsageError when it cannot be converted."""
        try:
            return pa.Table.from_pandas(self.data[[name]], preserve_index=False)[name]
        except _ARROW_ERRORS as error:
            raise _not_arrow(name, error) from None

    def slice(self, start: int, count: int) -> PandasFrame:
        """The rows from `start`, at most `count`."""
        return PandasFrame(self.data.iloc[start : start + count])

    def take(self, rows: Sequence[int]) -> PandasFrame:
        """The rows at these positions."""
        return PandasFrame(self.data.iloc[list(rows)])


@dataclass(frozen=True, eq=False)
class ArrowFrame:
    """The rows of an Arrow table."""

    data: pa.Table

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in their order."""
        return tuple(self.data.column_names)

    def __len__(self) -> int:
        return int(self.data.num_rows)

    def values(self, name: str) -> list[Any]:
        """A column as Python objects."""
        values: list[Any] = self.data[name].to_pylist()
        return values

    def column(self, name: str) -> pa.ChunkedArray:
        """A column as it is."""
        return self.data[name]

    def slice(self, start: int, count: int) -> ArrowFrame:
        """The rows from `start`, at most `count`."""
        return ArrowFrame(self.data.slice(start, count))

    def take(self, rows: Sequence[int]) -> ArrowFrame:
        """The rows at these positions."""
        return ArrowFrame(self.data.take(pa.array(rows, pa.int64())))


@dataclass(frozen=True, eq=False)
class RowFrame:
    """A single row."""

    data: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in their order."""
        return tuple(self.data)

    def __len__(self) -> int:
        return 1

    def values(self, name: str) -> list[Any]:
        """The one value; NaN is None."""
        value = self.data[name]
        return [None if isinstance(value, float) and value != value else value]

    def column(self, name: str) -> pa.Array:
        """The one value as Arrow infers it; UsageError when it cannot be converted."""
        try:
            return pa.array(self.values(name))
        except _ARROW_ERRORS as error:
            raise _not_arrow(name, error) from None

    def slice(self, start: int, count: int) -> Frame:
        """The row, or none."""
        return ArrowFrame(pa.table({name: self.column(name) for name in self.names}).slice(start, count))

    def take(self, rows: Sequence[int]) -> Frame:
        """The row, as often as it is named."""
        return self.slice(0, 1).take(rows)


def _checked(frame: Frame) -> Frame:
    odd = [name for name in frame.names if not isinstance(name, str)]
    if odd:
        raise UsageError(f"column names are text, not {odd[0]!r} ({type(odd[0]).__name__})")
    several = [name for name, count in Counter(frame.names).items() if count > 1]
    if several:
        raise UsageError(f"several columns are named {several[0]!r}", hint="rename or drop all but one")
    return frame


def _not_arrow(name: str, error: Exception) -> UsageError:
    return UsageError(f"column {name!r} has no Arrow type: {error}", hint="convert it, or leave it out")
