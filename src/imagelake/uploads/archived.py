"""A zip upload on its way into the lake."""

from __future__ import annotations

from typing import Protocol

from imagelake.uploads.source import Source


class ArchiveCopy(Protocol):
    """A zip upload that can be stored in the lake, or discarded."""

    @property
    def source(self) -> Source:
        """The upload, as its members are to be read: what is read there is what will be stored."""
        ...

    def store(self, upload_id: str) -> str:
        """Store it; its path in the lake. The same archive twice is stored once."""
        ...

    def discard(self) -> None:
        """Remove what was copied, unless it is stored."""
        ...
