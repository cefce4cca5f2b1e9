"""What became of each upload: its furthest state, and those that brought nothing."""

from __future__ import annotations

from typing import Any

import pytest

import imagelake
from imagelake.client.lake import Lake
from lakes import LakeMaker


def lake_of(maker: LakeMaker) -> Lake:
    maker.flush()
    return imagelake.open(str(maker.root))


def problems(lake: Lake) -> list[tuple[int, str, str | None]]:
    shown = lake.show("pets").as_json()["problems"]
    assert lake.rejections("pets").as_json()["problems"] == shown
    counts = [d["problem_uploads"] for d in lake.show().as_json()["datasets"] if d["dataset"] == "pets"]
    assert counts == [len(shown)]
    return [(p["sequence"], p["state"], p["problem"]) for p in shown]


def deliver(maker: LakeMaker, state: str, **values: Any) -> str:
    maker.image("pets", f"{maker.draft('pets').deliveries}.png")
    return maker.deliver("pets", state, **values)


@pytest.mark.parametrize("state", ["built", "unchanged", "superseded", "rejected", "failed"])
def test_the_view_uploads_shows_the_newest_state_and_its_problem(maker: LakeMaker, state: str) -> None:
    deliver(maker, state, problem="why")
    rows = lake_of(maker).sql("select sequence, state, problem from uploads").rows
    assert rows == ((1, state, "why"),)


def test_an_upload_that_failed_and_was_built_later_is_built(maker: LakeMaker) -> None:
    deliver(maker, "failed", problem="TypeError")
    lake = lake_of(maker)
    assert problems(lake) == [(1, "failed", "TypeError")]
    maker.again("pets", 1, "landed")
    maker.flush()
    assert problems(lake) == [(1, "failed", "TypeError")], "landed is the lowest state, whenever its row is written"
    maker.again("pets", 1, "built")
    maker.flush()
    assert lake.sql("select sequence, state from uploads").rows == ((1, "built"),)
    assert problems(lake) == []


def test_failed_uploads_and_those_rejected_since_the_newest_built_one_are_problems(maker: LakeMaker) -> None:
    deliver(maker, "rejected", problem="old")
    deliver(maker, "failed", problem="TypeError", source="s3://up/a.zip")
    deliver(maker, "built")
    deliver(maker, "rejected", problem="not a zip file", source="s3://up/b.zip")
    deliver(maker, "unchanged")
    deliver(maker, "landed")
    lake = lake_of(maker)
    assert problems(lake) == [(2, "failed", "TypeError"), (4, "rejected", "not a zip file")]
    first = lake.show("pets").as_json()["problems"][0]
    assert set(first) == {"sequence", "upload_id", "source", "state", "problem"}
    assert first["source"] == "s3://up/a.zip"
    assert lake.rejections("pets", closed=True).problems == ()


def test_a_failed_upload_that_came_again_and_was_taken_is_no_problem(maker: LakeMaker) -> None:
    upload = deliver(maker, "failed", source="s3://up/a.zip")
    deliver(maker, "failed", source="s3://up/b.zip")
    deliver(maker, "failed", source="s3://up/c.zip")
    deliver(maker, "unchanged", upload_id=upload)
    deliver(maker, "built", source="s3://up/b.zip")
    assert [number for number, *_ in problems(lake_of(maker))] == [3]


def test_saves_and_removals_share_one_source_and_hide_no_failure(maker: LakeMaker) -> None:
    deliver(maker, "failed", source="s3://lake/labels/pets", format="labels")
    deliver(maker, "failed", source="remove", mode="remove")
    deliver(maker, "built", source="s3://lake/labels/pets", format="labels")
    deliver(maker, "built", source="remove", mode="remove")
    assert [number for number, *_ in problems(lake_of(maker))] == [1, 2]


def test_a_failed_upload_is_not_pending(maker: LakeMaker) -> None:
    deliver(maker, "failed")
    (shown,) = lake_of(maker).show().as_json()["datasets"]
    assert (shown["pending_uploads"], shown["problem_uploads"]) == (0, 1)
