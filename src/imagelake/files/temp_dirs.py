"""The files of rows as files of a temporary folder, for programs that take paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

from imagelake.files.access import Options, locate
from imagelake.files.fetch_rows import READ_ERRORS
from imagelake.files.outcome import RowError, row_error
from imagelake.files.row_frames import ID, Frame, records
from imagelake.files.threads import in_order

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}")
_MOST_CHARACTERS = 100
_PREFIX = "imagelake-"


@dataclass(frozen=True)
class RowFiles:
    """A row of a frame: its position from 0, its values, and where its files lie until the next row is asked for.

    With an `error` there are no paths.
    """

    row: int
    values: Mapping[str, Any]
    paths: Mapping[str, Path]
    error: RowError | None = None


def file_names(row: Mapping[str, Any], columns: Iterable[str]) -> dict[str, str]:
    """A file name for each column: the column's name made safe, and the suffix of its URI.

    No two are one, also on a disk that does not tell upper from lower case.
    """
    names = tuple(columns)
    stems: dict[str, str] = {}
    used: set[str] = set()
    for column in sorted(names, key=lambda name: _UNSAFE.search(name) is not None):  # safe names stay as they are
        base = stem = _UNSAFE.sub("_", column)[:_MOST_CHARACTERS] or "_"
        number = 1
        while stem.casefold() in used:
            number += 1
            stem = f"{base}-{number}"
        used.add(stem.casefold())
        stems[column] = stem
    return {column: stems[column] + _suffix(row[column]) for column in names}


def download(row: int, values: Mapping[str, Any], columns: Iterable[str], folder: Path, options: Options) -> RowFiles:
    """The files of a row in an existing folder; the first that cannot be read is the row's error."""
    paths = {column: folder / name for column, name in file_names(values, columns).items()}
    for column, path in paths.items():
        try:
            _copy(values[column], path, options)
        except READ_ERRORS as error:
            return RowFiles(row, values, {}, row_error(row, values.get(ID), error, column, values[column]))
    return RowFiles(row, values, paths)


@contextmanager
def row_temp_dir(values: Mapping[str, Any], columns: tuple[str, ...], options: Options) -> Iterator[dict[str, Path]]:
    """A folder with the files of one row, by column; the first that cannot be read is raised."""
    with TemporaryDirectory(prefix=_PREFIX) as folder:
        paths = {column: Path(folder) / name for column, name in file_names(values, columns).items()}
        copy = partial(_copy_column, values, paths, options)
        with in_order(copy, columns, options.s3.connections) as copied:
            yield {column: paths[column] for column in copied}


@contextmanager
def frame_temp_dirs(frame: Frame, columns: tuple[str, ...], options: Options) -> Iterator[Iterator[RowFiles]]:
    """Row by row, each in a folder of its own that goes when the next row is asked for; some are read ahead."""
    with TemporaryDirectory(prefix=_PREFIX) as folder:
        download_row = partial(_download_numbered, Path(folder), columns, options)
        with in_order(download_row, enumerate(records(frame)), options.s3.connections) as rows:
            yield _one_at_a_time(Path(folder), rows)


def _one_at_a_time(folder: Path, rows: Iterator[RowFiles]) -> Iterator[RowFiles]:
    for files in rows:
        yield files
        if (folder / str(files.row)).exists():
            rmtree(folder / str(files.row))


def _download_numbered(
    folder: Path, columns: tuple[str, ...], options: Options, numbered: tuple[int, Mapping[str, Any]]
) -> RowFiles:
    row, values = numbered
    own = folder / str(row)
    own.mkdir()
    return download(row, values, columns, own, options)


def _copy_column(values: Mapping[str, Any], paths: Mapping[str, Path], options: Options, column: str) -> str:
    _copy(values[column], paths[column], options)
    return column


def _copy(uri: object, target: Path, options: Options) -> None:
    storage, path = locate(uri, options)
    target.write_bytes(storage.read(path))


def _suffix(uri: object) -> str:
    if not isinstance(uri, str | Path):
        return ""
    path = str(uri)
    suffix = PurePosixPath(unquote(path) if path.startswith("file:") else path).suffix
    return suffix if _SUFFIX.fullmatch(suffix) else ""
