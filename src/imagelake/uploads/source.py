"""An upload as it is given: a zip, a folder, or one annotation file. All look alike from here on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.core.upload_paths import is_junk, wrapper_folder
from imagelake.errors import UploadRejected
from imagelake.storage.base import Storage
from imagelake.storage.local_files import open_regular
from imagelake.storage.uri import is_s3
from imagelake.storage.zip.member import read_member
from imagelake.uploads.archive import ArchiveIndex
from imagelake.uploads.file_names import shown
from imagelake.uploads.member_rows import IGNORED, Ignored, Members
from imagelake.uploads.source_rows import Rows, batches, rows_where, sorted_rows, texts

if TYPE_CHECKING:
    from imagelake.config.settings import IngestSettings
    from imagelake.formats.base import Tree

ANNOTATION_SUFFIXES = (".json", ".xml", ".txt", ".yaml", ".yml")


@dataclass(frozen=True)
class ArchiveLocation:
    """An archive's place, its index, and its ETag when it is in a bucket."""

    storage: Storage
    path: str
    index: ArchiveIndex
    etag: str | None


@dataclass(frozen=True)
class UploadSource:
    """An upload: its files sorted by path, what was left out, the wrapper folder that was stripped, its size in bytes.

    `stamp` tells a change of a source that is one file (size and mtime or ETag); None for a folder. `archive` is where
    a zip is.
    """

    kind: Literal["zip", "folder", "file"]
    uri: str
    members: Members
    ignored: Rows[Ignored]
    wrapper: str
    bytes: int
    stamp: str | None
    tree: Tree
    archive: ArchiveLocation | None = None

    @property
    def etag(self) -> str | None:
        """The ETag of an archive in a bucket."""
        return self.archive.etag if self.archive else None

    def uris(self, members: Members) -> pa.ChunkedArray:
        """The object that the bytes of each member are in."""
        pieces = [
            pa.array(map(self._uri, paths.to_pylist()), pa.string()) for paths in batches(members.table["raw_path"])
        ]
        return pa.chunked_array(pieces, pa.string())

    def _uri(self, raw_path: str) -> str:
        if self.kind != "folder":
            return self.uri
        return f"{self.uri}/{raw_path if is_s3(self.uri) else quote(raw_path)}"


@dataclass(frozen=True)
class _MemberTree:
    """What every `formats.base.Tree` over members has in common; `read` is each one's own."""

    members: Members

    @cached_property
    def paths(self) -> Sequence[str]:
        """All paths, sorted."""
        return tuple(self.members.paths())

    def size(self, path: str) -> int:
        """Size in bytes, as it was listed, or as the archive declares it."""
        return self.members.find(path).length


@dataclass(frozen=True)
class ArchiveTree(_MemberTree):
    """`formats.base.Tree` over an archive."""

    storage: Storage
    archive: str

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file, or its first `limit` bytes; UploadRejected (`file.…`) when it is not as declared."""
        entry = self.members.find(path).entry
        assert entry is not None
        return read_member(self.storage, self.archive, entry, limit)


@dataclass(frozen=True)
class UploadFolderTree(_MemberTree):
    """`formats.base.Tree` over files below a local folder."""

    folder: Path

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file, or its first `limit` bytes."""
        place = self.folder / self.members.find(path).raw_path
        with os.fdopen(open_regular(place, os.O_NOFOLLOW), "rb") as file:
            return file.read() if limit is None else file.read(limit)


@dataclass(frozen=True)
class ObjectTree(_MemberTree):
    """`formats.base.Tree` over objects below a prefix."""

    storage: Storage

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The object, or its first `limit` bytes."""
        member = self.members.find(path)
        return self.storage.read(member.raw_path, 0, member.length if limit is None else min(limit, member.length))


def arranged(files: pa.Table, kind: str) -> tuple[Members, str, pa.Table]:
    """Of MEMBERS: those that are no junk, by path without the wrapper folder; that folder; and the junk as IGNORED."""
    is_kept = pa.chunked_array(
        [pa.array([not is_junk(path) for path in paths.to_pylist()], pa.bool_()) for paths in batches(files["path"])],
        pa.bool_(),
    )
    members, junk = rows_where(files, is_kept), files.filter(pc.invert(is_kept))
    if not members.num_rows:
        raise _no_files(junk["path"], kind)
    wrapper = wrapper_folder(texts(members["path"]))
    if wrapper:
        inside = pc.starts_with(members["path"], wrapper)
        stripped = pc.if_else(inside, pc.utf8_slice_codeunits(members["path"], len(wrapper)), members["path"])
        members = members.set_column(0, "path", stripped)
    reasons = pa.array(["junk"] * len(junk), pa.string())
    ignored = pa.table([junk["path"], junk["length"], reasons], schema=IGNORED)
    return Members(sorted_rows(members, "path")), wrapper, ignored


def _no_files(junk: pa.ChunkedArray, kind: str) -> UploadRejected:
    only = ""
    if len(junk):
        example = shown(junk[0].as_py())
        only = f": {len(junk)} in hidden folders or left behind by systems, such as {example}"
    return UploadRejected(f"the upload holds no files{only}", rule=f"{kind}.empty")


def check_folder(name: str, files: int, total: int, limits: IngestSettings) -> None:
    """UploadRejected when so many files, or so many bytes, are more than the settings allow."""
    if files > limits.max_entries or total > limits.max_total_bytes:
        raise UploadRejected(
            f"{name} holds more than {limits.max_entries} files or {limits.max_total_bytes} bytes",
            hint="split the upload, or raise ingest.max_entries or ingest.max_total_bytes",
            rule="folder.too_large",
        )
