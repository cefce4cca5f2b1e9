"""Which partitions are compacted, in what portions, and who is skipped; Spark's OPTIMIZE itself is in tests/spark."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.lakes import LakeMaker

from imagelake.cli.main import main
from imagelake.config.settings import load
from imagelake.errors import Conflict
from imagelake.maintenance import compaction
from imagelake.maintenance.compaction import Compaction, compact_tables
from imagelake.maintenance.partitions import MOST_BYTES, CrowdedPartition, TableFiles, survey_tables
from imagelake.runs.context import system_clock
from imagelake.storage.base import Storage
from imagelake.storage.leases.lease import acquire, live_runs
from imagelake.storage.leases.lease_record import Holder, LeaseRecord, encode_record, this_process
from imagelake.storage.open_lake import create_lake, open_lake
from imagelake.tables import bronze, gold, ops, silver
from imagelake.tables.delta.upkeep import Rewritten

if TYPE_CHECKING:
    from imagelake.runs.context import Context

MANY = 10
REWRITTEN = Rewritten(files_removed=9, files_added=1, bytes_removed=900, bytes_added=100)


def crowded_lake(root: Path) -> Storage:
    """pets has a version a night, birds three, and a run was recorded each night."""
    maker = LakeMaker(root)
    for number in range(MANY):
        for dataset in ("pets", *(("birds",) if number < 3 else ())):
            maker.image(dataset, f"{number}.png", f"{dataset}{number}".encode(), width=8, height=6)
            maker.deliver(dataset)
            maker.publish(dataset)
        maker.run(uuid.uuid4().hex, "run", "done")
        maker.flush()
    return open_lake(str(root)).storage


def test_partitions_with_many_small_files_are_worth_it_and_others_are_not(tmp_path: Path) -> None:
    survey = survey_tables(crowded_lake(tmp_path / "lake"))
    assert {(p.spec.name, p.dataset) for p in survey.crowded} == {
        ("bronze.uploads", "pets"),
        ("gold.image_log", "pets"),
        ("gold.split_log", "pets"),
        ("gold.versions", "pets"),
        ("ops.runs", None),
    }
    images = next(p for p in survey.crowded if p.spec is gold.IMAGE_LOG)
    assert images.files.files == MANY
    assert survey.tables["gold.image_log"].files == MANY + 3
    assert 0 < images.files.bytes < survey.tables["gold.image_log"].bytes
    assert images.target > file_target(silver.IMAGES), "a MERGE rewrites whole files"


def file_target(spec: Any) -> int:
    return CrowdedPartition(spec, "pets", TableFiles(1, 1), 1).target


def context(storage: Storage) -> Context:
    run_id = uuid.uuid4().hex
    return cast(
        "Context",
        SimpleNamespace(
            storage=storage,
            settings=load(),
            holder=this_process(run_id),
            run_id=run_id,
            clock=system_clock,
            progress=lambda _: None,
            spark=None,
            tables=SimpleNamespace(uri=lambda spec: spec.name),
        ),
    )


class Optimize:
    """Stands for Spark's OPTIMIZE: what it was asked for, and which runs held a lease then."""

    def __init__(self, storage: Storage, conflict: str | None = None) -> None:
        self.asked: list[tuple[str, tuple[str, ...], int]] = []
        self.leases: list[frozenset[str]] = []
        self._storage, self._conflict = storage, conflict

    def __call__(self, _: Any, uri: str, datasets: Sequence[str], below: int, __: int) -> Rewritten:
        if uri == self._conflict:
            raise Conflict("another writer changed its files meanwhile")
        self.asked.append((uri, tuple(datasets), below))
        self.leases.append(live_runs(self._storage, system_clock))
        return REWRITTEN


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return create_lake(str(tmp_path / "lake"), system_clock).storage


def partition(spec: Any, dataset: str | None, size: int = 1000, below: int = 1 << 24) -> CrowdedPartition:
    return CrowdedPartition(spec, dataset, TableFiles(10, size), below)


def compacted(storage: Storage, monkeypatch: pytest.MonkeyPatch, *crowded: CrowdedPartition, **how: Any) -> Any:
    optimize = Optimize(storage, **how)
    monkeypatch.setattr(compaction, "compact", optimize)
    ctx = context(storage)
    done = compact_tables(ctx, crowded)
    assert live_runs(storage, system_clock) == frozenset()
    assert set().union(*optimize.leases) <= {ctx.run_id}
    return done, optimize


