"""A tree that needs no upload: names and bytes in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
