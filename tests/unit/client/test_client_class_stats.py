"""The view class_stats: what a plain count of the rows says."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagelake.client import lake as client
from imagelake.client.delta.tables import Tables
from imagelake.client.lake import Lake
from imagelake.tables import gold
from lakes import LakeMaker
from pet_lake import Pets

ROWS = "select a.category, a.image_key, s.split from annotations a join splits s using (image_key)"


def _counted(lake: Lake, at: str) -> dict[str, tuple[int, int, float | None, dict[str, dict[str, int]]]]:
    """Category to images, annotations, share and counts by split, from the rows one by one."""
    names = [row[0] for row in lake.sql("select name from categories", at=at).rows]
    splits = [row[0] for row in lake.sql("select distinct split from splits", at=at).rows]
    rows = lake.sql(ROWS, at=at).rows
    keys: dict[Any, list[str]] = defaultdict(list)
    for category, key, split in rows:
        keys[category].append(key)
        keys[category, split].append(key)
    return {
        name: (
            len(set(keys[name])),
            len(keys[name]),
            len(keys[name]) / len(rows) if rows else None,
            {s: {"images": len(set(keys[name, s])), "annotations": len(keys[name, s])} for s in sorted(splits)},
        )
        for name in names
    }


def _shown(lake: Lake, at: str) -> dict[str, Any]:
    query = "select category, images, annotations, share, by_split from class_stats"
    return {row[0]: row[1:] for row in lake.sql(query, at=at).rows}


@pytest.mark.parametrize("at", ["pets@v1", "pets@v2", "pets@v2.2", "pets@v3", "pets@draft"])
def test_it_says_what_a_plain_count_says(pets: Pets, at: str) -> None:
    assert _shown(pets.lake, at) == _counted(pets.lake, at)


def test_without_a_reference_it_shows_the_newest_version_of_every_dataset(pets: Pets) -> None:
    maker = pets.maker
    maker.image("cars", "x.png")
    maker.box("cars", "x.png", "cat", (0, 0, 1, 1))
    maker.deliver("cars")
    maker.publish("cars")
    maker.flush()
    rows = pets.lake.sql("select dataset, category, annotations, share from class_stats order by all").rows
    assert rows == (
        ("cars", "cat", 1, 1.0),
        ("pets", "bird", 1, 0.25),
        ("pets", "cat", 2, 0.5),
        ("pets", "dog", 1, 0.25),
    )


def test_two_versions_stand_side_by_side(pets: Pets) -> None:
    query = """select category, n.annotations - coalesce(o.annotations, 0) as more
        from class_stats_at('pets@v3') n left join class_stats_at('pets@v2') o using (category) order by category"""
    assert pets.lake.sql(query).rows == (("bird", 0), ("cat", 1), ("dog", 0))


def test_a_split_without_a_class_has_zeros(pets: Pets) -> None:
    query = "select category from class_stats where by_split['val'].images = 0 order by category"
    assert pets.lake.sql(query, at="pets@v1").rows == (("cat",), ("dog",))


def test_totals_of_a_version_come_from_its_row_and_open_no_log(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    log = Tables.log

    def spy(self: Tables, spec: Any) -> Any:
        opened.append(spec.name)
        return log(self, spec)

    monkeypatch.setattr(Tables, "log", spy)
    pets.lake.sql("select category, images, annotations, share from class_stats", at="pets@v1")
    assert set(opened) == {gold.VERSIONS.name}


def test_a_version_row_without_statistics_is_counted(maker: LakeMaker) -> None:
    maker.image("pets", "a.png")
    maker.box("pets", "a.png", "cat", (0, 0, 1, 1))
    maker.box("pets", "a.png", "cat", (0, 0, 2, 1))
    maker.draft("pets").category("dog")
    maker.deliver("pets")
    maker.publish("pets", class_stats=None)
    maker.flush()
    rows = client.open(str(maker.root)).sql("select category, images, annotations, share from class_stats").rows
    assert sorted(rows) == [("cat", 1, 2, 1.0), ("dog", 0, 0, 0.0)]


def test_nothing_labelled_has_no_shares(maker: LakeMaker) -> None:
    maker.image("pets", "a.png")
    maker.draft("pets").category("dog")
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    lake = client.open(str(maker.root))
    assert lake.sql("select category, annotations, share from class_stats").rows == (("dog", 0, None),)
    assert json.loads(json.dumps(lake.sql("select * from class_stats").as_json()))["rows"][0][1] == "dog"


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("xy'\"{\\é", min_size=1, max_size=3)), max_size=6))
def test_any_names_are_counted(tmp_path_factory: pytest.TempPathFactory, labels: list[tuple[str, str]]) -> None:
    maker = LakeMaker(tmp_path_factory.mktemp("any") / "lake")
    for key in "abc":
        maker.image("pets", key, split="train" if key == "a" else "val")
    for n, (key, category) in enumerate(labels):
        maker.box("pets", key, category, (n, 0, 1, 1))
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    lake = client.open(str(maker.root))
    assert _shown(lake, "pets@v1") == _counted(lake, "pets@v1")
