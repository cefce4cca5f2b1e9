"""A folder as a reader sees an upload, for tests."""

from collections.abc import Sequence
from pathlib import Path

from imagelake.core.digest import nfc


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
