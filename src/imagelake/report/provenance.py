"""Where a version came from: its uploads, its settings, its digest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from imagelake.client import catalog
from imagelake.client.inspect.upload_states import furthest
from imagelake.client.sql_text import Row, select
from imagelake.report.scope import ReportScope, version_of

MOST_UPLOADS = 50
_COLUMNS = (
    "sequence",
    "upload_id",
    "source",
    "format",
    "mode",
    "state",
    "note",
    "images",
    "annotations",
    "at",
)


@dataclass(frozen=True)
class UploadRow:
    """An upload of the version; counts are of its images and annotations that were read, accepted and rejected."""

    sequence: int
    upload_id: str
    source: str | None
    format: str | None
    mode: str | None
    state: str
    note: str | None
    at: datetime
    images: tuple[int, int, int]
    annotations: tuple[int, int, int]


@dataclass(frozen=True)
class Provenance:
    """Facts as (name, value), the newest uploads and how many there are, settings as indented JSON.

    `new` is the number of uploads since the parent; None for a draft.
    """

    facts: tuple[tuple[str, str], ...]
    uploads: tuple[UploadRow, ...]
    total: int
    new: int | None
    settings: str


def provenance(scope: ReportScope) -> Provenance:
    """The section."""
    source = furthest(scope.tables, _COLUMNS, scope.target.dataset)
    last = scope.row.get("last_sequence")
    until = "" if last is None else f" AND sequence <= {int(last)}"
    where = f"state IN ('built', 'landed', 'unchanged', 'superseded'){until}"
    total = scope.one(f"SELECT count(*) AS n FROM {source} WHERE {where}")["n"]
    rows = scope.tables.query(
        f"SELECT {select(_COLUMNS)} FROM {source} WHERE {where} ORDER BY sequence DESC LIMIT {MOST_UPLOADS}"
    )
    new = None if scope.target.version is None else len(scope.row["upload_ids"] or ())
    return Provenance(
        _labelled_values(scope),
        tuple(map(_upload, rows)),
        total,
        new,
        json.dumps(json.loads(scope.settings), indent=2, ensure_ascii=False),
    )


def _upload(row: Row) -> UploadRow:
    return UploadRow(**row | {what: _three(row[what]) for what in ("images", "annotations")})


def _three(counts: Row | None) -> tuple[int, int, int]:
    read, accepted, rejected = ((counts or {}).get(c) or 0 for c in ("read", "accepted", "rejected"))
    return read, accepted, rejected


def _labelled_values(scope: ReportScope) -> tuple[tuple[str, str], ...]:
    if scope.target.version is None:
        newest = scope.target.history.newest
        return (("version", scope.target.name), ("published before", newest.name if newest else "nothing yet"))
    version, row = version_of(scope), scope.row
    names = [
        a for a, of in catalog.aliases(scope.tables, version.dataset).items() if of == (version.number, version.recipe)
    ]
    facts = {
        "version": version.name,
        "digest": row["digest"],
        "published": f"{row['at']:%Y-%m-%d %H:%M} UTC",
        "author": row["author"],
        "note": row["note"],
        "parent": row["parent"],
        "aliases": ", ".join(sorted(names)),
        "state": version.state,
        "run": row["run_id"],
        "split recipe": row["recipe_spec"],
    }
    return tuple((name, str(value)) for name, value in facts.items() if value)
