"""Where bytes are: one small protocol over a local folder or a bucket prefix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from imagelake.errors import ConfigError, ImagelakeError

if TYPE_CHECKING:
    from imagelake.storage.blobs.blob_writer import BlobWriter
    from imagelake.storage.leases.lock_record import LockRecord

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


class Range(NamedTuple):
    """Bytes of a file: its path, the first byte, and how many."""

    path: str
    offset: int
    length: int


class Unfinished(NamedTuple):
    """What writers began and never named: uploads in parts, and temporary files, by path."""

    uploads: tuple[str, ...]
    files: tuple[str, ...]


class Storage(Protocol):
    """Files under a root. Paths are relative, with `/`; picklable, so that workers can use it.

    Writes are atomic: a reader sees the whole file or none. Missing files raise NotFound.
    """

    @property
    def root(self) -> str:
        """The root as a URI without a slash at its end."""
        ...

    @property
    def folder(self) -> Path | None:
        """The folder of this machine that it is; None for a bucket."""
        ...

    def uri(self, path: str) -> str:
        """The full URI of a path."""
        ...

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Everything below a prefix; a local folder in path order, a bucket in the order its server has."""
        ...

    def list_with_time(self, prefix: str) -> tuple[Sequence[Stat], int]:
        """Everything below a prefix, and the time of whoever answers, in microseconds since 1970.

        Machines that write disagree about the time.
        """
        ...

    def stat(self, path: str) -> Stat | None:
        """One file, or None."""
        ...

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file; the whole by default. Fewer than asked for is an error."""
        ...

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[bytes | ImagelakeError]:
        """The bytes of each range, or the error that kept them away; fastest in the order of path and offset."""
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

    def blob_writer(self) -> BlobWriter:
        """What writes the bytes of images, one by one or many together."""
        ...

    def lock_record(self, name: str) -> LockRecord:
        """The record of a lease, which is changed by compare-and-swap."""
        ...

    def check_writers(self) -> None:
        """ConfigError unless several writers may commit here, or only one is declared."""
        ...

    def remove_unfinished(self, folders: Sequence[str], before: datetime) -> Unfinished:
        """Remove what writers left below these folders before a time without giving it a name."""
        ...
