"""Places by their newest rows, against a plain reading of the same rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from imagelake.tables.blob_states import live_rows

ROW = st.tuples(
    st.sampled_from("DE"), st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.integers(0, 1), st.booleans()
)


@given(st.lists(ROW, max_size=30))
def test_a_place_counts_when_its_newest_row_is_live(rows: list[tuple[str, str, str, int, bool]]) -> None:
    start = datetime(2026, 1, 1)
    table = pa.table(
        {
            "dataset": pa.array([row[0] for row in rows], pa.string()),
            "content_hash": pa.array([row[1] for row in rows], pa.string()),
            "uri": pa.array([row[2] for row in rows], pa.string()),
            "offset": pa.array([row[3] for row in rows], pa.int64()),
            "state": pa.array(["live" if row[4] else "ended" for row in rows], pa.string()),
            "at": pa.array([start + timedelta(seconds=i) for i in range(len(rows))], pa.timestamp("us")),
        }
    )
    newest = {row[:4]: row[4] for row in rows}
    expected = {place for place, is_live in newest.items() if is_live}
    answer = live_rows(table)
    assert {tuple(row.values())[:4] for row in answer.to_pylist()} == expected
