"""A function over the files of a row, run over the rows of a frame: files in, files out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from imagelake.errors import UsageError
from imagelake.files.access import DEFAULTS, Options
from imagelake.files.outcome import ERROR, RowError, error_table, raise_if_any, row_error
from imagelake.files.row_frames import ID, Frame, as_frame, import_pandas, records, row_ids
from imagelake.files.temp_dirs import download
from imagelake.files.threads import in_order
from imagelake.files.uri_columns import uri_columns
from imagelake.files.write_row import folder_of, is_file_source, write_files

if TYPE_CHECKING:
    from pandas import DataFrame, Series

log = logging.getLogger(__name__)

RowFunction = Callable[[Mapping[str, Any], Mapping[str, Path]], Mapping[str, Any]]
"""Takes the values of a row and its files by column; returns the output row by name: bytes, Path and file objects are
files to write, anything else is data."""


@dataclass(frozen=True)
class WriteOptions:
    """Where the files of output rows go: `<into_path>/<id>/<name>`, and how that place is reached."""

    into_path: str | Path
    options: Options = DEFAULTS


@dataclass(frozen=True, eq=False)
class PipelineResult:
    """`frame`: output rows, `id` first, in the order of the input. `errors`: a row for each that failed (ERRORS)."""

    frame: DataFrame
    errors: DataFrame

    def raise_if_failed(self) -> PipelineResult:
        """Itself when every row went well; ImagelakeError that names the first that failed."""
        first = [row for _, row in self.errors.head(1).iterrows()]
        raise_if_any(first, len(self.errors), len(self.frame))
        return self


@dataclass(frozen=True)
class OutputRow:
    """A row that went well; `files` names its columns of URIs."""

    values: Mapping[str, Any]
    files: frozenset[str]


@dataclass(frozen=True)
class Pipeline:
    """Reads the files of each row into a fresh temporary folder, calls `fn`, and writes what it returns.

    `fn(row, paths)` runs in `threads` threads at a time. The frame needs a column `id`; a row whose id an earlier row
    has fails. `columns` hold the URIs (None: detected in each frame); `options` say how they are reached (None: as
    the place to write to). Picklable when `fn` is.
    """

    fn: RowFunction
    write_options: WriteOptions
    options: Options | None = None
    columns: tuple[str, ...] | None = None
    threads: int = 4

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise UsageError(f"threads = {self.threads}: at least 1")

    def run(self, frame: DataFrame) -> PipelineResult:
        """The output rows, and the errors of those that failed."""
        pandas = import_pandas()
        rows = list(self._rows(as_frame(frame)))
        outputs = [row for row in rows if isinstance(row, OutputRow)]
        errors = [row for row in rows if isinstance(row, RowError)]
        return PipelineResult(
            pandas.DataFrame(_columns([row.values for row in outputs], _file_columns(outputs))),
            error_table(errors).to_pandas(),
        )

    def __call__(self, frame: DataFrame) -> DataFrame:
        """A row for each row, in order: what `run` gives, and a column `error`, null where the row went well."""
        pandas = import_pandas()
        source = as_frame(frame)
        rows = list(self._rows(source))
        values = [row.values if isinstance(row, OutputRow) else {} for row in rows]
        outputs = [row for row in rows if isinstance(row, OutputRow)]
        columns = _columns(values, _file_columns(outputs)) | {ID: pandas.Series(row_ids(source))}
        messages = [str(row) if isinstance(row, RowError) else None for row in rows]
        return pandas.DataFrame(columns | {ERROR: pandas.Series(messages, dtype="string")})

    def _rows(self, frame: Frame) -> Iterator[OutputRow | RowError]:
        if ID not in frame.names:
            names = ", ".join(map(repr, frame.names))
            raise UsageError(f"output rows are named by a column {ID!r}", hint=f"add one; the columns are {names}")
        if not len(frame):
            return
        columns = uri_columns(frame, self.columns)
        first_rows: dict[str, int] = {}
        numbered = (
            (row, values, first_rows.setdefault(str(values[ID]), row)) for row, values in enumerate(records(frame))
        )
        with in_order(partial(self._process, columns), numbered, self.threads) as rows:
            yield from rows

    def _process(self, columns: tuple[str, ...], item: tuple[int, Mapping[str, Any], int]) -> OutputRow | RowError:
        row, values, first_row = item
        try:
            folder_of(values[ID])
            if first_row != row:
                raise UsageError(f"row {first_row} has the same id", hint="make ids unique")
            with TemporaryDirectory(prefix="imagelake-") as folder:
                inputs = download(row, values, columns, Path(folder), self.options or self.write_options.options)
                return inputs.error or self._write(values[ID], self.fn(values, inputs.paths))
        except Exception as error:  # fn may raise anything, and a bad row must not fail the others
            log.debug("row %d failed", row, exc_info=True)
            return row_error(row, values[ID], error)

    def _write(self, row_id: Any, output: object) -> OutputRow:
        if not isinstance(output, Mapping):
            raise UsageError(f"fn returned {type(output).__name__}", hint="return a mapping of names to files and data")
        unnamed = [name for name in output if not isinstance(name, str)]
        if unnamed:
            raise UsageError(f"fn returned the name {unnamed[0]!r}", hint="names are text")
        reserved = [name for name in (ID, ERROR) if name in output]
        if reserved:
            raise UsageError(
                f"fn returned {reserved[0]!r}, a column that the pipeline fills", hint="choose another name"
            )
        files = {name: value for name, value in output.items() if is_file_source(value)}
        row = write_files(files, self.write_options.into_path, row_id, self.write_options.options)
        data = {name: value for name, value in output.items() if name not in files}
        return OutputRow({ID: row_id} | {name: (row | data)[name] for name in output}, frozenset(files))


def _file_columns(rows: Sequence[OutputRow]) -> frozenset[str]:
    """Columns that hold nothing but URIs."""
    files = frozenset(name for row in rows for name in row.files)
    return files - {name for row in rows for name in row.values if name not in row.files}


def _columns(rows: Sequence[Mapping[str, Any]], files: frozenset[str]) -> dict[str, Series]:
    """The rows as pandas columns: `id`, then the others as they first occur. URIs are strings: all may be null."""
    pandas = import_pandas()
    names = dict.fromkeys([ID, *(name for row in rows for name in row)])
    return {
        name: pandas.Series([row.get(name) for row in rows], dtype="string" if name in files else None)
        for name in names
    }
