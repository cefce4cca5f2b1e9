"""The sequence of uploads in bronze.uploads: reading their newest states, and adding to it exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagelake.errors import Conflict
from imagelake.tables import bronze
from imagelake.tables.delta.commit import Txn
from imagelake.tables.delta.store import DeltaStore

if TYPE_CHECKING:
    from imagelake.runs.context import Context

_TRIES = 20

LANDED = "landed"
"""The state of an upload that waits to be built; every other state says how it ended."""

DONE = ("built", "unchanged")
"""States after which the draft says what the upload says."""


def newest(tables: DeltaStore, dataset: str) -> list[dict[str, Any]]:
    """One row an upload, its furthest state, in order of sequence."""
    furthest: dict[int, dict[str, Any]] = {}
    for row in tables.collect(bronze.UPLOADS, dataset):
        other = furthest.get(row["sequence"])
        if other is None or row["state"] != LANDED:
            furthest[row["sequence"]] = row
    return [furthest[number] for number in sorted(furthest)]


def pending(tables: DeltaStore, dataset: str) -> list[dict[str, Any]]:
    """The uploads that have landed and have not been built, in order."""
    return [row for row in newest(tables, dataset) if row["state"] == LANDED]


def datasets_pending(tables: DeltaStore) -> list[str]:
    """The datasets with uploads that have landed and have not been built."""
    rows = tables.arrow(bronze.UPLOADS, None, ("dataset", "sequence", "state")).to_pylist()
    ended = {(row["dataset"], row["sequence"]) for row in rows if row["state"] != LANDED}
    return sorted({row["dataset"] for row in rows if (row["dataset"], row["sequence"]) not in ended})


def covers(earlier: str, mode: str) -> bool:
    """Whether an upload in the earlier mode has brought all that it would in this one: update does what append does."""
    return earlier == mode or (earlier, mode) == ("update", "append")


def deliver(ctx: Context, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Append uploads of one dataset under the next free sequence numbers, one by one, and return them as written."""
    return [_deliver(ctx, row) for row in rows]


def _deliver(ctx: Context, row: Mapping[str, Any]) -> dict[str, Any]:
    """Compare and set: two writers may want one number. Delta lets one commit through and silently skips the other, so
    the row is read back and the loser takes the next number. One commit a number: a commit for several would go through
    although another writer has taken the first of them."""
    dataset = row["dataset"]
    for _ in range(_TRIES):
        number = max((r["sequence"] for r in newest(ctx.tables, dataset)), default=0) + 1
        made = {**row, "sequence": number, "run_id": ctx.run_id, "at": ctx.clock()}
        txn = Txn(f"upload/{dataset}", number)
        ctx.tables.append_rows(bronze.UPLOADS, [made], txn)
        written = [r for r in newest(ctx.tables, dataset) if r["sequence"] == number]
        if written and written[0]["run_id"] == ctx.run_id:
            return written[0]
    raise Conflict(f"{dataset}: no sequence number for the upload after {_TRIES} tries", hint="run the command again")
