"""The outcome of the rows of a frame: a table of successful rows, and a table of failed ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from imagelake.errors import ImagelakeError

ERROR = "error"
"""The column that says why a row failed, where failed rows stay among the others."""

ERRORS = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("column", pa.string()),
        ("uri", pa.string()),
        ("error", pa.string()),
        ("message", pa.string()),
    ]
)
"""The columns of RowError."""

_MOST_CHARACTERS = 2000  # what a library raises may quote a whole file


@dataclass(frozen=True)
class RowError:
    """Why a row failed: its position from 0, its id, the column and URI that were at work, error class and message.

    `column` and `uri` are None where the row failed as a whole.
    """

    row: int
    id: str | None
    column: str | None
    uri: str | None
    error: str
    message: str

    def __str__(self) -> str:
        return f"{self.error}: {self.message}"


def row_error(row: int, row_id: object, error: Exception, column: str | None = None, uri: object = None) -> RowError:
    """The error of a row as plain text."""
    return RowError(
        row,
        None if row_id is None else _text(str(row_id)),
        column if column is None else _text(column),
        _text(str(uri)) if isinstance(uri, str | Path) else None,
        type(error).__name__,
        _text(str(error)),
    )


def error_table(errors: Iterable[RowError]) -> pa.Table:
    """The errors as columns."""
    return pa.Table.from_pylist([asdict(error) for error in errors], ERRORS)


@dataclass(frozen=True, eq=False)
class Outcome:
    """`table`: the rows that went well, in their order. `errors`: the others, one row each, with the columns ERRORS.

    Together they have as many rows as went in.
    """

    table: pa.Table
    errors: pa.Table

    def raise_if_failed(self) -> Outcome:
        """Itself when every row went well; ImagelakeError that names the first that failed."""
        raise_if_any(self.errors.slice(0, 1).to_pylist(), self.errors.num_rows, self.table.num_rows)
        return self


def raise_if_any(first: Iterable[Mapping[str, Any]], failed: int, succeeded: int) -> None:
    """ImagelakeError when there is a first failed row."""
    for error in first:
        name = f"row {error['row']}" + ("" if error["id"] is None else f" (id {error['id']})")
        column = "" if error["column"] is None else f", column {error['column']!r}"
        raise ImagelakeError(
            f"{failed} of {failed + succeeded} rows failed; {name}{column}: {error['error']}: {error['message']}",
            hint="`errors` holds a row for each",
        )


def _text(value: str) -> str:
    """Text that every encoder takes, of bounded length."""
    cut = value if len(value) <= _MOST_CHARACTERS else value[: _MOST_CHARACTERS - 1] + "…"
    return cut.encode("utf-8", "backslashreplace").decode()
