"""Which objects are collected: those whose places have all ended, and whose bytes lie elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from imagelake.maintenance.packing import collect
from imagelake.maintenance.packing.collect import collect_objects
from imagelake.storage import open_storage
from imagelake.storage.base import Storage
from imagelake.tables import bronze
from lakes import LakeMaker

HOUR = timedelta(hours=1)


@pytest.fixture
def maker(tmp_path: Path) -> LakeMaker:
    return LakeMaker(tmp_path / "lake")


def end(maker: LakeMaker, uri: str, dataset: str = "pets") -> None:
    """Say that every place in an object has ended."""
    rows = [row for row in maker.pending["bronze.blobs"] if row["uri"] == uri and row["dataset"] == dataset]
    maker.add(bronze.BLOBS, *(row | {"state": "ended", "at": maker.now()} for row in rows))


def opened(maker: LakeMaker) -> Storage:
    maker.flush()
    return open_storage(str(maker.root), None)


def later() -> datetime:
    return datetime(2027, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize("few", [1000, 0])
def test_an_object_goes_when_its_bytes_lie_elsewhere(
    maker: LakeMaker, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "_FEW", few)
    first = maker.keep("pets", [b"one", b"two"], "deflate")
    second = maker.keep("pets", [b"one", b"two"], "stored")
    end(maker, first)
    storage = opened(maker)
    assert collect_objects(storage, HOUR, later).paths == (first,)
    assert storage.stat(second) is not None
    assert collect_objects(storage, HOUR, later).paths == (), "it is gone"


def test_bytes_that_lie_nowhere_else_stay(maker: LakeMaker) -> None:
    first = maker.keep("pets", [b"one", b"two"], "deflate")
    maker.keep("pets", [b"one"], "stored")
    end(maker, first)
    assert collect_objects(opened(maker), HOUR, later).paths == ()


def test_an_object_that_another_dataset_uses_stays(maker: LakeMaker) -> None:
    first = maker.keep("pets", [b"one"], "deflate")
    maker.keep("birds", [b"one"], "deflate")
    maker.keep("pets", [b"one"], "stored")
    end(maker, first)
    assert collect_objects(opened(maker), HOUR, later).paths == ()


def test_nothing_goes_before_its_time(maker: LakeMaker) -> None:
    first = maker.keep("pets", [b"one"], "deflate")
    maker.keep("pets", [b"one"], "stored")
    end(maker, first)
    storage = opened(maker)
    collected = collect_objects(storage, timedelta(days=1000), later)
    assert (collected.paths, collected.waiting) == ((), 1)
    assert storage.stat(first) is not None
