"""Opening an upload: what is at a path or URI, taken as one of the kinds of `storage.source`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from imagelake.digest import nfc
from imagelake.errors import NotFound, UploadRejected
from imagelake.storage.base import TEMP_PREFIX
from imagelake.storage.local import LocalStorage, path_from_uri
from imagelake.storage.names import check_distinct, check_path
from imagelake.storage.s3_uri import is_s3
from imagelake.storage.source import (
    ANNOTATION_SUFFIXES,
    FolderTree,
    Ignored,
    Member,
    Source,
    arranged,
    check_folder,
)
from imagelake.storage.source_archive import archive_source
from imagelake.storage.source_s3 import s3_source

if TYPE_CHECKING:
    from imagelake.settings import IngestSettings, S3Settings


def open_source(
    uri: str, limits: IngestSettings, s3: S3Settings | None = None, only: frozenset[str] | None = None
) -> Source:
    """The upload at a path, a `file:` or an `s3:` URI; of a folder, only these paths if any are given.

    UploadRejected when it cannot be taken as a whole, NotFound when absent.
    """
    if is_s3(uri):
        return s3_source(uri, limits, s3, only)
    path = path_from_uri(uri).absolute()
    if path.is_dir():
        return _folder_source(path, limits, only)
    if not path.is_file():
        raise NotFound(f"{uri} does not exist" if not path.exists() else f"{uri} is neither a file nor a folder")
    place = path.resolve()  # a link to an upload is followed, links inside one are not
    if path.suffix.lower() in ANNOTATION_SUFFIXES:
        return _file_source(path.name, place)
    return archive_source(LocalStorage(place.parent), place.name, limits)


def _folder_source(folder: Path, limits: IngestSettings, only: frozenset[str] | None) -> Source:
    odd: list[Ignored] = []
    files: list[Member] = []
    total = 0
    for found in _walk(folder):
        if only is not None and found.path not in only:
            continue
        check_path(found.path, "folder")
        if isinstance(found, Ignored):
            odd.append(found)
            continue
        files.append(found)
        total += found.length
        check_folder(str(folder), len(files), total, limits)
    check_distinct((m.path for m in files), (), "folder")
    members, wrapper, junk = arranged(files, "folder")
    tree = FolderTree({m.path: m for m in members}, folder)
    size = sum(m.length for m in members)
    return Source("folder", folder.as_uri(), members, (*odd, *junk), wrapper, size, None, tree)


def _file_source(name: str, place: Path) -> Source:
    check_path(name, "file")
    found = place.stat()
    member = Member(nfc(name), place.name, found.st_size, mtime_ns=found.st_mtime_ns)
    stamp = f"{found.st_size}-{found.st_mtime_ns}"
    tree = FolderTree({member.path: member}, place.parent)
    return Source("file", place.as_uri(), (member,), (), "", found.st_size, stamp, tree)


def _walk(folder: Path) -> Iterator[Member | Ignored]:
    """Every file below a folder; links are not followed."""
    stack, skip = [str(folder)], len(str(folder).rstrip("/")) + 1
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                found = list(entries)
        except PermissionError as error:
            raise UploadRejected(
                f"{error.filename} cannot be listed: permission denied", rule="folder.unreadable"
            ) from None
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                stack.append(entry.path)
            elif not entry.name.startswith(TEMP_PREFIX):
                yield _found(entry, entry.path[skip:])


def _found(entry: os.DirEntry[str], path: str) -> Member | Ignored:
    facts = entry.stat(follow_symlinks=False)
    if stat.S_ISREG(facts.st_mode):
        return Member(nfc(path), path, facts.st_size, mtime_ns=facts.st_mtime_ns)
    return Ignored(nfc(path), 0, "link" if stat.S_ISLNK(facts.st_mode) else "special")
