"""Where bytes are: one small protocol over a local folder or a bucket prefix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from imagelake.errors import ConfigError

TEMP_PREFIX = ".tmp-"
"""Names of files that are still being written start with this; listings leave them out."""


class Denied(ConfigError):
    """The store does not let these credentials do that."""


@dataclass(frozen=True)
class Stat:
    """A file or object: path relative to the storage root, size in bytes, and what tells a change.

    `arrived_ns` is when it got where it is: a copy may carry its mtime along, but no local file its ctime.
    """

    path: str
    length: int
    mtime_ns: int | None = None
    etag: str | None = None
    arrived_ns: int | None = None


class Storage(Protocol):
    """Files under a root. Paths are relative, with `/`; picklable, so that workers can use it.

    Writes are atomic: a reader sees the whole file or none. Missing files raise NotFound.
    """

    @property
    def root(self) -> str:
        """The root as a URI without a slash at its end."""
        ...

    def uri(self, path: str) -> str:
        """The full URI of a path."""
        ...

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Everything below a prefix; a local folder in path order, a bucket in the order its server has."""
        ...

    def stat(self, path: str) -> Stat | None:
        """One file, or None."""
        ...

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file; the whole by default. Fewer than asked for is an error."""
        ...

    def open(self, path: str) -> BinaryIO:
        """A seekable stream over a file."""
        ...

    def put(self, path: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Write a small file whole, to survive a power cut; with `if_absent`, False when there was one already."""
        ...

    def put_file(self, source: Path, path: str, *, if_absent: bool = False) -> bool:
        """Write a file whole from a local file; it survives a power cut after `flush`."""
        ...

    def copy(self, source: str, target: str) -> None:
        """Copy within the storage."""
        ...

    def move(self, source: str, target: str) -> None:
        """Move a file within the storage, or a folder with all below it."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file; nothing happens when there is none."""
        ...

    def delete_all(self, paths: Iterable[str]) -> None:
        """Remove many files."""
        ...

    @property
    def ca_bundle(self) -> str | None:
        """The file of authorities to trust, where it is not the usual ones."""
        ...

    def delta_options(self) -> dict[str, str] | None:
        """What delta-rs needs to reach tables in here; holds credentials, so it is made anew and never kept."""
        ...

    def flush(self) -> None:
        """Make everything written so far survive a power cut."""
        ...
