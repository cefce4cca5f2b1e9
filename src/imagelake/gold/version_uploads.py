"""The uploads that a draft includes and the version before does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagelake.gold.plan import Uploads

INCLUDED = frozenset(("built", "unchanged", "superseded"))
"""States of an upload after which the draft holds whatever still counts of it."""


def uploads_since(parent: Mapping[str, Any] | None, newest: Sequence[Mapping[str, Any]]) -> Uploads:
    """The uploads of a draft that the parent version does not include.

    parent: its row in gold.versions, None for a first version; newest: one row of bronze.uploads a sequence.
    Version rows of older lakes have no `last_sequence`: there the time decides.
    """
    built = [row for row in newest if row["state"] == "built" and not _is_included(row, parent)]
    last = max((int(row["sequence"]) for row in newest if row["state"] in INCLUDED), default=None)
    return Uploads(tuple(built), last)


def _is_included(upload: Mapping[str, Any], version: Mapping[str, Any] | None) -> bool:
    if version is None:
        return False
    if version["last_sequence"] is None:
        return bool(upload["at"] <= version["at"])
    return bool(upload["sequence"] <= version["last_sequence"])
