"""Trees that need no upload: names and bytes in memory, and a folder as it lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from imagelake.core.digest import nfc


class DictTree:
    """An in-memory tree of path → bytes."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {nfc(path): data for path, data in files.items()}
        self._paths = tuple(sorted(self._files))

    @property
    def paths(self) -> Sequence[str]:
        """All paths, sorted."""
        return self._paths

    def size(self, path: str) -> int:
        """Size of a file in bytes."""
        return len(self._files[path])

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file, or its first `limit` bytes."""
        return self._files[path][:limit]


class FolderTree:
    """The files below a folder; nothing is stripped or left out."""

    def __init__(self, folder: Path) -> None:
        paths = (p for p in folder.rglob("*") if p.is_file())
        self._files = {nfc(p.relative_to(folder).as_posix()): p for p in paths}
        self._paths = tuple(sorted(self._files))

    @property
    def paths(self) -> Sequence[str]:
        """All paths, sorted."""
        return self._paths

    def size(self, path: str) -> int:
        """Size of a file in bytes."""
        return self._files[path].stat().st_size

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file, or its first `limit` bytes."""
        with self._files[path].open("rb") as file:
            return file.read(-1 if limit is None else limit)
