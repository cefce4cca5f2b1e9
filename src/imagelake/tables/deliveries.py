"""The sequence of deliveries in bronze.uploads: reading its newest states, and adding to it exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagelake.errors import Conflict
from imagelake.tables import bronze
from imagelake.tables.store import DeltaStore, Txn

if TYPE_CHECKING:
    from imagelake.context import Context

_RANK = {"landed": 0, "built": 1, "rejected": 1}
_TRIES = 20


def newest(tables: DeltaStore, dataset: str) -> list[dict[str, Any]]:
    """One row a delivery, its furthest state, in order of sequence."""
    found: dict[int, dict[str, Any]] = {}
    for data in tables.collect(bronze.UPLOADS, dataset):
        known = found.get(data["sequence"])
        if known is None or _RANK[data["state"]] >= _RANK[known["state"]]:
            found[data["sequence"]] = data
    return [found[number] for number in sorted(found)]


def pending(tables: DeltaStore, dataset: str) -> list[dict[str, Any]]:
    """The deliveries that have landed and not been built, in order."""
    return [row for row in newest(tables, dataset) if row["state"] == "landed"]


def deliver(ctx: Context, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Append deliveries of one dataset under the next free sequence numbers, and return them as written.

    Two writers may want one number: Delta lets one commit through and silently skips the other, so the rows are read
    back and the loser takes the next numbers.
    """
    if not rows:
        return []
    dataset = rows[0]["dataset"]
    for _ in range(_TRIES):
        free = max((r["sequence"] for r in newest(ctx.tables, dataset)), default=0) + 1
        made = [
            {**row, "sequence": free + place, "run_id": ctx.run_id, "at": ctx.clock()} for place, row in enumerate(rows)
        ]
        txn = Txn(f"upload/{dataset}", made[-1]["sequence"])
        ctx.tables.append(bronze.UPLOADS, ctx.tables.frame(bronze.UPLOADS, made), txn)
        written = [r for r in newest(ctx.tables, dataset) if r["sequence"] >= free and r["run_id"] == ctx.run_id]
        if len(written) == len(made):
            return written
    raise Conflict(f"{dataset}: no sequence number for the delivery after {_TRIES} tries", hint="run the command again")
