"""Files of this machine, one by one: opened without surprises, written under a temporary name, and synced."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from imagelake.errors import ConfigError, NotFound
from imagelake.storage.base import TEMP_PREFIX

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


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


def sync(place: Path) -> None:
    """Write one file, or the names in one folder, to disk."""
    fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sorted_entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """The entries of a folder in the order that their paths have; none when there is no such folder."""
    try:
        with os.scandir(folder) as found:
            # a folder sorts as its files do in a list of paths: "a/" comes after "a-b"
            return iter(sorted(found, key=lambda e: e.name + "/" if e.is_dir(follow_symlinks=False) else e.name))
    except (FileNotFoundError, NotADirectoryError):
        return iter(())


def new_temp(folder: Path) -> Path:
    """A new empty file beside its place, whose folder is made when it is absent."""
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


def publish(temp: Path, target: Path, if_absent: bool) -> bool:
    """Give a finished file its name; with `if_absent`, False when the name is taken."""
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
