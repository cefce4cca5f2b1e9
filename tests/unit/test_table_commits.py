"""Commits of this process to the lake's tables: rows, transactions, statistics, changes by key, and many writers."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.config.settings import DeltaSettings
from imagelake.errors import LakeFormatError
from imagelake.storage.local import LocalStorage
from imagelake.tables import bronze, ops, silver
from imagelake.tables.delta.commit import DataFile, FileChange, Txn, commit
from imagelake.tables.delta.store import DeltaStore
from imagelake.tables.delta.types import table_of
from imagelake.tables.delta.upsert import CHANGE, TooManyRows, upsert
from imagelake.tables.spec import TableSpec

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, timezone.utc)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")


def store_of(storage: LocalStorage, *specs: TableSpec) -> DeltaStore:
    """A store without a session: what this process does itself needs none, but for checkpoints."""
    store = DeltaStore(None, storage, DeltaSettings(checkpoint_interval=100))  # type: ignore[arg-type]
    store.ensure(*specs)
    return store


def log_of(storage: LocalStorage, spec: TableSpec) -> DeltaTable:
    return DeltaTable(str(storage.local_path(spec.path)))


def _lines(storage: LocalStorage, version: int) -> list[str]:
    return storage.read(f"{bronze.UPLOADS.path}/_delta_log/{version:020d}.json").decode().splitlines()


def category(name: str, index: int = 0, dataset: str = "pets") -> dict[str, Any]:
    return {"dataset": dataset, "name": name, "train_index": index}


def test_rows_come_back_with_every_column_as_it_was(storage: LocalStorage) -> None:
    store = store_of(storage, bronze.UPLOADS)
    counts = dict.fromkeys(("read", "accepted", "unchanged", "rejected", "ignored", "removed"), 2)
    row = {"dataset": "pets", "sequence": 3, "state": "landed", "files": counts, "at": NOON, "again": True}
    store.append_rows(bronze.UPLOADS, [row])
    (stored,) = store.collect(bronze.UPLOADS, "pets")
    assert {name: value for name, value in stored.items() if value is not None} == row


def test_a_commit_has_statistics_metrics_and_its_partition(storage: LocalStorage) -> None:
    store = store_of(storage, bronze.UPLOADS)
    rows = [{"dataset": "pets", "sequence": n, "state": "s" * 70, "at": NOON} for n in (5, 2)]
    store.append_rows(bronze.UPLOADS, rows, Txn("upload/pets", 5))
    log = log_of(storage, bronze.UPLOADS)
    (file,) = pa.table(log.get_add_actions(flatten=True)).to_pylist()
    assert (file["num_records"], file["partition.dataset"]) == (2, "pets")
    assert (file["min.sequence"], file["max.sequence"], file["null_count.upload_id"]) == (2, 5, 2)
    assert file["min.state"] < "s" * 70 < file["max.state"]
    raw = json.loads(json.loads(_lines(storage, 1)[-1])["add"]["stats"])
    assert (raw["minValues"]["at"], raw["maxValues"]["at"]) == ("2026-03-01T12:00:00.123Z", "2026-03-01T12:00:00.124Z")
    assert log.transaction_version("upload/pets") == 5
    (commit, *_) = log.history()
    assert (commit["operation"], commit["operationMetrics"]["numOutputRows"]) == ("WRITE", "2")


def test_a_transaction_that_is_not_newer_is_skipped(storage: LocalStorage) -> None:
    store = store_of(storage, silver.CATEGORIES)
    for number, name in ((2, "cat"), (2, "dog"), (1, "cow"), (3, "hen")):
        store.append_rows(silver.CATEGORIES, [category(name)], Txn("build/pets", number))
    assert sorted(row["name"] for row in store.collect(silver.CATEGORIES, "pets")) == ["cat", "hen"]


def test_a_commit_without_rows_moves_the_transaction_on(storage: LocalStorage) -> None:
    store = store_of(storage, silver.CATEGORIES)
    store.append_rows(silver.CATEGORIES, [], Txn("build/pets", 7))
    assert store.transaction(silver.CATEGORIES, "build/pets") == 7
    assert store.collect(silver.CATEGORIES) == []


def test_rows_of_several_datasets_lie_in_their_own_partitions(storage: LocalStorage) -> None:
    store = store_of(storage, silver.CATEGORIES, ops.RUNS)
    store.append_rows(silver.CATEGORIES, [category("cat"), category("cat", dataset="birds")])
    store.append_rows(ops.RUNS, [{"run_id": "a", "at": NOON}])  # a table without partitions
    assert [row["dataset"] for row in store.collect(silver.CATEGORIES, "birds")] == ["birds"]
    assert [row["run_id"] for row in store.collect(ops.RUNS)] == ["a"]


def test_many_writers_at_once_lose_nothing(storage: LocalStorage) -> None:
    store = store_of(storage, silver.CATEGORIES)
    ready = threading.Barrier(8)

    def write(writer: int) -> None:
        ready.wait()
        for n in range(5):
            store.append_rows(silver.CATEGORIES, [category(f"{writer}-{n}")], Txn("build/pets", 1) if n == 0 else None)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    names = [row["name"] for row in store.collect(silver.CATEGORIES, "pets")]
    first = [name for name in names if name.endswith("-0")]
    assert len(first) == 1, "of one transaction one commit goes through"
    assert sorted(names) == sorted([f"{w}-{n}" for w in range(8) for n in range(1, 5)] + first)
    assert store.version(silver.CATEGORIES) == 33


def test_a_table_that_needs_another_writer_is_refused(storage: LocalStorage) -> None:
    store = store_of(storage, silver.CATEGORIES)
    protocol = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 4}}
    storage.put(f"{silver.CATEGORIES.path}/_delta_log/{1:020d}.json", json.dumps(protocol).encode())
    with pytest.raises(LakeFormatError, match=r"silver.categories needs writer version 4 of Delta"):
        store.append_rows(silver.CATEGORIES, [category("cat")])


NAMES = st.sampled_from("abcdef")
STEPS = st.lists(st.dictionaries(NAMES, st.one_of(st.none(), st.integers(0, 9)), max_size=4), max_size=6)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_changes_by_key_give_what_a_dictionary_gives(tmp_path_factory: Any, steps: list[dict[str, int | None]]) -> None:
    storage = LocalStorage(tmp_path_factory.mktemp("lake"))
    store = store_of(storage, silver.CATEGORIES)
    store.append_rows(silver.CATEGORIES, [category("a", 7, "birds")])
    expected: dict[str, int] = {}
    for number, step in enumerate(steps, start=1):
        changed(storage, step, number)
        expected = {**expected, **step}
        expected = {name: index for name, index in expected.items() if index is not None}
    rows = store.collect(silver.CATEGORIES, "pets")
    assert {row["name"]: row["train_index"] for row in rows} == expected
    assert len(rows) == len(expected)
    assert [row["train_index"] for row in store.collect(silver.CATEGORIES, "birds")] == [7]


def changed(storage: LocalStorage, step: dict[str, int | None], number: int) -> int | None:
    rows = table_of(silver.CATEGORIES, [category(name, index or 0) for name, index in step.items()])
    marks = pa.array(["drop" if index is None else "put" for index in step.values()], pa.string())
    return upsert(storage, silver.CATEGORIES, "pets", rows.append_column(CHANGE, marks), Txn("b", number))


def test_a_file_that_holds_its_partition_too_is_changed_as_any_other(storage: LocalStorage) -> None:
    """Spark writes such files."""
    store = store_of(storage, silver.CATEGORIES)
    sink = pa.BufferOutputStream()
    pq.write_table(table_of(silver.CATEGORIES, [category("a"), category("b")]), sink)
    data = sink.getvalue().to_pybytes()
    file = DataFile("dataset=pets/of-spark.parquet", {"dataset": "pets"}, len(data), 2, '{"numRecords": 2}')
    storage.put(f"{silver.CATEGORIES.path}/{file.path}", data)
    commit(storage, silver.CATEGORIES, None, lambda _: FileChange("WRITE", [file]))
    changed(storage, {"a": 5}, 1)
    assert {r["name"]: (r["dataset"], r["train_index"]) for r in store.collect(silver.CATEGORIES)} == {
        "a": ("pets", 5),
        "b": ("pets", 0),
    }


def test_only_files_that_hold_a_changed_image_are_written_anew(storage: LocalStorage) -> None:
    store = store_of(storage, silver.IMAGES)
    for names in (("a", "b"), ("c", "d")):
        store.append_rows(silver.IMAGES, [{"dataset": "pets", "image_key": name} for name in names])
    before = set(log_of(storage, silver.IMAGES).file_uris())
    rows = table_of(silver.IMAGES, [{"dataset": "pets", "image_key": "d", "width": 5}])
    put = rows.append_column(CHANGE, pa.array(["put"]))
    assert upsert(storage, silver.IMAGES, "pets", put, Txn("build/pets", 1)) == 3
    after = set(log_of(storage, silver.IMAGES).file_uris())
    assert len(before & after) == 1
    assert upsert(storage, silver.IMAGES, "pets", put, Txn("build/pets", 1)) is None, "done already"
    assert {row["image_key"]: row["width"] for row in store.collect(silver.IMAGES)} == dict(a=None, b=None, c=None, d=5)


def test_more_rows_than_one_process_should_write_anew_are_left_alone(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagelake.tables.delta.upsert.MOST_ROWS", 1)
    store = store_of(storage, silver.CATEGORIES)
    store.append_rows(silver.CATEGORIES, [category("a"), category("b")])
    with pytest.raises(TooManyRows):
        changed(storage, {"a": 5}, 1)
    assert store.version(silver.CATEGORIES) == 1
