"""An upload as it is given: a zip, a folder, or one annotation file. All look alike from here on."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from imagelake.digest import nfc
from imagelake.errors import ImagelakeError, NotFound, UploadRejected
from imagelake.keys import is_junk, wrapper_folder
from imagelake.storage.archive import Entry, Index, index, read_archive
from imagelake.storage.base import Storage
from imagelake.storage.local import TEMP_PREFIX, LocalStorage, open_regular, path_from_uri
from imagelake.storage.member import read_member
from imagelake.storage.names import check_distinct, check_path, shown

if TYPE_CHECKING:
    from imagelake.formats.base import Tree
    from imagelake.settings import IngestSettings

ANNOTATION_SUFFIXES = (".json", ".xml", ".txt", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an upload: path without the wrapper folder (NFC, /), path as given, bytes after decoding.

    For a member of an archive `entry` says where it is there; for a file, `mtime_ns` when it was last changed.
    """

    path: str
    raw_path: str
    length: int
    entry: Entry | None = None
    mtime_ns: int | None = None


@dataclass(frozen=True)
class Ignored:
    """A file left out: path with the wrapper folder (NFC), bytes, and why: junk, link, or special (device, pipe)."""

    path: str
    length: int
    reason: Literal["junk", "link", "special"]


@dataclass(frozen=True)
class Source:
    """An upload: its files sorted by path, what was left out, the wrapper folder that was stripped, its size in bytes.

    `stamp` tells a change of a source that is one file (size and mtime); None for a folder. `index` is that of an
    archive.
    """

    kind: Literal["zip", "folder", "file"]
    uri: str
    members: tuple[Member, ...]
    ignored: tuple[Ignored, ...]
    wrapper: str
    bytes: int
    stamp: str | None
    tree: Tree
    index: Index | None = None

    def member_uri(self, member: Member) -> str:
        """The object a member's bytes are in: the archive, or the file itself."""
        return f"{self.uri}/{quote(member.raw_path)}" if self.kind == "folder" else self.uri


@dataclass(frozen=True)
class ArchiveTree:
    """`formats.base.Tree` over an archive."""

    storage: Storage
    archive: str
    members: Mapping[str, Member]

    @property
    def paths(self) -> Sequence[str]:
        """All paths, sorted."""
        return tuple(self.members)

    def size(self, path: str) -> int:
        """Size in bytes, as the archive declares it."""
        return _member(self.members, path).length

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file, or its first `limit` bytes; UploadRejected (`file.…`) when it is not as declared."""
        entry = _member(self.members, path).entry
        assert entry is not None
        return read_member(self.storage, self.archive, entry, limit)


@dataclass(frozen=True)
class FolderTree:
    """`formats.base.Tree` over files below a folder."""

    folder: Path
    members: Mapping[str, Member]

    @property
    def paths(self) -> Sequence[str]:
        """All paths, sorted."""
        return tuple(self.members)

    def size(self, path: str) -> int:
        """Size in bytes, as it was listed."""
        return _member(self.members, path).length

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file, or its first `limit` bytes."""
        place = self.folder / _member(self.members, path).raw_path
        with os.fdopen(open_regular(place, os.O_NOFOLLOW), "rb") as file:
            return file.read() if limit is None else file.read(limit)


def open_source(uri: str, limits: IngestSettings) -> Source:
    """The upload at a path or `file:` URI. UploadRejected when it cannot be taken as a whole, NotFound when absent."""
    path = path_from_uri(uri).absolute()
    if path.is_dir():
        return _folder_source(path, limits)
    if not path.is_file():
        raise NotFound(f"{uri} does not exist" if not path.exists() else f"{uri} is neither a file nor a folder")
    place = path.resolve()  # a link to an upload is followed, links inside one are not
    if path.suffix.lower() in ANNOTATION_SUFFIXES:
        return _file_source(path.name, place)
    return _archive_source(LocalStorage(place.parent), place.name, limits)


def copied_source(source: Source, storage: Storage, path: str) -> Source:
    """The upload read from a copy of its archive, which is not read anew but must have the same index."""
    assert source.index is not None
    if index(storage, path, source.index.offset) != source.index:
        raise ImagelakeError(
            f"{source.uri} changed while it was copied", hint="run the same command again once it is written"
        )
    members = {m.path: m for m in source.members}
    return replace(source, uri=storage.uri(path), tree=ArchiveTree(storage, path, members))


def _archive_source(storage: Storage, path: str, limits: IngestSettings) -> Source:
    archive = read_archive(storage, path, limits)
    files = [Member(e.path, e.path, e.size, entry=e) for e in archive.entries if not e.is_dir]
    members, wrapper, ignored = _arranged(files, "archive")
    found = storage.stat(path)
    assert found is not None
    stamp = f"{found.length}-{found.etag or found.mtime_ns}"
    tree = ArchiveTree(storage, path, {m.path: m for m in members})
    return Source("zip", storage.uri(path), members, ignored, wrapper, found.length, stamp, tree, archive.index)


def _folder_source(folder: Path, limits: IngestSettings) -> Source:
    odd: list[Ignored] = []
    files: list[Member] = []
    total = 0
    for found in _walk(folder):
        check_path(found.path, "folder")
        if isinstance(found, Ignored):
            odd.append(found)
            continue
        files.append(found)
        total += found.length
        if len(files) > limits.max_entries or total > limits.max_total_bytes:
            raise UploadRejected(
                f"{folder} holds more than {limits.max_entries} files or {limits.max_total_bytes} bytes",
                hint="split the upload, or raise ingest.max_entries or ingest.max_total_bytes",
                rule="folder.too_large",
            )
    check_distinct((m.path for m in files), (), "folder")
    members, wrapper, junk = _arranged(files, "folder")
    tree = FolderTree(folder, {m.path: m for m in members})
    size = sum(m.length for m in members)
    return Source("folder", folder.as_uri(), members, (*odd, *junk), wrapper, size, None, tree)


def _file_source(name: str, place: Path) -> Source:
    check_path(name, "file")
    found = place.stat()
    member = Member(nfc(name), place.name, found.st_size, mtime_ns=found.st_mtime_ns)
    stamp = f"{found.st_size}-{found.st_mtime_ns}"
    tree = FolderTree(place.parent, {member.path: member})
    return Source("file", place.as_uri(), (member,), (), "", found.st_size, stamp, tree)


def _arranged(files: Sequence[Member], kind: str) -> tuple[tuple[Member, ...], str, tuple[Ignored, ...]]:
    """Members sorted by path without the wrapper folder, that folder, and the junk."""
    kept: list[Member] = []
    junk: list[Ignored] = []
    for m in files:
        if is_junk(m.path):
            junk.append(Ignored(m.path, m.length, "junk"))
        else:
            kept.append(m)
    if not kept:
        raise UploadRejected("the upload holds no files", rule=f"{kind}.empty")
    wrapper = wrapper_folder(m.path for m in kept)
    cut = len(wrapper)
    members = sorted(
        (Member(m.path[cut:], m.raw_path, m.length, m.entry, m.mtime_ns) for m in kept), key=attrgetter("path")
    )
    return tuple(members), wrapper, tuple(junk)


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


def _member(members: Mapping[str, Member], path: str) -> Member:
    try:
        return members[path]
    except KeyError:
        raise NotFound(f"the upload has no file {shown(path)}") from None
