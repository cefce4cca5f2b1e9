"""An archive between the place it was found at and the lake."""

from __future__ import annotations

from typing import Protocol

from imagelake.uploads.source import Source


class Archived(Protocol):
    """An archive on its way into a lake."""

    @property
    def source(self) -> Source:
        """The upload, as its members are to be read: what is read there is what will be kept."""
        ...

    def keep(self, upload_id: str) -> str:
        """Keep it; its path in the lake. The same archive twice is kept once."""
        ...

    def drop(self) -> None:
        """Remove what is only in the way; nothing happens to what was kept."""
        ...
