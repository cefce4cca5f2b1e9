"""Whether an upload has been here before, and whether newer ones have changed what it brought."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from imagelake.context import Counts, RunReport

_LISTED = 5

Row = Mapping[str, Any]


def earlier(rows: Sequence[Row], mode: str, requested_format: str | None, **wanted: str | None) -> Row | None:
    """The newest delivery that was not rejected, of that mode and format, whose columns have these values."""
    for row in reversed(rows):
        fits = all(row[name] == value for name, value in wanted.items())
        # what came with update has brought everything that append would
        covers = row["mode"] == mode or (mode, row["mode"]) == ("append", "update")
        if fits and covers and row["state"] != "rejected" and row["requested_format"] == requested_format:
            return row
    return None


def superseding(rows: Sequence[Row], row: Row) -> list[Row]:
    """Newer deliveries that changed or dropped rows this one brought, or brought once more."""
    own = {row["upload_id"], *(row["confirms"] or ())}
    newer = [r for r in rows if r["sequence"] > row["sequence"] and r["state"] == "built"]
    return [r for r in newer if own & set(r["supersedes"] or ())]


def report(rows: Sequence[Row], row: Row) -> RunReport:
    """What to say of an upload that has been here: unchanged, or superseded by which."""
    newer = superseding(rows, row)
    names = ", ".join(f"{r['upload_id'][:12]} ({r['source']})" for r in newer[-_LISTED:])
    problem = f"newer uploads have changed what it brought: {names}; --again applies it once more" if newer else None
    return RunReport(
        dataset=row["dataset"],
        status="superseded" if newer else "unchanged",
        upload_id=row["upload_id"],
        format=row["format"],
        mode=row["mode"],
        files=_unchanged(row["files"]),
        images=_unchanged(row["images"]),
        annotations=_unchanged(row["annotations"]),
        problem=problem,
        warnings=json.loads(row["warnings"] or "{}"),
    )


def _unchanged(counts: Mapping[str, int] | None) -> Counts:
    """The counts of a delivery as they are when it comes again: what was taken then is unchanged now."""
    then = Counts(**counts) if counts else Counts()
    return Counts(**{**asdict(then), "accepted": 0, "removed": 0, "unchanged": then.accepted + then.unchanged})
