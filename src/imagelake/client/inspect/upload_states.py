"""Uploads as far as they have come, and those that brought nothing because they failed or were rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from imagelake.client.delta.tables import Tables
from imagelake.client.sql_text import select
from imagelake.tables import bronze

LABELS = "labels"
"""The format of uploads that bring the saves of a labelling tool."""

_COLUMNS = ("sequence", "upload_id", "source", "state", "problem")


@dataclass(frozen=True)
class ProblemUpload:
    """An upload in state `failed` or `rejected`, and why."""

    sequence: int
    upload_id: str
    source: str | None
    state: str
    problem: str | None

    def as_json(self) -> dict[str, Any]:
        """{"sequence", "upload_id", "source", "state", "problem"}."""
        return asdict(self)


def furthest(tables: Tables, columns: Sequence[str], dataset: str | None = None) -> str:
    """SQL, in brackets, for one row an upload: its newest state, `landed` only while there is no other."""
    selected = tuple(dict.fromkeys((*columns, "dataset", "sequence", "state", "at")))
    order = "(PARTITION BY dataset, sequence ORDER BY state = 'landed', \"at\" DESC, state)"
    source = tables.relation(bronze.UPLOADS, selected, dataset)
    return f"(SELECT {select(columns)} FROM {source} QUALIFY row_number() OVER {order} = 1)"


def problem_uploads(tables: Tables, dataset: str) -> tuple[ProblemUpload, ...]:
    """The uploads of a dataset that failed, and those rejected since the newest built one; by sequence.

    One that came again and was taken, under the same id or from the same source, is not among them. All saves of
    labels and all removals have one source: those came again only under the same id.
    """
    columns = (*_COLUMNS, "format", "mode")
    uploads = tables.once(f"_furthest_{dataset}", f"SELECT * FROM {furthest(tables, columns, dataset)}")
    by_source = f"l.source = u.source AND u.format IS DISTINCT FROM '{LABELS}' AND u.mode IS DISTINCT FROM 'remove'"
    rows = tables.query(
        f"SELECT {select(_COLUMNS)} FROM {uploads} AS u WHERE (state = 'failed' OR state = 'rejected' "
        f"AND sequence > (SELECT coalesce(max(sequence), 0) FROM {uploads} WHERE state = 'built')) "
        f"AND NOT EXISTS (SELECT 1 FROM {uploads} AS l WHERE l.sequence > u.sequence "
        f"AND l.state IN ('built', 'unchanged', 'superseded') AND (l.upload_id = u.upload_id OR ({by_source}))) "
        "ORDER BY sequence"
    )
    return tuple(ProblemUpload(**row) for row in rows)
