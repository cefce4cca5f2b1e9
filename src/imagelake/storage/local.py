"""A folder of this machine as storage."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from imagelake.errors import ConfigError, IntegrityError, NotFound, UsageError
from imagelake.storage.base import TEMP_PREFIX, Stat

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


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


def open_regular(path: Path | str, flags: int = 0) -> int:
    """A descriptor to read a regular file; NotFound for anything else. Never blocks on a pipe.

    With os.O_NOFOLLOW in `flags` a link counts as anything else.
    """
    try:
        fd = os.open(path, _READ_FLAGS | flags)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path} does not exist") from None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise NotFound(f"{path} is a link") from None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise NotFound(f"{path} is not a file")


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
        stack = [_sorted_entries(str(top))]
        skip = len(str(self.folder).rstrip("/")) + 1
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif entry.is_dir(follow_symlinks=False):
                stack.append(_sorted_entries(entry.path))
            elif entry.is_file(follow_symlinks=False) and not entry.name.startswith(TEMP_PREFIX):
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # removed while we were listing
                yield _facts(entry.path[skip:], found)

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

    def open(self, path: str) -> BinaryIO:
        """A buffered, seekable stream over a file."""
        return os.fdopen(open_regular(self.local_path(path)), "rb", buffering=1 << 17)

    def put(self, path: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Write a file whole and sync it and its folders; with `if_absent`, False when there was one already."""

        def fill(temp: Path) -> None:
            temp.write_bytes(data)
            _sync(temp)

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

    def _sync_folders(self, paths: Iterable[str]) -> None:
        """Sync the folders on the way to these paths, the root included: each may be new."""
        folders = {parent for path in paths for parent in self.local_path(path).parents}
        for folder in sorted(folders, reverse=True):
            if folder.is_relative_to(self.folder) and folder.is_dir():
                _sync(folder)

    def _write(self, path: str, if_absent: bool, fill: Callable[[Path], object]) -> bool:
        target = self.local_path(path)
        if if_absent and target.exists():
            return False
        temp = _new_temp(target.parent)
        try:
            fill(temp)
            return _publish(temp, target, if_absent)
        finally:
            temp.unlink(missing_ok=True)


def sync_filesystem(folder: Path) -> None:
    """Write all that the file system holding `folder` keeps in memory to disk: one syncfs(2) instead of many fsyncs."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "syncfs"):
        os.sync()
        return
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(fd)


def _sync(place: Path) -> None:
    """Write one file, or the names in one folder, to disk."""
    fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _facts(path: str, found: os.stat_result) -> Stat:
    return Stat(path, found.st_size, found.st_mtime_ns, arrived_ns=found.st_ctime_ns)


def _sorted_entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            # a folder sorts as its files do in a list of paths: "a/" comes after "a-b"
            return iter(sorted(found, key=lambda e: e.name + "/" if e.is_dir(follow_symlinks=False) else e.name))
    except (FileNotFoundError, NotADirectoryError):
        return iter(())


def _new_temp(folder: Path) -> Path:
    temp = folder / f"{TEMP_PREFIX}{uuid.uuid4().hex}"
    try:
        try:
            temp.touch(exist_ok=False)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            temp.touch(exist_ok=False)
    except (NotADirectoryError, FileExistsError):
        raise ConfigError(f"cannot make the folder {folder}: a file is in its way") from None
    return temp


def _publish(temp: Path, target: Path, if_absent: bool) -> bool:
    if not if_absent:
        temp.replace(target)
        return True
    try:
        # link(2) refuses an existing name in one step; a check followed by a rename would lose one of two writers
        os.link(temp, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise ConfigError(
            f"cannot link {target}: its file system has no hard links", hint="keep the lake on a disk such as ext4"
        ) from None
    return True
