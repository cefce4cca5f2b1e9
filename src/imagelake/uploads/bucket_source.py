"""Uploads in a bucket: a zip, an annotation file, or all objects below a prefix."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from imagelake.core.digest import nfc
from imagelake.errors import NotFound
from imagelake.storage import open_storage
from imagelake.storage.base import Stat, Storage
from imagelake.storage.uri import join, split
from imagelake.uploads.file_names import check_distinct, check_path
from imagelake.uploads.member_rows import MEMBERS, Ignored, member_row, nothing_ignored, one_member
from imagelake.uploads.source import ANNOTATION_SUFFIXES, ObjectTree, UploadSource, arranged, check_folder
from imagelake.uploads.source_rows import RowBuilder, Rows, sum_of
from imagelake.uploads.zip_source import archive_source

if TYPE_CHECKING:
    from imagelake.config.settings import IngestSettings, S3Settings


def s3_source(uri: str, limits: IngestSettings, s3: S3Settings | None, only: frozenset[str] | None) -> UploadSource:
    """The upload at an `s3:` URI: the object of that name, else the prefix."""
    bucket, key = split(uri)
    storage = open_storage(f"s3://{bucket}", s3)
    stat = _object(storage, uri, key)
    if stat is None:
        return _prefix_source(open_storage(uri, s3), limits, only)
    folder, _, name = key.rpartition("/")
    if PurePosixPath(name).suffix.lower() not in ANNOTATION_SUFFIXES:
        return archive_source(storage, key, limits)
    check_path(name, "file")
    members = one_member(member_row(nfc(name), name, stat.length, etag=stat.etag))
    tree = ObjectTree(members, open_storage(f"s3://{join(bucket, folder)}", s3))
    stamp = f"{stat.length}-{stat.etag}"
    return UploadSource("file", storage.uri(key), members, nothing_ignored(), "", stat.length, stamp, tree)


def check_there(uri: str, s3: S3Settings | None) -> None:
    """NotFound unless an object has this name, or objects lie below it."""
    bucket, key = split(uri)
    if _object(open_storage(f"s3://{bucket}", s3), uri, key) is None:
        below = open_storage(uri, s3)
        if next(iter(below.list()), None) is None:
            raise _absent(below)


def _object(storage: Storage, uri: str, key: str) -> Stat | None:
    """What the bucket has under that very name; a URI that ends in a slash means what lies below it."""
    return storage.stat(key) if key and not uri.endswith("/") else None


def _absent(storage: Storage) -> NotFound:
    return NotFound(f"{storage.root} does not exist", hint="name an object, or a prefix with objects below it")


def _prefix_source(storage: Storage, limits: IngestSettings, only: frozenset[str] | None) -> UploadSource:
    files = RowBuilder(MEMBERS)
    total = 0
    for stat in storage.list():
        if only is not None and stat.path not in only:
            continue
        check_path(stat.path, "folder")
        files.append(member_row(nfc(stat.path), stat.path, stat.length, etag=stat.etag))
        total += stat.length
        check_folder(storage.root, len(files), total, limits)
    if not len(files):
        raise _absent(storage)
    table = files.table()
    check_distinct(table["path"], (), "folder")
    members, wrapper, junk = arranged(table, "folder")
    size = sum_of(members.table["length"])
    return UploadSource(
        "folder", storage.root, members, Rows(junk, Ignored), wrapper, size, None, ObjectTree(members, storage)
    )
