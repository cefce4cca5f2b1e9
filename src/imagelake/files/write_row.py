"""Writing the files of a row: `<into>/<id>/<name>`."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, cast

from imagelake.errors import UploadRejected, UsageError
from imagelake.files.access import DEFAULTS, Options
from imagelake.files.row_frames import ID
from imagelake.storage.base import TEMP_PREFIX, Storage
from imagelake.uploads.file_names import check_path, shown

FileSource = bytes | bytearray | memoryview | Path | BinaryIO
"""What a file can be written from."""

_CLEAN = (
    "no absolute path, drive, backslash, control character, '.', '..' or empty part, no / at the end, "
    f"no part that begins with {TEMP_PREFIX} or has more than 255 bytes"
)
_PIECE = 1 << 20


def is_file_source(value: object) -> bool:
    """Whether a value is the content of a file: bytes, a Path, or a file object."""
    return isinstance(value, bytes | bytearray | memoryview | Path) or hasattr(value, "read")


def write_files(
    files: Mapping[str, FileSource], into_path: str | Path, id: str | int, options: Options = DEFAULTS
) -> dict[str, Any]:
    """Write each file as `<into_path>/<id>/<name>` and return the row that names them: `id`, and a URI by name.

    Files appear whole, in the order of the mapping; a file that holds the same bytes already is left alone, another is
    replaced. An id may have folders, `cats/7`. UsageError, before anything is written, for ids and names that are
    empty, absolute or hidden, and for those with `..` or control characters.
    """
    folder = folder_of(id)
    for name, source in files.items():
        _check_name(name)
        _check_source(name, source)
    storage = options.storage(str(into_path))
    row: dict[str, Any] = {ID: id}
    for name, source in files.items():
        _write(storage, f"{folder}/{name}", source)
        row[name] = storage.uri(f"{folder}/{name}")
    return row


def folder_of(row_id: object) -> str:
    """The folder of a row's files; UsageError for what is no id."""
    if isinstance(row_id, bool) or not isinstance(row_id, str | Integral):
        raise UsageError(f"an id is text or a whole number, not {type(row_id).__name__}")
    folder = str(row_id)
    _check_relative("id", folder)
    return folder


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise UsageError(f"a file name is text, not {type(name).__name__}")
    _check_relative("file name", name)
    if "/" in name:
        raise UsageError(f"the file name {shown(name)} has a folder", hint="folders belong into the id")
    if name == ID:
        raise UsageError(f"the file name {ID!r} is that of the column of ids", hint="choose another name")


def _check_relative(kind: str, path: str) -> None:
    try:
        check_path(path, "file")
    except UploadRejected:
        raise UsageError(f"the {kind} {shown(path)} is not a clean relative path", hint=_CLEAN) from None
    if path.endswith("/") or any(part.startswith(TEMP_PREFIX) for part in path.split("/")):
        raise UsageError(f"the {kind} {shown(path)} is not the name of a file that others see", hint=_CLEAN)


def _check_source(name: str, source: object) -> None:
    if not is_file_source(source) or isinstance(source, io.TextIOBase):
        kind = "a file opened as text" if isinstance(source, io.TextIOBase) else type(source).__name__
        raise UsageError(
            f"the file {shown(name)} is {kind}", hint="give bytes, a pathlib.Path, or a file opened in binary mode"
        )


def _write(storage: Storage, path: str, source: FileSource) -> None:
    if isinstance(source, Path):
        _write_path(storage, path, source)
    elif isinstance(source, bytes | bytearray | memoryview):
        _write_bytes(storage, path, bytes(source))
    else:
        with NamedTemporaryFile(prefix="imagelake-") as spool:
            shutil.copyfileobj(source, spool, _PIECE)
            spool.flush()
            _write_path(storage, path, Path(spool.name))


def _write_bytes(storage: Storage, path: str, data: bytes) -> None:
    if not _holds(storage, path, io.BytesIO(data), len(data)):
        storage.put(path, data)


def _write_path(storage: Storage, path: str, source: Path) -> None:
    if source.is_file():
        with source.open("rb") as stream:
            if _holds(storage, path, stream, source.stat().st_size):
                return
    storage.put_file(source, path)


def _holds(storage: Storage, path: str, content: BinaryIO, length: int) -> bool:
    """Whether the storage has these bytes under that path; an ETag that is the MD5 of the object saves reading it."""
    stat = storage.stat(path)
    if stat is None or stat.length != length:
        return False
    if stat.etag is not None and "-" not in stat.etag:
        return hashlib.file_digest(cast(Any, content), _md5).hexdigest() == stat.etag
    with storage.open(path) as written:
        return _same_bytes(written, content)


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def _same_bytes(one: BinaryIO, other: BinaryIO) -> bool:
    while piece := one.read(_PIECE):
        if piece != other.read(_PIECE):
            return False
    return not other.read(1)