def test_one_commit_a_table_takes_many_datasets_under_their_leases(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowded = [partition(spec, name) for spec in (silver.IMAGES, gold.IMAGE_LOG) for name in ("a", "b")]
    done, optimize = compacted(storage, monkeypatch, *crowded, partition(ops.RUNS, None))
    assert [(uri, datasets) for uri, datasets, _ in optimize.asked] == [
        ("ops.runs", ()),
        ("silver.images", ("a", "b")),
        ("gold.image_log", ("a", "b")),
    ]
    assert [len(runs) for runs in optimize.leases] == [0, 1, 1]
    assert [(r.dataset, r.status) for r in done.reports()] == [("a", "compacted"), ("b", "compacted")]
    assert done.notices == []


def test_a_lease_is_held_for_a_bounded_amount_of_work(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    half = MOST_BYTES // 2
    crowded = [partition(silver.IMAGES, name, half) for name in ("a", "b", "c")]
    many = [partition(gold.IMAGE_LOG, f"set{number:03}") for number in range(60)]
    _, optimize = compacted(storage, monkeypatch, *crowded, *many)
    assert [len(datasets) for _, datasets, _ in optimize.asked] == [2, 1, 49, 11]


def test_a_dataset_that_is_held_or_whose_writer_may_be_asleep_is_skipped(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = this_process(uuid.uuid4().hex)
    asleep = Holder(uuid.uuid4().hex, "there", "another-boot/pid:[1]", mine.processes)
    ago = system_clock() - timedelta(hours=1)
    storage.put("locks/b.json", encode_record(LeaseRecord(asleep, 3, ago, ago)))
    with acquire(storage, "a", mine, load().lease, system_clock):
        optimize = Optimize(storage)
        monkeypatch.setattr(compaction, "compact", optimize)
        done = compact_tables(context(storage), [partition(silver.IMAGES, name) for name in ("a", "b", "c")])
    assert [datasets for _, datasets, _ in optimize.asked] == [("c",)]
    assert done.notices[0].startswith(f"a not compacted: a is held by run {mine.run_id}")
    assert done.notices[1:] == ["b not compacted: its last writer may be asleep"]
    assert [(r.dataset, r.status) for r in done.reports()] == [("a", "skipped"), ("b", "skipped"), ("c", "compacted")]
    with acquire(storage, "b", mine, load().lease, system_clock) as lease:
        assert lease.maybe_paused, "the next build still has to fence the sleeper off"


def test_a_conflict_skips_one_table_of_a_dataset(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    crowded = [partition(bronze.FILES, "a"), partition(silver.IMAGES, "a"), partition(ops.RUNS, None)]
    done, optimize = compacted(storage, monkeypatch, *crowded, conflict="silver.images")
    assert [uri for uri, _, _ in optimize.asked] == ["ops.runs", "bronze.files"]
    assert done.notices == ["a not compacted: silver.images: another writer changed its files meanwhile"]
    assert [(r.dataset, r.status, r.exit_code) for r in done.reports()] == [("a", "compacted", 0)]


def test_the_verb_says_files_and_bytes_before_and_after(
    cli: Any, engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    survey = survey_tables(crowded_lake(tmp_path / "lake"))
    engine.compaction = Compaction()
    engine.compaction.add(gold.IMAGE_LOG, ["pets"], REWRITTEN)
    engine.compaction.skip("birds", "birds is held by run 7")
    engine.stand_in(monkeypatch, "maintenance.compaction.compact_tables", "compaction")
    words = ("maintain", "--only", "optimize", "--lake", str(tmp_path / "lake"))
    done = cli(*words, "--json")
    before = survey.tables["gold.image_log"]
    assert (done.code, engine.asked) == (0, [(survey.crowded,)])
    assert done.document == {
        "only": "optimize",
        "optimize": {
            "tables": [
                {
                    "table": "gold.image_log",
                    "files_before": before.files,
                    "files_after": before.files - 8,
                    "bytes_before": before.bytes,
                    "bytes_after": before.bytes - 800,
                }
            ],
            "notices": ["birds not compacted: birds is held by run 7"],
        },
    }
    assert [(r.dataset, r.status) for r in engine.reports] == [("birds", "skipped"), ("pets", "compacted")]
    said = cli(*words).out
    assert f"compacted gold.image_log: {before.files} files of " in said
    assert "  birds not compacted: birds is held by run 7" in said


def test_a_machine_without_spark_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crowded_lake(tmp_path / "lake")
    monkeypatch.setitem(sys.modules, "imagelake.maintenance.compaction", None)
    assert main(["maintain", "--only", "optimize", "--lake", str(tmp_path / "lake")]) == 2
    said = capsys.readouterr().err
    assert "5 partitions of tables are to be compacted" in said
    assert 'pip install "imagelake[spark]"' in said
