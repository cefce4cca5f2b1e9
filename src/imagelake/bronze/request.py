"""What ingest is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class IngestRequest:
    """What to take in: an upload (path or URI) for a dataset, how, and whether to doubt what is known.

    `only` names the files of a folder that are meant; all of them when None. `dropped_at` is when the marker of an
    upload under landing/ got there: an upload built with this very marker is done, and only was not moved away.
    """

    dataset: str
    upload: str
    format: str | None = None
    mode: str = "append"
    note: str | None = None
    again: bool = False
    rehash: bool = False
    only: frozenset[str] | None = None
    dropped_at: datetime | None = None
