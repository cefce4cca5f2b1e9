"""Of saves at the same time exactly one wins, and the others are told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from labelling import CAT, DOG, boxes, files, image, put

from imagelake.client.labelling import saves
from imagelake.client.lake import Lake
from imagelake.errors import Conflict, IntegrityError
from imagelake.storage.label_paths import folder_of, save_name
from imagelake.storage.local import LocalStorage
from pet_lake import Pets


@dataclass(frozen=True)
class Hooked(LocalStorage):
    """Calls once, right before the first save is written, and lets everything else happen as it does."""

    before: list[Callable[[], None]] = field(default_factory=list, compare=False)

    def put(self, path: str, data: bytes, *, if_absent: bool = False) -> bool:
        if path.startswith("labels/") and self.before:
            self.before.pop()()
        return super().put(path, data, if_absent=if_absent)


def test_a_save_that_was_finished_between_our_look_and_our_write_wins(pets: Pets) -> None:
    mine = Lake(Hooked(pets.maker.root, [lambda: (put(pets.lake, [DOG], "bob"), None)[1]]))
    with pytest.raises(Conflict, match="bob saved them"):
        put(mine, [CAT])
    assert len(files(mine)) == 1
    assert boxes(image(mine)) == [("dog", (0.0, 0.0, 8.0, 6.0))]


def test_so_it_does_when_its_clock_is_ahead(pets: Pets, monkeypatch: pytest.MonkeyPatch) -> None:
    def ahead() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(saves, "new_name", lambda _: save_name(10**19, "ab"))
            put(pets.lake, [DOG], "bob")

    monkeypatch.setattr(saves, "_PATIENCE", 0.05)
    mine = Lake(Hooked(pets.maker.root, [ahead]))
    with pytest.raises(Conflict, match="bob saved them"):
        put(mine, [CAT])
    assert len(files(mine)) == 1
    put(mine, [CAT], "ann")
    assert boxes(image(mine)) == [("cat", (1.0, 1.0, 3.0, 2.0))], "a save is beyond all that were there"
    mine.storage.put(f"{folder_of('pets', 'a.png')}/{save_name(10**20 - 1, 'ab')}", b"{}")
    with pytest.raises(IntegrityError, match="after which there is no other"):
        put(mine, [CAT])


def test_a_rival_that_gives_way_does_not_cost_us_the_save(pets: Pets) -> None:
    rival = folder_of("pets", "a.png") + "/" + save_name(10**19, "ff")
    root = LocalStorage(pets.maker.root)

    def appears() -> None:
        root.put(rival, b"{}")
        threading.Timer(0.05, lambda: root.delete(rival)).start()

    mine = Lake(Hooked(pets.maker.root, [appears]))
    put(mine, [CAT])
    assert boxes(image(mine)) == [("cat", (1.0, 1.0, 3.0, 2.0))]


def test_of_two_saves_on_one_base_exactly_one_wins(pets: Pets) -> None:
    lakes = [Lake(LocalStorage(pets.maker.root)) for _ in range(3)]
    gate = threading.Barrier(3)

    def race(lake: Lake, round_: int, base: str) -> str | None:
        gate.wait()
        try:
            return put(lake, [{**CAT, "bbox": [0, 0, 1 + lakes.index(lake), 1 + round_ % 5]}], base=base)
        except Conflict:
            return None

    with ThreadPoolExecutor(3) as pool:
        for round_ in range(10):
            base = image(pets.lake).etag
            found = list(pool.map(lambda lake: race(lake, round_, base), lakes))  # noqa: B023
            (won,) = [etag for etag in found if etag is not None]
            assert image(pets.lake).etag == won
    assert len(files(pets.lake)) == 10
