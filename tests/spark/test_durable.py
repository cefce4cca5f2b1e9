"""A commit on local disk survives a power cut together with what it names: strace sees the order."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from tests.syscalls import Call, traced

APPENDS = """
import sys
from imagelake.runs.context import system_clock
from imagelake.engine.session import open_session
from imagelake.config.settings import load
from imagelake.storage.open_lake import create_lake
from imagelake.tables import silver
from imagelake.tables.delta.store import DeltaStore

settings = load(None, [f"lake={sys.argv[1]}", "spark.master=local[1]", "spark.shuffle_partitions=1"])
lake = create_lake(settings.lake, system_clock)
store = DeltaStore(open_session(settings, "appends"), lake.storage, settings.delta)
store.ensure(silver.CATEGORIES)
for dataset in ("pets", "birds"):
    rows = [{"dataset": dataset, "name": name, "row_hash": b"1"} for name in ("cat", "dog")]
    store.append(silver.CATEGORIES, store.frame(silver.CATEGORIES, rows))
"""


@pytest.mark.slow
def test_data_files_are_synced_before_the_commit_that_names_them(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    calls = traced(tmp_path, APPENDS, str(lake))
    table = lake / "tables/silver/categories"
    commits = sorted(table.glob("_delta_log/*.json"))
    assert [commit.name for commit in commits] == [f"{number:020}.json" for number in range(3)]
    created = calls.index(Call("name", str(commits[0])))
    assert created < calls.index(Call("flush", str(lake)), created) < calls.index(Call("name", str(commits[1])))
    for commit in commits[1:]:
        named = calls.index(Call("name", str(commit)))
        data = [table / unquote(action["add"]["path"]) for action in _actions(commit) if "add" in action]
        assert data
        for file in data:
            for place in (file, file.parent, table):
                assert calls.index(Call("sync", str(place)), created) < named, f"{place} is synced before {commit.name}"
        assert Call("sync", str(commit.parent)) in calls[named:], "then the commit's own name"


def _actions(commit: Path) -> list[dict[str, dict[str, str]]]:
    return [json.loads(line) for line in commit.read_text().splitlines()]
