"""A dataset's part of a table at one version, looked up by columns, with changes laid over it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.config.settings import DeltaSettings
from imagelake.storage.local import LocalStorage
from imagelake.tables import silver
from imagelake.tables.delta.pinned import PinnedTable, is_in
from imagelake.tables.delta.store import DeltaStore
from imagelake.tables.delta.types import table_of
from imagelake.tables.delta.upsert import CHANGE

KEYS = st.sampled_from("abcdefgh")
ROWS = st.dictionaries(KEYS, st.integers(0, 3), max_size=6)
STEPS = st.lists(st.dictionaries(KEYS, st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=4), max_size=3)


def row(key: str, width: int, dataset: str = "pets") -> dict[str, Any]:
    return {"dataset": dataset, "image_key": key, "width": width, "content_hash": f"hash-{width}"}


@settings(max_examples=40, deadline=None)
@given(first=ROWS, second=ROWS, steps=STEPS, keys=st.sets(KEYS), hashes=st.sets(st.integers(0, 3)))
def test_what_is_looked_up_is_what_a_dictionary_has(
    tmp_path_factory: Any,
    first: dict[str, int],
    second: dict[str, int],
    steps: list[dict[str, int | None]],
    keys: set[str],
    hashes: set[int],
) -> None:
    storage = LocalStorage(tmp_path_factory.mktemp("lake"))
    store = DeltaStore(None, storage, DeltaSettings())  # type: ignore[arg-type]
    store.ensure(silver.IMAGES)
    second = {key: width for key, width in second.items() if key not in first}
    for part in (first, second):
        store.append_rows(silver.IMAGES, [row(key, width) for key, width in part.items()])
    version = store.version(silver.IMAGES)
    store.append_rows(silver.IMAGES, [row("later", 1), row("a", 9, "birds")])
    table = PinnedTable.at(storage, silver.IMAGES, "pets", version)
    expected: dict[str, int | None] = {**first, **second}
    some = {"image_key": is_in(pa.array(sorted(keys), pa.string()))}
    widths = table.columns(("width", "image_key"), some).to_pylist()
    assert {part["image_key"]: part["width"] for part in widths} == {k: w for k, w in expected.items() if k in keys}
    assert set(table.columns(("image_key",), some)["image_key"].to_pylist()) == expected.keys() & keys
    assert table.count_by("width") == {width: list(expected.values()).count(width) for width in set(expected.values())}
    for step in steps:
        rows = table_of(silver.IMAGES, [row(key, width or 0) for key, width in step.items()])
        marks = ["drop" if width is None else "put" for width in step.values()]
        table.lay_over(rows.append_column(CHANGE, pa.array(marks)))
        expected = {**expected, **step}
    masks = {
        "image_key": is_in(pa.array(sorted(keys), pa.string())),
        "content_hash": is_in(pa.array([f"hash-{n}" for n in sorted(hashes)], pa.string())),
    }
    found = table.where(masks)
    assert dict(zip(found["image_key"].to_pylist(), found["width"].to_pylist(), strict=True)) == {
        key: width for key, width in expected.items() if width is not None and (key in keys or width in hashes)
    }
    assert pc.all(pc.equal(found["dataset"], "pets")).as_py() in (True, None)
    touched = {key for step in steps for key in step}
    assert set(table.changed.to_pylist()) == touched
    stored = table.stored(table.changed)
    assert {r["image_key"]: r["width"] for r in stored.to_pylist()} == {
        key: width for key, width in {**first, **second}.items() if key in touched
    }
