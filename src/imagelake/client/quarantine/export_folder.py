"""A folder that appears whole or not at all, and names from uploads that cannot leave it."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from imagelake.errors import ImagelakeError, UploadRejected, UsageError
from imagelake.uploads.file_names import check_path

UNSAFE = "unsafe-names"
"""The folder of files whose own names cannot be written here."""


def check_free(folder: Path) -> None:
    """UsageError unless there is nothing at this path, or an empty folder."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is not a folder", hint="name a folder that is not there yet")
    if folder.is_dir() and next(folder.iterdir(), None) is not None:
        raise UsageError(f"{folder} is not empty", hint="name another folder; nothing is written into a used one")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder to fill, which gets its name at the end; nothing is left of it when filling fails."""
    check_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        filling = folder.parent / f".{folder.name[:100]}.{uuid.uuid4().hex}"
        filling.mkdir()
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}", hint="name another folder") from None
    try:
        yield filling
        check_free(folder)
        filling.rename(folder)
    except OSError as error:
        raise ImagelakeError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(filling, ignore_errors=True)


def safe_path(path: str, reserved: Collection[str]) -> str:
    """The path itself, where it stays in its folder and is none of the reserved names; else a made-up one."""
    try:
        check_path(path, "file")
        if path.casefold().partition("/")[0] not in reserved:
            return path
    except UploadRejected:
        pass  # the name is replaced below
    return f"{UNSAFE}/{hashlib.sha256(path.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def write(root: Path, path: str, data: bytes) -> None:
    """Write a file below the folder, with the folders it lies in."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
