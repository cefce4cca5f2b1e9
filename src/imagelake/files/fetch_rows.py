"""What the files of a frame's rows hold, as columns of an Arrow table in place of the URIs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from imagelake.errors import ImagelakeError, NotFound, UsageError
from imagelake.files.access import Options, locate
from imagelake.files.outcome import ERROR, Outcome, RowError, error_table, row_error
from imagelake.files.row_frames import Frame, row_ids
from imagelake.files.threads import in_order
from imagelake.storage.base import Storage

READ_ERRORS = (ImagelakeError, OSError)
"""What reading or writing one file may raise without any other file being worse off."""


@dataclass(frozen=True)
class FileContent:
    """What is asked of a file, with one request, and the Arrow type of the answer."""

    read: Callable[[Storage, str], Any]
    type: pa.DataType


@dataclass(frozen=True, eq=False)
class FetchedRows:
    """All rows in their order; where a file could not be read its value is null and an error names the row."""

    table: pa.Table
    errors: tuple[RowError, ...]
    first_row: int

    def outcome(self) -> Outcome:
        """The rows that went well, and the errors of the others."""
        errors = error_table(self.errors)
        if not self.errors:
            return Outcome(self.table, errors)
        failed = {error.row - self.first_row for error in self.errors}
        is_fine = pa.array([row not in failed for row in range(self.table.num_rows)], pa.bool_())
        return Outcome(self.table.filter(is_fine), errors)

    def with_error_column(self) -> pa.Table:
        """All rows, and a column `error`: null where a row went well."""
        messages: list[str | None] = [None] * self.table.num_rows
        for error in self.errors:
            messages[error.row - self.first_row] = str(error)
        return self.table.append_column(ERROR, pa.array(messages, pa.string()))


def fetch_rows(
    frame: Frame, columns: tuple[str, ...], content: FileContent, options: Options, first_row: int = 0
) -> FetchedRows:
    """The frame with the content of each file in place of its URI; files of a row that has failed are not asked for.

    Errors name rows counted from `first_row`.
    """
    ids = row_ids(frame)
    errors: dict[int, RowError] = {}
    arrays = {name: frame.column(name) for name in frame.names if name not in columns}
    for column in columns:
        uris = frame.values(column)
        rows = [row for row in range(len(frame)) if row not in errors]
        values: list[Any] = [None] * len(frame)
        attempt = partial(_attempt, content, options)
        with in_order(attempt, (uris[row] for row in rows), options.s3.connections) as results:
            for row, result in zip(rows, results, strict=True):
                if isinstance(result, Exception):
                    errors[row] = row_error(first_row + row, ids[row], result, column, uris[row])
                else:
                    values[row] = result
        arrays[column] = pa.array(values, content.type)
    table = pa.table({name: arrays[name] for name in frame.names})
    return FetchedRows(table, tuple(errors[row] for row in sorted(errors)), first_row)


def check_no_error_column(frame: Frame) -> None:
    """UsageError when a column has the name that errors take."""
    if ERROR in frame.names:
        raise UsageError(f"the column {ERROR!r} is needed for errors", hint="rename it")


def _attempt(content: FileContent, options: Options, uri: object) -> Any:
    try:
        return content.read(*locate(uri, options))
    except READ_ERRORS as error:
        return error


def _read_blob(storage: Storage, path: str) -> bytes:
    return storage.read(path)


def _read_size(storage: Storage, path: str) -> int:
    stat = storage.stat(path)
    if stat is None:
        raise NotFound(f"{storage.uri(path)} does not exist")
    return stat.length


BLOB = FileContent(_read_blob, pa.large_binary())
"""The bytes; 64-bit offsets, as a column may hold more than 2 GiB."""

SIZE = FileContent(_read_size, pa.int64())
"""The size in bytes, without reading any."""
