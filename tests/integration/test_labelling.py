"""Pages of images with their labels, and saves of them, in a lake in a bucket."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.served import CAT, DOG, IMAGES, REF, ZIPPED, ask, picture, served

from imagelake.client.lake import Lake
from imagelake.errors import Conflict
from imagelake.storage.label_paths import folder_of


def again(lake: Lake) -> Lake:
    """The same lake as another process opens it."""
    return pickle.loads(pickle.dumps(lake))


def names(lake: Lake, key: str) -> list[str]:
    return [s.path for s in lake.storage.list(folder_of("pets", key))]


def test_a_page_and_a_save_on_each_server(bucket, made):
    lake = served(bucket, made)
    page = lake.images(REF)
    assert (len(page.images), page.next) == (100, "cats/099.png")
    first = page.images[0]
    assert ask("GET", first.url).body == picture(0)
    assert (first.width, first.height, len(first.labels)) == (8, 6, 1)
    etag = lake.save_labels(REF, first.key, [CAT, DOG], "ann", base=first.etag)
    found = again(lake).images(REF, limit=1).images[0]
    assert (found.etag, sorted(a.category for a in found.labels)) == (etag, ["cat", "dog"])
    with pytest.raises(Conflict, match="ann saved them at 20"):
        again(lake).save_labels(REF, first.key, [], "bob", base=first.etag)
    rest = lake.images(REF, after=page.next).images
    assert [i.key for i in rest] == [f"cats/{n}.png" for n in range(100, IMAGES)] + [ZIPPED]
    assert [i.url is None for i in rest] == [False] * 5 + [True]


def test_of_two_saves_on_one_base_exactly_one_wins_twenty_times(lake):
    key, tools = "cats/050.png", [again(lake), again(lake)]
    gate, lost = threading.Barrier(2), []

    def race(tool: int, round_: int, base: str) -> tuple[int, str] | None:
        gate.wait()
        box = {"category": "cat", "bbox": [tool, 0, 1, 1 + round_ / 8]}
        try:
            return tool, tools[tool].save_labels(REF, key, [box], f"tool {tool}", base=base)
        except Conflict as error:
            lost.append(error.message)
            return None

    etag = lake.images(REF, where=f"image_key = '{key}'").images[0].etag
    with ThreadPoolExecutor(2) as pool:
        for round_ in range(20):
            sent = [pool.submit(race, tool, round_, etag) for tool in (0, 1)]
            (won,) = [found for found in (s.result() for s in sent) if found is not None]
            shown = lake.images(REF, where=f"image_key = '{key}'").images[0]
            assert (shown.labels[0].bbox[0], shown.etag) == won
            etag = won[1]
    assert all("saved them at" in message for message in lost)
    found = names(lake, key)
    assert len(found) == 20, "who lost has left nothing"
    assert found == sorted(found)
    times = [int(path.rpartition("/")[2][:20]) / 1e6 for path in found]
    assert abs(times[-1] - time.time()) < 60
    assert times[0] < times[-1]


def test_x_then_y_then_x_has_the_etag_of_x(lake):
    key = "cats/051.png"
    shown = lake.images(REF, where=f"image_key = '{key}'").images[0]
    x = lake.save_labels(REF, key, [CAT], "ann", base=shown.etag)
    y = again(lake).save_labels(REF, key, [DOG], "bob", base=x)
    assert len({shown.etag, x, y}) == 3
    assert lake.save_labels(REF, key, [CAT], "ann", base=y) == x
    assert len(names(lake, key)) == 3


def test_a_save_that_was_withdrawn_while_a_page_is_made_is_not_missed(lake):
    key = "cats/052.png"
    shown = lake.images(REF, where=f"image_key = '{key}'").images[0]
    etag = lake.save_labels(REF, key, [CAT], "ann", base=shown.etag)
    saves = again(lake)._warm().saves
    folder = saves.folder(folder_of("pets", key))
    gone = type(folder)(folder.path, (*folder.names, f"{10**19}-ab.json"), folder.now)
    assert saves.newest([gone])[folder.path].by == "ann"
    assert again(lake).images(REF, where=f"image_key = '{key}'").images[0].etag == etag


def test_pages_and_saves_are_quick_in_an_open_lake(lake):
    """Loosely: machines that run tests are busy. docs/serving.md has what was measured."""
    page, times = lake.images(REF), []
    for _ in range(5):
        start = time.perf_counter()
        page = lake.images(REF)
        times.append(time.perf_counter() - start)
    shown = next(i for i in page.images if i.key == "cats/053.png")
    etag = shown.etag
    saves = []
    for n in range(5):
        start = time.perf_counter()
        etag = lake.save_labels(REF, shown.key, [{**CAT, "bbox": [n, 0, 1, 1]}], "ann", base=etag)
        saves.append(time.perf_counter() - start)
    assert min(times) < 1
    assert min(saves) < 1
