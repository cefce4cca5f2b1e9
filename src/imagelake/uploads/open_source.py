"""Opening an upload: what is at a path or URI, taken as one of the kinds of `storage.source`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from imagelake.core.digest import nfc
from imagelake.errors import NotFound, UploadRejected
from imagelake.storage.base import TEMP_PREFIX
from imagelake.storage.local import LocalStorage, path_from_uri
from imagelake.storage.uri import is_s3
from imagelake.uploads.bucket_source import s3_source
from imagelake.uploads.file_names import check_distinct, check_path
from imagelake.uploads.member_rows import (
    IGNORED,
    MEMBERS,
    Ignored,
    Member,
    member_row,
    nothing_ignored,
    one_member,
)
from imagelake.uploads.source import (
    ANNOTATION_SUFFIXES,
    UploadFolderTree,
    UploadSource,
    arranged,
    check_folder,
)
from imagelake.uploads.source_rows import RowBuilder, Rows, sum_of
from imagelake.uploads.zip_source import archive_source

if TYPE_CHECKING:
    from imagelake.config.settings import IngestSettings, S3Settings


def open_source(
    uri: str, limits: IngestSettings, s3: S3Settings | None = None, only: frozenset[str] | None = None
) -> UploadSource:
    """The upload at a path, a `file:` or an `s3:` URI; of a folder, only these paths if any are given.

    UploadRejected when it cannot be taken as a whole, NotFound when absent.
    """
    source = s3_source(uri, limits, s3, only) if is_s3(uri) else _local_source(uri, limits, only)
    pa.default_memory_pool().release_unused()  # what was sorted and compared is several times what is left
    return source


def _local_source(uri: str, limits: IngestSettings, only: frozenset[str] | None) -> UploadSource:
    path = path_from_uri(uri).absolute()
    if path.is_dir():
        return _folder_source(path, limits, only)
    if not path.is_file():
        raise NotFound(f"{uri} does not exist" if not path.exists() else f"{uri} is neither a file nor a folder")
    place = path.resolve()  # a link to an upload is followed, links inside one are not
    if path.suffix.lower() in ANNOTATION_SUFFIXES:
        return _file_source(path.name, place)
    return archive_source(LocalStorage(place.parent), place.name, limits)


def _folder_source(folder: Path, limits: IngestSettings, only: frozenset[str] | None) -> UploadSource:
    odd, files = RowBuilder(IGNORED), RowBuilder(MEMBERS)
    total = 0
    for entry in _walk(folder):
        if only is not None and entry.path not in only:
            continue
        check_path(entry.path, "folder")
        if isinstance(entry, Ignored):
            odd.append((entry.path, entry.length, entry.reason))
            continue
        files.append(member_row(entry.path, entry.raw_path, entry.length, mtime_ns=entry.mtime_ns))
        total += entry.length
        check_folder(str(folder), len(files), total, limits)
    table = files.table()
    check_distinct(table["path"], (), "folder")
    members, wrapper, junk = arranged(table, "folder")
    ignored = Rows(pa.concat_tables([odd.table(), junk]), Ignored)
    size = sum_of(members.table["length"])
    return UploadSource(
        "folder", folder.as_uri(), members, ignored, wrapper, size, None, UploadFolderTree(members, folder)
    )


def _file_source(name: str, place: Path) -> UploadSource:
    check_path(name, "file")
    stat = place.stat()
    members = one_member(member_row(nfc(name), place.name, stat.st_size, mtime_ns=stat.st_mtime_ns))
    stamp = f"{stat.st_size}-{stat.st_mtime_ns}"
    tree = UploadFolderTree(members, place.parent)
    return UploadSource("file", place.as_uri(), members, nothing_ignored(), "", stat.st_size, stamp, tree)


def _walk(folder: Path) -> Iterator[Member | Ignored]:
    """Every file below a folder; links are not followed."""
    stack, skip = [str(folder)], len(str(folder).rstrip("/")) + 1
    while stack:
        try:
            with os.scandir(stack.pop()) as scan:
                entries = list(scan)
        except PermissionError as error:
            raise UploadRejected(
                f"{error.filename} cannot be listed: permission denied", rule="folder.unreadable"
            ) from None
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                stack.append(entry.path)
            elif not entry.name.startswith(TEMP_PREFIX):
                yield _member_or_ignored(entry, entry.path[skip:])


def _member_or_ignored(entry: os.DirEntry[str], path: str) -> Member | Ignored:
    stat_result = entry.stat(follow_symlinks=False)
    if stat.S_ISREG(stat_result.st_mode):
        return Member(nfc(path), path, stat_result.st_size, mtime_ns=stat_result.st_mtime_ns)
    return Ignored(nfc(path), 0, "link" if stat.S_ISLNK(stat_result.st_mode) else "special")
