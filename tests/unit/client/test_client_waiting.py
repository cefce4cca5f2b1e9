"""Saves that wait are counted where somebody looks at datasets and drafts."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelling import CAT, DOG, put

from imagelake.client.delta.tables import Tables
from imagelake.client.inspect.waiting_saves import waiting_saves
from imagelake.client.lake import Lake
from imagelake.storage.local import LocalStorage
from imagelake.tables import bronze
from pet_lake import Pets


def counts(lake: Lake) -> list[int]:
    """The number as each verb says it."""
    (listed,) = (d for d in lake.show().as_json()["datasets"] if d["dataset"] == "pets")
    documents = (listed, lake.show("pets"), lake.show("pets@draft"), lake.diff("pets@v3", "pets@draft"))
    return [(d if isinstance(d, dict) else d.as_json())["waiting_saves"] for d in documents]


def saves(pets: Pets) -> list[str]:
    """Where the saves lie, as URIs."""
    return [path.as_uri() for path in sorted((pets.maker.root / "labels").rglob("*.json"))]


def deliver(pets: Pets, sources: list[str], state: str) -> None:
    """An upload of format `labels` that brings these saves."""
    maker = pets.maker
    attempt = f"{len(maker.draft('pets').annotations)}{state}"
    maker.add(bronze.FILES, *({"dataset": "pets", "attempt_id": attempt, "path": s, "source": s} for s in sources))
    maker.deliver("pets", state, format="labels", attempt_id=attempt)
    maker.flush()


def test_no_save_waits_at_first(pets: Pets) -> None:
    assert counts(pets.lake) == [0, 0, 0, 0]
    for document in (pets.lake.show("pets@v3").as_json(), pets.lake.diff("pets@v1", "pets@v3").as_json()):
        assert "waiting_saves" not in document


def test_every_save_without_an_upload_waits(pets: Pets) -> None:
    put(pets.lake, [CAT])
    put(pets.lake, [DOG])
    put(pets.lake, [], key="b.png")
    assert counts(pets.lake) == [3, 3, 3, 3]


@pytest.mark.parametrize("state", ["landed", "built", "unchanged", "superseded", "failed"])
def test_saves_that_an_upload_brought_do_not_wait(pets: Pets, state: str) -> None:
    put(pets.lake, [CAT])
    deliver(pets, saves(pets), state)
    put(pets.lake, [DOG])
    assert counts(pets.lake) == [1, 1, 1, 1]


def test_saves_of_a_rejected_upload_wait_again(pets: Pets) -> None:
    put(pets.lake, [CAT])
    deliver(pets, saves(pets), "rejected")
    assert counts(pets.lake) == [1, 1, 1, 1]


def test_a_file_of_another_upload_with_the_name_of_a_save_brings_nothing(pets: Pets) -> None:
    put(pets.lake, [CAT])
    pets.maker.add(bronze.FILES, {"dataset": "pets", "attempt_id": "x", "path": "p", "source": saves(pets)[0]})
    pets.maker.deliver("pets", "built", format="coco", attempt_id="x")
    pets.maker.flush()
    assert counts(pets.lake) == [1, 1, 1, 1]


def test_a_lake_that_was_moved_knows_what_was_brought(pets: Pets, tmp_path: Path) -> None:
    put(pets.lake, [CAT])
    deliver(pets, saves(pets), "landed")
    moved = tmp_path / "moved"
    pets.maker.root.rename(moved)
    storage = LocalStorage(moved)
    assert waiting_saves(Tables(storage), storage) == {}


def test_only_files_of_the_uploads_with_saves_are_opened(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    put(pets.lake, [CAT])
    deliver(pets, saves(pets), "landed")
    for i in range(5):
        row = {"dataset": "pets", "attempt_id": f"other{i}", "path": "p", "source": "s"}
        pets.maker.add(bronze.FILES, row)
        pets.maker.flush()
    opened: list[int] = []
    relation = Tables.relation

    def spy(self: Tables, spec: object, columns: object, dataset: object = None, prune: object = None) -> str:
        if spec is bronze.FILES:
            opened.append(len(self.files(bronze.FILES, "pets", prune)))  # type: ignore[arg-type]
        return relation(self, spec, columns, dataset, prune)  # type: ignore[arg-type]

    monkeypatch.setattr(Tables, "relation", spy)
    storage = pets.lake.storage
    assert waiting_saves(Tables(storage), storage, "pets") == {}
    assert opened == [1]
