"""Labelling saves, from when they are saved until a build has put them into the draft.

`labels/<D>/<key hash>/<time>-<id>.json`, each complete by existing, its name used once. The next ingest of the dataset
delivers those that wait as one annotation-only upload; they stay readable until that is built, and are then removed:
bronze has their bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from imagelake.runs.context import Context
from imagelake.storage.label_paths import NAME, dataset_folder, time_of
from imagelake.tables import bronze, upload_rows

FORMAT = "labels"
_YOUNG = 2_000_000  # microseconds; one that lost a race is withdrawn within a second


@dataclass(frozen=True)
class SavedLabels:
    """Paths of saves below `labels/<D>/`: `waiting` ones no upload has yet, and `finished` ones a build has applied."""

    waiting: tuple[str, ...]
    finished: tuple[str, ...]


def saves(ctx: Context, dataset: str) -> SavedLabels:
    """List a dataset's saves by state."""
    prefix = dataset_folder(dataset)
    names = [stat.path.removeprefix(f"{prefix}/") for stat in ctx.storage.list(f"{prefix}/")]
    if not names:
        return SavedLabels((), ())
    rows = [r for r in upload_rows.newest(ctx.tables, dataset) if r["format"] == FORMAT]
    landed = _delivered(ctx, dataset, [r for r in rows if r["state"] in (upload_rows.LANDED, "failed")])
    built = _delivered(ctx, dataset, [r for r in rows if r["state"] in (*upload_rows.DONE, "superseded")])
    old_enough_us = ctx.clock().timestamp() * 1e6 - _YOUNG
    waiting = tuple(name for name in names if name not in landed | built and _time(name) < old_enough_us)
    return SavedLabels(waiting, tuple(name for name in names if name in built))


def remove_delivered(ctx: Context, delivery: Mapping[str, Any]) -> None:
    """Remove the saves of an upload, once it is built."""
    if delivery["format"] == FORMAT:
        prefix = dataset_folder(delivery["dataset"])
        ctx.storage.delete_all(f"{prefix}/{name}" for name in _delivered(ctx, delivery["dataset"], [delivery]))


def _time(name: str) -> int:
    """When a save was made; what is not named like one is as old as can be, and refused by the reader."""
    last = name.rpartition("/")[2]
    return time_of(last) if NAME.fullmatch(last) else 0


def _delivered(ctx: Context, dataset: str, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """`<key hash>/<name>` of the saves of these deliveries. Only that: a lake may have moved, and URIs with it."""
    attempts = [row["attempt_id"] for row in rows]
    if not attempts:
        return set()
    files = ctx.tables.arrow(bronze.FILES, dataset, ("source",), pc.field("attempt_id").isin(attempts))
    return {"/".join(source.rsplit("/", 2)[1:]) for source in files["source"].to_pylist() if source}
