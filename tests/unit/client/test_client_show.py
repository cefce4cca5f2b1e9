from __future__ import annotations

from datetime import datetime, timezone

import pytest

import imagelake
from imagelake.client.delta.tables import Tables
from imagelake.client.inspect import runs
from imagelake.errors import NotFound, UsageError
from imagelake.storage.local import LocalStorage
from imagelake.tables import gold, ops
from lake_tables import write_rows
from lakes import LakeMaker
from pet_lake import Pets


def test_show_lists_every_dataset_with_its_newest_version_and_what_waits(pets: Pets) -> None:
    pets.maker.image("cars", "x.png")
    pets.maker.deliver("cars")
    pets.maker.deliver("cars", "landed")
    pets.maker.deliver("cars", "rejected")
    pets.maker.flush()
    (pets.maker.root / "datasets").mkdir()
    (pets.maker.root / "datasets" / "cars.yaml").write_text("title: My cars\ntags: [road, day]\n")
    assert pets.lake.show().as_json()["datasets"] == [
        {
            "dataset": "cars",
            "title": "My cars",
            "tags": ["road", "day"],
            "version": None,
            "images": 0,
            "annotations": 0,
            "draft_images": 1,
            "draft_annotations": 0,
            "draft_differs": True,
            "pending_uploads": 2,
            "rejections": 0,
            "problem_uploads": 1,
            "waiting_saves": 0,
        },
        {
            "dataset": "pets",
            "title": None,
            "tags": [],
            "version": "pets@v3",
            "images": 5,
            "annotations": 4,
            "draft_images": 5,
            "draft_annotations": 4,
            "draft_differs": False,
            "pending_uploads": 0,
            "rejections": 1,
            "problem_uploads": 0,
            "waiting_saves": 0,
        },
    ]


def _pets(lake: imagelake.Lake) -> dict[str, object]:
    return next(d for d in lake.show().as_json()["datasets"] if d["dataset"] == "pets")


def test_the_draft_differs_when_a_row_changed_although_all_counts_are_equal(pets: Pets) -> None:
    pets.maker.image("pets", "c.png", b"other bytes", width=8, height=6, split="train")
    pets.maker.deliver("pets")
    pets.maker.flush()
    assert (_pets(pets.lake)["draft_differs"], _pets(pets.lake)["pending_uploads"]) == (True, 1)


def test_an_upload_that_took_its_own_change_back_leaves_the_draft_as_published(pets: Pets) -> None:
    pets.maker.deliver("pets")
    pets.maker.flush()
    assert (_pets(pets.lake)["draft_differs"], _pets(pets.lake)["pending_uploads"]) == (False, 1)


def test_a_settings_file_nobody_can_read_hides_no_dataset(pets: Pets) -> None:
    (pets.maker.root / "datasets").mkdir()
    (pets.maker.root / "datasets" / "pets.yaml").write_bytes(b"\xff: [")
    assert _pets(pets.lake)["title"] is None


def test_compacted_tables_show_the_same(pets: Pets) -> None:
    before = [pets.lake.show(what).as_json() for what in (None, "pets", "pets@v1", "pets@best")]
    for table in pets.maker.root.glob("tables/*/*"):
        imagelake_compact(table)
    assert [pets.lake.show(what).as_json() for what in (None, "pets", "pets@v1", "pets@best")] == before


def imagelake_compact(table: object) -> None:
    from deltalake import DeltaTable

    DeltaTable(str(table)).optimize.compact()


def test_show_of_a_dataset_lists_its_versions_in_the_order_of_publishing(pets: Pets) -> None:
    versions = pets.lake.show("pets").as_json()["versions"]
    assert [v["version"] for v in versions] == ["pets@v1", "pets@v2", "pets@v2.2", "pets@v3"]
    assert [v["aliases"] for v in versions] == [[], [], ["best"], ["gold"]]
    first = versions[0]
    assert set(first) == {
        "version",
        "number",
        "recipe",
        "parent",
        "state",
        "digest",
        "images",
        "annotations",
        "created_at",
        "aliases",
        "note",
        "author",
    }
    assert (first["number"], first["recipe"], first["parent"], first["note"]) == (1, 1, None, "first")
    assert (first["author"], pets.lake.show("pets@v1").as_json()["author"]) == ("ann", "ann")
    assert (first["images"], first["annotations"], first["state"]) == (4, 3, "published")
    assert first["created_at"].startswith("2026-01-01T00:00")
    assert first["created_at"].endswith("Z")
    assert first["digest"].startswith("d1:")


