"""Images come in pages: of any version, under any condition, to several threads, and as they are now."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from labelling import CAT, REF, boxes, image, put

from imagelake.client.labelling.label_pages import Page
from imagelake.client.lake import Lake
from imagelake.errors import NotFound, UsageError
from imagelake.storage.local import LocalStorage
from pet_lake import Pets


def walk(lake: Lake, **options: Any) -> list[Page]:
    pages = [lake.images(REF, **options)]
    while pages[-1].next is not None:
        pages.append(lake.images(REF, after=pages[-1].next, **options))
    return pages


def test_pages_hold_every_image_once_in_key_order(pets: Pets) -> None:
    whole = pets.lake.images(REF)
    assert [i.key for i in whole.images] == ["a.png", "b.png", "c.png", "e.png", "f.png"]
    assert whole.next is None
    for limit in (1, 2, 3, 4, 5):
        pages = walk(pets.lake, limit=limit)
        assert [i for page in pages for i in page.images] == list(whole.images)
        assert all(len(page.images) == limit for page in pages[:-1])
    assert pets.lake.images(REF, after="zzz") == Page((), None)
    assert pets.lake.images(REF, after="b").images == whole.images[1:]


@pytest.mark.parametrize("odd", ["\0", "a\0b", "\ud800", "'", "a' or true --", "\u200b", "ü' \\"])
def test_no_text_for_a_key_is_anything_but_a_key(pets: Pets, odd: str) -> None:
    with pytest.raises(NotFound, match="has no image"):
        pets.lake.save_labels(REF, odd, [], "ann", base="x")
    if "\0" in odd or odd == "\ud800":
        with pytest.raises(UsageError, match="no image has that key"):
            pets.lake.images(REF, after=odd)
    else:
        assert {i.key for i in pets.lake.images(REF, after=odd).images} <= {i.key for i in pets.lake.images(REF).images}


def test_an_image_is_shown_with_its_size_split_and_labels(pets: Pets) -> None:
    found = image(pets.lake)
    assert (found.width, found.height, found.orientation, found.split, found.url) == (8, 6, 1, "train", None)
    assert boxes(found) == [("cat", (0.0, 0.0, 2.0, 2.0)), ("dog", (4.0, 1.0, 2.0, 2.0))]
    assert [a.class_index for a in found.labels if a.category == "dog"] == [1]
    assert (image(pets.lake, "c.png").labelled, image(pets.lake, "f.png").labelled) == ((), ("box",))
    assert image(pets.lake, "c.png").etag != image(pets.lake, "f.png").etag, "unlabelled is not labelled with nothing"
    json.dumps(pets.lake.images(REF).as_json(), allow_nan=False)


def test_any_version_can_be_paged_and_only_the_draft_takes_labels(pets: Pets) -> None:
    assert [i.key for i in pets.lake.images("pets@v1").images] == ["a.png", "b.png", "c.png", "d.png"]
    assert [i.split for i in pets.lake.images("pets@v2.2").images] == ["train", "test", "test", "test"]
    assert pets.lake.images("pets@gold") == pets.lake.images("pets@v3") == pets.lake.images("pets")
    with pytest.raises(UsageError, match="takes no labels"):
        pets.lake.save_labels("pets@v3", "a.png", [], "ann", base="x")
    for ref in ("pets@v9", "cats@draft", "cats"):
        with pytest.raises(NotFound):
            pets.lake.images(ref)


def test_a_condition_chooses_and_cannot_do_anything_else(pets: Pets) -> None:
    lake = pets.lake
    assert [i.key for i in lake.images(REF, where="split = 'train'").images] == ["a.png", "c.png", "e.png"]
    pages = walk(lake, where="split = 'train'", limit=1)
    assert [i.key for page in pages for i in page.images] == ["a.png", "c.png", "e.png"]
    assert lake.images(REF, where="false").images == ()
    for bad in ("", "nonsense >", "true; drop table x", "image_key in (select * from read_csv('/etc/passwd'))"):
        with pytest.raises(UsageError):
            lake.images(REF, where=bad)
    for n in range(12):
        assert len(lake.images(REF, where=f"width > {n - 10}").images) == 5
    assert [i.key for i in lake.images("pets@v1", where="uploaded_split = 'val'").images] == ["d.png"]


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_bounds(pets: Pets, limit: int) -> None:
    with pytest.raises(UsageError, match=f"a page of {limit} images"):
        pets.lake.images(REF, limit=limit)


def test_threads_share_an_open_lake(pets: Pets) -> None:
    whole = pets.lake.images(REF).images
    keys = [i.key for i in whole] * 8

    def use(n: int) -> None:
        assert pets.lake.images(REF, after=keys[n], limit=2).images == whole[whole.index(known[keys[n]]) + 1 :][:2]
        assert [i.key for i in pets.lake.images(REF, where=f"image_key = '{keys[n]}'").images] == [keys[n]]
        assert len(pets.lake.images("pets@v1").images) == 4

    known = {i.key: i for i in whole}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(len(keys))))


def test_a_new_delivery_is_seen_by_an_open_lake(pets: Pets) -> None:
    before = pets.lake.images(REF)
    pets.maker.image("pets", "new.png", pets.bytes["b"], width=8, height=6)
    pets.maker.deliver("pets")
    pets.maker.flush()
    assert len(pets.lake.images(REF).images) == len(before.images) + 1
    put(pets.lake, [CAT], key="new.png")


def test_an_open_lake_looks_at_tables_again_only_when_they_have_changed(
    pets: Pets, monkeypatch: pytest.MonkeyPatch
) -> None:
    pets.lake.images(REF)
    from imagelake.tables.delta import delta_log

    monkeypatch.setattr(delta_log, "delta_table", lambda *_: pytest.fail("a table was opened anew"))
    assert len(pets.lake.images(REF).images) == 5
    put(pets.lake, [CAT])


def test_what_is_kept_between_calls_goes_with_the_lake(pets: Pets) -> None:
    with pets.lake as lake:
        put(lake, [CAT])
        assert "_warm_cache" in vars(lake)
        assert vars(pickle.loads(pickle.dumps(lake))) == {"storage": lake.storage}
    assert "_warm_cache" not in vars(lake)
    assert boxes(image(lake)) == [("cat", (1.0, 1.0, 3.0, 2.0))]


def test_a_lake_without_tables_has_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "imagelake.json").write_text("{}")
    with pytest.raises(NotFound, match="no dataset 'pets'"):
        Lake(LocalStorage(tmp_path)).images(REF)
