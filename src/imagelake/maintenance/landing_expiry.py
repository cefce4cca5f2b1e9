"""What was taken or refused under landing/ of a lake on a disk: removed once it is as old as a bucket's rule says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from imagelake.config.lifecycle_settings import LifecycleSettings
from imagelake.runs.context import Clock
from imagelake.storage.base import Storage


def remove_expired(storage: Storage, settings: LifecycleSettings, clock: Clock) -> tuple[str, ...]:
    """Remove uploads from landing/.done after `done_days`, from landing/.rejected after `rejected_days`.

    Returns the paths of what was removed: files, and whole folders where nothing in them is younger. Days count from
    when something got there (ctime, which a copy does not carry along); None keeps it. In a bucket nothing is done: its
    lifecycle rules remove the same.
    """
    if storage.folder is None:
        return ()
    removed: list[str] = []
    for name, days in ((".done", settings.done_days), (".rejected", settings.rejected_days)):
        if days is None:
            continue
        before = clock() - timedelta(days=days)
        for path in _uploads(storage.folder / "landing" / name):
            if _newest(path) < before:
                _remove(path)
                removed.append(path.relative_to(storage.folder).as_posix())
    return tuple(removed)


def _uploads(folder: Path) -> Iterator[Path]:
    """What was moved into a dataset's folder, and files beside these; the folders themselves stay."""
    for path in _entries(folder):
        if path.is_dir() and not path.is_symlink():
            yield from _entries(path)
        else:
            yield path


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def _newest(path: Path) -> datetime:
    """When a file, or the last of all in a folder, got where it is. Symbolic links are not followed."""
    paths = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    return datetime.fromtimestamp(max(each.lstat().st_ctime for each in paths), timezone.utc)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
