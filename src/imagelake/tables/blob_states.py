"""Places of bytes by rows of bronze.blobs: the newest row of a place says whether it still counts."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

PLACE_KEY = ("dataset", "content_hash", "uri", "offset")
"""What makes two rows speak of one place."""


def live_rows(rows: pa.Table) -> pa.Table:
    """The rows of places whose newest row is live, one a place; of bytes that never moved these are all rows.

    rows: PLACE_KEY, `state`, `at`, and whatever else is wanted.
    """
    if not pc.any(pc.equal(rows["state"], "ended"), min_count=0).as_py():
        return rows
    numbered = rows.append_column("_row", pa.array(range(len(rows)), pa.int64())).sort_by([("at", "ascending")])
    newest = numbered.group_by(list(PLACE_KEY), use_threads=False).aggregate([("_row", "last")])["_row_last"]
    chosen = rows.take(newest.take(pc.sort_indices(newest)))
    return chosen.filter(pc.equal(chosen["state"], "live"))
