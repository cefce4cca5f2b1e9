"""The way in: a reader of the files that a row or a frame names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from imagelake.errors import UsageError
from imagelake.files.access import DEFAULTS, Options
from imagelake.files.fetch_rows import BLOB, SIZE, fetch_rows
from imagelake.files.outcome import Outcome
from imagelake.files.row_frames import Frame, as_frame, as_row, row_frame
from imagelake.files.temp_dirs import RowFiles, frame_temp_dirs, row_temp_dir
from imagelake.files.uri_columns import uri_columns


@dataclass(frozen=True, eq=False)
class FrameReader:
    """Reads the files of a frame; `columns` hold their URIs, all others are data."""

    frame: Frame
    columns: tuple[str, ...]
    options: Options

    def into_blob_table(self) -> Outcome:
        """The frame with the bytes of each file in place of its URI (large_binary), all in memory."""
        return fetch_rows(self.frame, self.columns, BLOB, self.options).outcome()

    def into_blob_tables(self, batch_size: int) -> Iterator[Outcome]:
        """As `into_blob_table`, so many rows at a time; errors count rows over all of them."""
        if batch_size < 1:
            raise UsageError(f"batch_size = {batch_size}: at least 1 row")
        return (
            fetch_rows(self.frame.slice(start, batch_size), self.columns, BLOB, self.options, start).outcome()
            for start in range(0, len(self.frame), batch_size)
        )

    def into_size_table(self) -> Outcome:
        """The frame with the size in bytes of each file in place of its URI (int64); no file is read."""
        return fetch_rows(self.frame, self.columns, SIZE, self.options).outcome()

    def into_temp_dir(self) -> AbstractContextManager[Iterator[RowFiles]]:
        """Row by row, the files of each in a fresh temporary folder that goes when the next row is asked for.

        A row that cannot be read comes with its `error` and no paths.
        """
        return frame_temp_dirs(self.frame, self.columns, self.options)


@dataclass(frozen=True, eq=False)
class RowReader:
    """Reads the files of one row; `columns` hold their URIs, all others are data."""

    row: Mapping[str, Any]
    columns: tuple[str, ...]
    options: Options

    def into_blob_table(self) -> Outcome:
        """The row with the bytes of each file in place of its URI (large_binary)."""
        return self._as_frame().into_blob_table()

    def into_size_table(self) -> Outcome:
        """The row with the size in bytes of each file in place of its URI (int64)."""
        return self._as_frame().into_size_table()

    def into_temp_dir(self) -> AbstractContextManager[dict[str, Path]]:
        """The files in a temporary folder, by column, until the block ends; one that cannot be read is raised."""
        return row_temp_dir(self.row, self.columns, self.options)

    def _as_frame(self) -> FrameReader:
        return FrameReader(row_frame(self.row), self.columns, self.options)


@overload
def reader(source: Mapping[str, Any], options: Options = ..., columns: Iterable[str] | None = ...) -> RowReader: ...


@overload
def reader(source: Any, options: Options = ..., columns: Iterable[str] | None = ...) -> Any: ...


def reader(source: Any, options: Options = DEFAULTS, columns: Iterable[str] | None = None) -> FrameReader | RowReader:
    """A reader of the files of one row (a mapping or a pandas Series) or of a pandas or Arrow frame.

    `columns` hold the URIs; None takes those whose values all look like file:// or s3:// URIs or like paths with a
    suffix. UsageError names the columns when none does.
    """
    row = as_row(source)
    if row is not None:
        return RowReader(row, uri_columns(row_frame(row), columns), options)
    frame = as_frame(source)
    return FrameReader(frame, uri_columns(frame, columns), options)