def test_show_of_a_version_adds_splits_categories_and_quality(pets: Pets) -> None:
    shown = pets.lake.show("pets@v1").as_json()
    assert shown["version"] == "pets@v1"
    assert shown["splits"] == {
        "train": {"images": 2, "annotations": 2},
        "test": {"images": 1, "annotations": 1},
        "val": {"images": 1, "annotations": 0},
    }
    assert shown["categories"] == [
        {"name": "cat", "images": 2, "annotations": 2},
        {"name": "dog", "images": 1, "annotations": 1},
    ]
    assert shown["quality"] == {}


def test_show_of_the_draft_counts_it(pets: Pets) -> None:
    shown = pets.lake.show("pets@draft").as_json()
    assert (shown["state"], shown["images"], shown["annotations"], shown["parent"]) == ("draft", 5, 4, "v3.1")
    assert shown["splits"]["train"] == {"images": 3, "annotations": 3}
    assert {"name": "dog", "images": 1, "annotations": 1} in shown["categories"]


def test_runs_end_run_or_died(pets: Pets) -> None:
    found = {r["run_id"]: r for r in pets.lake.runs().as_json()["runs"]}
    assert {i: r["status"] for i, r in found.items()} == {"r1": "done", "r2": "failed", "r3": "died"}
    assert found["r2"]["problem"] == "it broke"
    assert found["r1"]["ended_at"] > found["r1"]["started_at"]
    held = runs.runs(Tables(LocalStorage(pets.maker.root)), frozenset(("r3",)))
    assert {r.run_id: r.status for r in held.runs}["r3"] == "running"
    assert [r.run_id for r in held.runs] == ["r3", "r2", "r1"]


def test_a_table_tells_its_commits_and_how_far_back_it_reaches(pets: Pets) -> None:
    shown = pets.lake.table("gold.versions").as_json()
    assert (shown["rows"], shown["delta_version"], shown["oldest_version"]) == (4, 3, 0)
    assert [c["version"] for c in shown["history"]] == [3, 2, 1, 0]
    assert shown["history"][0]["rows_added"] == 1
    assert shown["retention"] == "interval 7 days"


def test_versions_past_the_retention_are_out_of_reach_but_the_newest_never_is(pets: Pets) -> None:
    from imagelake.client.inspect.table_history import table_history

    far = datetime(2999, 1, 1, tzinfo=timezone.utc)
    assert table_history(Tables(LocalStorage(pets.maker.root)), "gold.versions", far).oldest_version == 3


def test_a_table_that_does_not_exist_is_not_found_with_the_nearest_names(pets: Pets) -> None:
    with pytest.raises(NotFound) as error:
        pets.lake.table("gold.version")
    assert "gold.versions" in (error.value.hint or "")


def test_rejections_are_the_open_ones_unless_closed_ones_are_asked_for(pets: Pets) -> None:
    assert pets.lake.rejections("pets").as_json() == {
        "count": 1,
        "rules": [{"rule": "box.degenerate", "count": 1, "files": 1, "doc": None}],
        "rejections": [
            {
                "upload_id": "u1",
                "path": "x.json",
                "locator": "7",
                "rule": "box.degenerate",
                "severity": "quarantine",
                "message": "box.degenerate broken",
                "raw": "{}",
            }
        ],
        "problems": [],
    }
    assert [r.locator for r in pets.lake.rejections("pets", closed=True).rejections] == ["8"]
    with pytest.raises(NotFound):
        pets.lake.rejections("pest")
    with pytest.raises(UsageError):
        pets.lake.rejections("../pets")


def test_a_run_row_written_twice_by_a_retry_shows_one_run(maker: LakeMaker) -> None:
    maker.run("r1", "run", "done")
    maker.flush()
    end = {"run_id": "r1", "phase": "end", "verb": "run", "status": "done", "at": maker.now(), "seconds": 2.0}
    write_rows(maker.root, ops.RUNS, [end])
    assert len(imagelake.open(str(maker.root)).runs().runs) == 1


def test_every_gold_statistic_the_listing_reads_is_kept_by_delta() -> None:
    """Else a lake of a thousand datasets opens a thousand files to list them."""
    from imagelake.client.catalog import FACTS

    assert set(FACTS) <= set(gold.VERSIONS.stats)
