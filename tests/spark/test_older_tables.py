"""A table that an older imagelake made gets the columns it lacks, and every state of it stays readable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pyspark.sql import SparkSession

from imagelake.client.delta.tables import Tables
from imagelake.config.settings import load
from imagelake.runs.context import system_clock
from imagelake.storage.open_lake import create_lake
from imagelake.tables import silver
from imagelake.tables.delta.store import DeltaStore

OLDER = replace(silver.CATEGORIES, columns=tuple(c for c in silver.CATEGORIES.columns if c.name != "attributes"))
CAT, DOG = {"dataset": "pets", "name": "cat"}, {"dataset": "pets", "name": "dog", "attributes": "{}"}


def test_columns_are_added_once_and_are_null_before(tmp_path: Path, spark: SparkSession) -> None:
    settings = load(None, [f"lake={(tmp_path / 'lake').as_uri()}"])
    lake = create_lake(settings.lake, system_clock)
    store = DeltaStore(spark, lake.storage, settings.delta)
    store.ensure(OLDER)
    store.append(OLDER, store.frame(OLDER, [CAT]))
    before = store.version(OLDER)

    store.ensure(silver.CATEGORIES)
    store.ensure(silver.CATEGORIES)
    assert store.version(silver.CATEGORIES) == before + 1, "one commit, and none for a table that has them"
    store.append(silver.CATEGORIES, store.frame(silver.CATEGORIES, [DOG]))

    attributes = {"cat": None, "dog": "{}"}
    assert {r["name"]: r["attributes"] for r in store.collect(silver.CATEGORIES, "pets")} == attributes
    assert {r["name"]: r["attributes"] for r in store.read(silver.CATEGORIES, "pets").collect()} == attributes
    rows = Tables(lake.storage).rows(silver.CATEGORIES, ("name", "attributes"))
    assert {r["name"]: r["attributes"] for r in rows} == attributes

    (row,) = store.collect(silver.CATEGORIES, "pets", before)
    assert (row["name"], row["attributes"]) == ("cat", None)
    (old,) = store.read(silver.CATEGORIES, "pets", before).collect()
    assert (old["name"], old["attributes"]) == ("cat", None)
