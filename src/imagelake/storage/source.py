"""An upload as it is given: a zip, a folder, or one annotation file. All look alike from here on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from imagelake.errors import NotFound, UploadRejected
from imagelake.keys import is_junk, wrapper_folder
from imagelake.storage.archive import Entry, Index
from imagelake.storage.base import Storage
from imagelake.storage.local import open_regular
from imagelake.storage.member import read_member
from imagelake.storage.names import shown
from imagelake.storage.s3_uri import is_s3

if TYPE_CHECKING:
    from imagelake.formats.base import Tree
    from imagelake.settings import IngestSettings

ANNOTATION_SUFFIXES = (".json", ".xml", ".txt", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an upload: path without the wrapper folder (NFC, /), path as given, bytes after decoding.

    For a member of an archive `entry` says where it is there; for a file `mtime_ns` when it was last changed, for an
    object of a bucket `etag` which version it is.
    """

    path: str
    raw_path: str
    length: int
    entry: Entry | None = None
    mtime_ns: int | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Ignored:
    """A file left out: path with the wrapper folder (NFC), bytes, and why: junk, link, or special (device, pipe)."""

    path: str
    length: int
    reason: Literal["junk", "link", "special"]


@dataclass(frozen=True)
class Located:
    """An archive's place, its index, and its ETag when it is in a bucket."""

    storage: Storage
    path: str
    index: Index
    etag: str | None


@dataclass(frozen=True)
class Source:
    """An upload: its files sorted by path, what was left out, the wrapper folder that was stripped, its size in bytes.

    `stamp` tells a change of a source that is one file (size and mtime or ETag); None for a folder. `archive` is where
    a zip is.
    """

    kind: Literal["zip", "folder", "file"]
    uri: str
    members: tuple[Member, ...]
    ignored: tuple[Ignored, ...]
    wrapper: str
    bytes: int
    stamp: str | None
    tree: Tree
    archive: Located | None = None

    @property
    def etag(self) -> str | None:
        """The ETag of an archive in a bucket."""
        return self.archive.etag if self.archive else None

    def member_uri(self, member: Member) -> str:
        """The object a member's bytes are in: the archive, or the file itself."""
        if self.kind != "folder":
            return self.uri
        return f"{self.uri}/{member.raw_path if is_s3(self.uri) else quote(member.raw_path)}"


@dataclass(frozen=True)
class _Members:
    """What every `formats.base.Tree` over members has in common; `read` is each one's own."""

    members: Mapping[str, Member]

    @property
    def paths(self) -> Sequence[str]:
        """All paths, sorted."""
        return tuple(self.members)

    def size(self, path: str) -> int:
        """Size in bytes, as it was listed, or as the archive declares it."""
        return _member(self.members, path).length


@dataclass(frozen=True)
class ArchiveTree(_Members):
    """`formats.base.Tree` over an archive."""

    storage: Storage
    archive: str

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file, or its first `limit` bytes; UploadRejected (`file.…`) when it is not as declared."""
        entry = _member(self.members, path).entry
        assert entry is not None
        return read_member(self.storage, self.archive, entry, limit)


@dataclass(frozen=True)
class FolderTree(_Members):
    """`formats.base.Tree` over files below a local folder."""

    folder: Path

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file, or its first `limit` bytes."""
        place = self.folder / _member(self.members, path).raw_path
        with os.fdopen(open_regular(place, os.O_NOFOLLOW), "rb") as file:
            return file.read() if limit is None else file.read(limit)


@dataclass(frozen=True)
class ObjectTree(_Members):
    """`formats.base.Tree` over objects below a prefix."""

    storage: Storage

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The object, or its first `limit` bytes."""
        member = _member(self.members, path)
        return self.storage.read(member.raw_path, 0, member.length if limit is None else min(limit, member.length))


def arranged(files: Sequence[Member], kind: str) -> tuple[tuple[Member, ...], str, tuple[Ignored, ...]]:
    """Members sorted by path without the wrapper folder, that folder, and the junk."""
    kept: list[Member] = []
    junk: list[Ignored] = []
    for m in files:
        if is_junk(m.path):
            junk.append(Ignored(m.path, m.length, "junk"))
        else:
            kept.append(m)
    if not kept:
        only = (
            f": {len(junk)} in hidden folders or left behind by systems, such as {shown(junk[0].path)}" if junk else ""
        )
        raise UploadRejected(f"the upload holds no files{only}", rule=f"{kind}.empty")
    wrapper = wrapper_folder([m.path for m in kept])
    if wrapper:
        kept = [Member(m.path.removeprefix(wrapper), m.raw_path, m.length, m.entry, m.mtime_ns, m.etag) for m in kept]
    members = sorted(kept, key=attrgetter("path"))
    return tuple(members), wrapper, tuple(junk)


def check_folder(name: str, files: int, total: int, limits: IngestSettings) -> None:
    """UploadRejected when so many files, or so many bytes, are more than the settings allow."""
    if files > limits.max_entries or total > limits.max_total_bytes:
        raise UploadRejected(
            f"{name} holds more than {limits.max_entries} files or {limits.max_total_bytes} bytes",
            hint="split the upload, or raise ingest.max_entries or ingest.max_total_bytes",
            rule="folder.too_large",
        )


def _member(members: Mapping[str, Member], path: str) -> Member:
    try:
        return members[path]
    except KeyError:
        raise NotFound(f"the upload has no file {shown(path)}") from None
