"""A folder of this machine as storage."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from imagelake.errors import ConfigError, ImagelakeError, IntegrityError, NotFound, UsageError
from imagelake.storage.base import TEMP_PREFIX, Range, Stat, Unfinished
from imagelake.storage.blobs.local_writer import LocalBlobWriter
from imagelake.storage.leases.lock_record import FileLockRecord
from imagelake.storage.local_files import new_temp, open_regular, publish, sorted_entries, sync, sync_filesystem


def path_from_uri(uri: str) -> Path:
    """The local path a plain path or a `file:` URI names; ConfigError for any other scheme."""
    if not uri.startswith("file:"):
        scheme, found, _ = uri.partition("://")
        if found:
            raise ConfigError(
                f"{scheme}://: local paths, file:// and s3:// URIs are read", hint=f"copy {uri} to one of them first"
            )
        return Path(uri).expanduser()
    rest = uri.removeprefix("file:")
    if rest.startswith("//"):
        host, slash, tail = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise ConfigError(
                f"{uri} names the host {host!r}", hint="a local file URI has three slashes: file:///folder"
            )
        rest = slash + tail
    return Path(unquote(rest) or "/")


@dataclass(frozen=True)
class LocalStorage:
    """The Storage protocol over a folder, which need not exist yet.

    Files appear whole: they are written under a temporary name beside their place and then renamed, or linked when
    nothing may be replaced. Symbolic links below the root are not listed.

    What survives a power cut: `put` (marks, saves, settings) once it returns: the file is synced before it gets its
    name, and then its folders. So do `delete` and `delete_all`. Bytes in bulk (`put_file`, `copy`, `move`) do after
    `flush`, which syncs everything at once. `put_unsynced` promises nothing.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder.resolve())

    @property
    def root(self) -> str:
        """The root as a file:/// URI, percent-encoded, without a slash at its end."""
        return self.folder.as_uri().rstrip("/")

    def uri(self, path: str) -> str:
        """The full URI of a path, percent-encoded."""
        return f"{self.root}/{quote(path)}"

    def local_path(self, path: str) -> Path:
        """The place of a path on this machine; UsageError when it would lie outside the root."""
        if "\0" in path or not all(part not in ("", ".", "..") for part in path.split("/")):
            raise UsageError(f"{path!r} is not a path inside {self.root}")
        return self.folder / path

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Every file below a folder of the storage, in path order; nothing when there is none."""
        prefix = prefix.rstrip("/")
        top = self.local_path(prefix) if prefix else self.folder
        stack = [sorted_entries(str(top))]
        skip = len(str(self.folder).rstrip("/")) + 1
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif entry.is_dir(follow_symlinks=False):
                stack.append(sorted_entries(entry.path))
            elif entry.is_file(follow_symlinks=False) and not entry.name.startswith(TEMP_PREFIX):
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # removed while we were listing
                yield _facts(entry.path[skip:], found)

    def list_with_time(self, prefix: str) -> tuple[Sequence[Stat], int]:
        """Every file below a folder, and this machine's time, in microseconds since 1970."""
        return list(self.list(prefix)), time.time_ns() // 1000

    def stat(self, path: str) -> Stat | None:
        """One file, or None."""
        try:
            found = self.local_path(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _facts(path, found) if stat.S_ISREG(found.st_mode) else None

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file; IntegrityError when it ends before `offset + length`."""
        fd = open_regular(self.local_path(path))
        try:
            if length is None:
                length = max(os.fstat(fd).st_size - offset, 0)
            data = os.pread(fd, length, offset)
            while len(data) < length:
                more = os.pread(fd, length - len(data), offset + len(data))
                if not more:
                    end = offset + len(data)
                    raise IntegrityError(f"{self.uri(path)} ends at byte {end}, not {offset + length}")
                data += more
            return data
        finally:
            os.close(fd)

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[bytes | ImagelakeError]:
        """The bytes of each range, or the error that kept them away."""
        for span in ranges:
            try:
                yield self.read(*span)
            except ImagelakeError as error:
                yield error
            except OSError as error:
                yield ImagelakeError(f"{self.uri(span.path)} cannot be read: {error}")

    def open(self, path: str) -> BinaryIO:
        """A buffered, seekable stream over a file."""
        return os.fdopen(open_regular(self.local_path(path)), "rb", buffering=1 << 17)

    def put(self, path: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Write a file whole and sync it and its folders; with `if_absent`, False when there was one already."""

        def fill(temp: Path) -> None:
            temp.write_bytes(data)
            sync(temp)

        written = self._write(path, if_absent, fill)
        if written:
            self._sync_folders([path])
        return written

    def put_unsynced(self, path: str, data: bytes) -> None:
        """Write a file whole that may be lost or empty after a power cut: a lease, or a copy of what is elsewhere."""
        self._write(path, False, lambda temp: temp.write_bytes(data))

    def put_file(self, source: Path, path: str, *, if_absent: bool = False) -> bool:
        """Write a file whole from a local file; with `if_absent`, False when there was one already."""
        if not source.is_file():
            raise NotFound(f"{source} is not a file")
        return self._write(path, if_absent, lambda temp: shutil.copyfile(source, temp))

    def copy(self, source: str, target: str) -> None:
        """Copy within the storage; what was at the target is replaced."""
        self.put_file(self.local_path(source), target)

    def move(self, source: str, target: str) -> None:
        """Move within the storage; what was at the target is replaced."""
        origin, place = self.local_path(source), self.local_path(target)
        if not origin.exists():
            raise NotFound(f"{self.uri(source)} does not exist")
        place.parent.mkdir(parents=True, exist_ok=True)
        origin.replace(place)

    def delete(self, path: str) -> None:
        """Remove a file for good; nothing happens when there is none. Folders are left as they are."""
        self.delete_all([path])

    @property
    def ca_bundle(self) -> None:
        """No network, nobody to trust."""

    def delta_options(self) -> None:
        """Nothing: delta-rs opens local paths by itself."""

    def delete_all(self, paths: Iterable[str]) -> None:
        """Remove many files for good."""
        removed = list(paths)
        for path in removed:
            self.local_path(path).unlink(missing_ok=True)
        self._sync_folders(removed)

    def flush(self) -> None:
        """Make everything written below the root so far survive a power cut."""
        sync_filesystem(self.folder)

    def blob_writer(self) -> LocalBlobWriter:
        """What writes the bytes of images into this folder."""
        return LocalBlobWriter(str(self.folder))

    def lock_record(self, name: str) -> FileLockRecord:
        """The record of a lease in this folder."""
        return FileLockRecord(self, f"locks/{name}")

    def check_writers(self) -> None:
        """A folder always lets several writers commit."""

    def remove_unfinished(self, folders: Sequence[str], before: datetime) -> Unfinished:
        """Remove temporary files that were changed last before a time."""
        removed = []
        for place in (place for folder in folders for place in (self.folder / folder).rglob(f"{TEMP_PREFIX}*")):
            if datetime.fromtimestamp(place.stat().st_mtime, timezone.utc) < before:
                place.unlink(missing_ok=True)
                removed.append(place.relative_to(self.folder).as_posix())
        return Unfinished((), tuple(removed))

    def _sync_folders(self, paths: Iterable[str]) -> None:
        """Sync the folders on the way to these paths, the root included: each may be new."""
        folders = {parent for path in paths for parent in self.local_path(path).parents}
        for folder in sorted(folders, reverse=True):
            if folder.is_relative_to(self.folder) and folder.is_dir():
                sync(folder)

    def _write(self, path: str, if_absent: bool, fill: Callable[[Path], object]) -> bool:
        target = self.local_path(path)
        if if_absent and target.exists():
            return False
        temp = new_temp(target.parent)
        try:
            fill(temp)
            return publish(temp, target, if_absent)
        finally:
            temp.unlink(missing_ok=True)


def _facts(path: str, found: os.stat_result) -> Stat:
    return Stat(path, found.st_size, found.st_mtime_ns, arrived_ns=found.st_ctime_ns)
