from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.client import saves
from imagelake.client.label_check import FAR, KINDS, Refusal, checked
from imagelake.client.label_pages import Page, PageImage
from imagelake.client.label_rows import clip, saved_rows
from imagelake.client.lake import Lake
from imagelake.client.saves import Save
from imagelake.errors import Conflict, IntegrityError, LakeFormatError, NotFound, UsageError
from imagelake.formats import labels as reader
from imagelake.storage.labels import MAGIC, folder_of, save_name
from imagelake.storage.local import LocalStorage
from pet_lake import Pets

REF = "pets@draft"
CAT = {"kind": "box", "category": "cat", "bbox": [1.0, 1.0, 3.0, 2.0]}
DOG = {"kind": "box", "category": "dog", "bbox": [0.0, 0.0, 8.0, 6.0]}


def image(lake: Lake, key: str = "a.png") -> PageImage:
    return next(i for i in lake.images(REF).images if i.key == key)


def put(lake: Lake, annotations: Any, by: str = "ann", key: str = "a.png", **options: Any) -> str:
    base = options.pop("base", None) or image(lake, key).etag
    return lake.save_labels(REF, key, annotations, by, base=base, **options)


def boxes(found: PageImage) -> list[tuple[str | None, Any]]:
    return sorted((a.category, a.bbox) for a in found.labels)


def files(lake: Lake, key: str = "a.png") -> list[str]:
    return [s.path for s in lake.storage.list(folder_of("pets", key))]


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


def test_a_save_shows_at_once_everywhere_and_returns_the_new_etag(pets: Pets) -> None:
    other = Lake(LocalStorage(pets.maker.root))
    before = image(other)
    etag = put(pets.lake, [CAT], base=before.etag)
    for lake in (pets.lake, other, Lake(LocalStorage(pets.maker.root))):
        assert image(lake).etag == etag != before.etag
        assert boxes(image(lake)) == [("cat", (1.0, 1.0, 3.0, 2.0))]
    assert pets.lake.images("pets@v3").images[0].etag == before.etag, "a version stays as it is"
    path, found = files(pets.lake)[0], json.loads(other.storage.read(files(pets.lake)[0]))
    assert found[MAGIC] == 1
    assert (found["image_key"], found["by"], found["base"], found["kinds"]) == ("a.png", "ann", before.etag, ["box"])
    assert path.rpartition("/")[2][:20].isdigit()


def test_what_a_page_gives_can_be_saved_back(pets: Pets) -> None:
    found = image(pets.lake)
    assert put(pets.lake, found.labels, base=found.etag) == found.etag
    assert put(pets.lake, found.as_json()["labels"], base=found.etag) == found.etag


def test_x_then_y_then_x_has_the_etag_of_x(pets: Pets) -> None:
    x = put(pets.lake, [CAT, DOG])
    y = put(pets.lake, [DOG])
    assert x != y
    assert put(pets.lake, [DOG, CAT]) == x, "in any order"
    assert len(files(pets.lake)) == 3, "the history is kept"
    assert files(pets.lake) == sorted(files(pets.lake))


def test_labelled_with_nothing_is_a_state_of_its_own(pets: Pets) -> None:
    etag = image(pets.lake, "c.png").etag
    assert put(pets.lake, [], key="c.png") != etag
    assert (image(pets.lake, "c.png").labels, image(pets.lake, "c.png").labelled) == ((), ("box",))


def test_a_save_replaces_only_the_kinds_it_names_and_carries_those_of_the_save_before(pets: Pets) -> None:
    outline = {"kind": "polygon", "category": "cat", "polygons": [[1, 1, 4, 1, 4, 3]]}
    put(pets.lake, [CAT], "ann")
    put(pets.lake, [outline], "bob", kinds=["polygon"])
    found = image(pets.lake)
    assert sorted(a.kind for a in found.labels) == ["box", "polygon"]
    assert found.labelled == ("box", "polygon")
    last = json.loads(pets.lake.storage.read(files(pets.lake)[-1]))
    assert (last["kinds"], last["carried"], len(last["annotations"])) == (["box", "polygon"], ["box"], 2)
    put(pets.lake, [], "cid", kinds=("polygon",))
    assert boxes(image(pets.lake)) == [("cat", (1.0, 1.0, 3.0, 2.0))]


def test_an_outdated_base_is_a_conflict_that_names_the_last_one_to_save(pets: Pets) -> None:
    before = image(pets.lake).etag
    put(pets.lake, [CAT], "ann", base=before)
    with pytest.raises(Conflict, match=r"a\.png have changed: ann saved them at 20..-") as caught:
        put(pets.lake, [DOG], "bob", base=before)
    assert "get the image again" in str(caught.value.hint)
    assert len(files(pets.lake)) == 1
    base = image(pets.lake, "e.png").etag
    pets.maker.box("pets", "e.png", "cat", (1, 1, 1, 1), delivery=3)
    pets.maker.deliver("pets")
    pets.maker.flush()
    with pytest.raises(Conflict, match="delivery 3 brought them at 2026-01-01T"):
        put(pets.lake, [DOG], "bob", key="e.png", base=base)


def fold(pets: Pets) -> None:
    """As an ingest and a build do it: the newest saves into the draft, then the saves away."""
    draft = pets.maker.draft("pets")
    for key in list(draft.images):
        found = files(pets.lake, key)
        if found:
            save = saves.decode(pets.lake.storage.read(found[-1]), found[-1])
            assert save is not None
            for row in [r for r in draft.annotations.values() if r["image_key"] == key and r["kind"] in save.kinds]:
                draft.drop_box(row)
            for row in saved_rows(save):
                values = {n: v for n, v in row.items() if n not in ("image_key", "category", "bbox")}
                box = row["bbox"] and [row["bbox"][c] for c in "xywh"]
                pets.maker.box("pets", key, row["category"], box, **values)
            labelled = sorted({*draft.images[key]["labelled"], *save.kinds})
            draft.images[key]["labelled"] = labelled
    pets.maker.deliver("pets")
    pets.maker.flush()
    pets.lake.storage.delete_all(s.path for s in list(pets.lake.storage.list("labels")))


def test_an_ingest_that_folds_saves_into_the_draft_changes_no_etag(pets: Pets) -> None:
    put(pets.lake, [CAT, {"category": "bird", "bbox": [-1, 4, 3.5, 5], "attributes": {"é": [1, None]}}])
    put(pets.lake, [], key="c.png")
    etags = [i.etag for i in pets.lake.images(REF).images]
    fold(pets)
    assert files(pets.lake) == []
    assert [i.etag for i in pets.lake.images(REF).images] == etags
    put(pets.lake, [DOG], base=etags[0])


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
    from imagelake.tables import delta_rs

    monkeypatch.setattr(delta_rs, "delta_table", lambda *_: pytest.fail("a table was opened anew"))
    assert len(pets.lake.images(REF).images) == 5
    put(pets.lake, [CAT])


def test_what_is_kept_between_calls_goes_with_the_lake(pets: Pets) -> None:
    with pets.lake as lake:
        put(lake, [CAT])
        assert "_held" in vars(lake)
        assert vars(pickle.loads(pickle.dumps(lake))) == {"storage": lake.storage}
    assert "_held" not in vars(lake)
    assert boxes(image(lake)) == [("cat", (1.0, 1.0, 3.0, 2.0))]


BAD: list[tuple[Any, str]] = [
    ({**CAT, "bbox": [0, 0, float("nan"), 1]}, "finite"),
    ({**CAT, "bbox": [0, 0, float("inf"), 1]}, "finite"),
    ({**CAT, "bbox": [0, 0, 10**400, 1]}, "finite"),
    ({**CAT, "bbox": [0, 0, "1", 1]}, "no number"),
    ({**CAT, "bbox": [0, 0, True, 1]}, "no number"),
    ({**CAT, "bbox": [0, 0, 1]}, "four numbers"),
    ({**CAT, "bbox": None}, "no bbox"),
    ({**CAT, "bbox": [0, 0, 0, 1]}, "positive"),
    ({**CAT, "bbox": [0, 0, 1, -1]}, "positive"),
    ({**CAT, "bbox": [8, 0, 1, 1]}, "outside the image of 8 x 6"),
    ({**CAT, "bbox": [0, 0, 81, 1]}, "more than 10 image sides"),
    ({**CAT, "category": ""}, "category"),
    ({**CAT, "category": "  "}, "category"),
    ({**CAT, "category": None}, "category"),
    ({**CAT, "category": "x" * 256}, "category"),
    ({**CAT, "category": "\ud800"}, "not Unicode"),
    ({**CAT, "kind": "circle"}, "kind 'circle'"),
    ({**CAT, "kind": "polygon"}, "kind 'polygon' is not among those saved: box"),
    ({**CAT, "attributes": [1]}, "JSON object"),
    ({**CAT, "attributes": {"a": float("nan")}}, "JSON cannot hold"),
    ({**CAT, "attributes": {"a": {1: 2}}}, "no text"),
    ({**CAT, "attributes": {"a": object()}}, "JSON cannot hold"),
    ({**CAT, "attributes": {"a": 1 << 64}}, "JSON cannot hold"),
    ({**CAT, "is_crowd": "yes"}, "is_crowd"),
    ({**CAT, "keypoints": [1, 2, 2]}, "keypoints"),
    ({**CAT, "polygons": [[0, 0, 1, 0, 1, 1]]}, "belong to the kind polygon"),
    ({**CAT, "bboxx": 1}, "'bboxx' is unknown"),
    ("cat", "no annotation"),
    (None, "no annotation"),
]


@pytest.mark.parametrize(("annotation", "said"), BAD)
def test_a_bad_annotation_is_refused_by_its_place_and_nothing_is_saved(pets: Pets, annotation: Any, said: str) -> None:
    with pytest.raises(UsageError, match=rf"^annotations\[1\]: .*{said}"):
        put(pets.lake, [CAT, annotation])
    assert files(pets.lake) == []


MASKS: list[tuple[Any, str]] = [
    (None, "size"),
    ({"size": [6, 8]}, "size"),
    ({"size": [8, 6], "counts": [48]}, "height 6 and width 8"),
    ({"size": [6, 8], "counts": [4, 4]}, "cover"),
    ({"size": [6, 8], "counts": [-4, 52]}, "run lengths"),
    ({"size": [6, 8], "counts": ""}, "run lengths"),
    ({"size": [6, 8], "counts": "~~"}, "run lengths"),
    ({"size": [6, 8], "counts": "PPPPPPPPPPPPPPPPPPPP0"}, "run lengths"),
    ({"size": [6, 8], "counts": "PP"}, "run lengths"),
]


@pytest.mark.parametrize(("mask", "said"), MASKS)
def test_a_bad_mask_is_refused(pets: Pets, mask: Any, said: str) -> None:
    annotation = {"kind": "rle", "category": "cat", "bbox": [0, 0, 2, 2], "rle": mask}
    with pytest.raises(UsageError, match=said):
        put(pets.lake, [annotation], kinds=["rle"])


@pytest.mark.parametrize("polygons", [None, [], [[]], [[0, 0, 1, 1]], [[0, 0, 1, 1, 2]], [[0, 0, 1, 1, 2, 81]], "x"])
def test_a_bad_polygon_is_refused(pets: Pets, polygons: Any) -> None:
    with pytest.raises(UsageError, match="polygon"):
        put(pets.lake, [{"kind": "polygon", "category": "cat", "polygons": polygons}], kinds=["polygon"])


def test_the_rest_of_a_save_is_checked_too(pets: Pets) -> None:
    for options in ({"kinds": ()}, {"kinds": ("box", "circle")}, {"by": ""}, {"by": None}, {"base": " "}):
        with pytest.raises(UsageError):
            put(pets.lake, [CAT], **options)
    with pytest.raises(NotFound, match=r"no image 'nope\.png'"):
        put(pets.lake, [CAT], key="nope.png", base="x")
    with pytest.raises(UsageError, match="10000"):
        put(pets.lake, [CAT] * 10_001)
    with pytest.raises(UsageError, match="bytes"):
        put(pets.lake, [{**CAT, "attributes": {"a": "x" * (9 << 20)}}])
    assert files(pets.lake) == []


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


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"1" * 5000,
        b"[" * 100_000,
        b"{}",
        b'{"imagelake_labels": "1"}',
        b'{"imagelake_labels": 1}',
        b'{"imagelake_labels": 1, "image_key": "a.png", "width": 8, "height": 6, "by": "x", "at": "", "base": "", '
        b'"kinds": ["box", {}], "annotations": []}',
        b'{"imagelake_labels": 1, "image_key": "b.png", "width": 8, "height": 6, "by": "x", "at": "", "base": "", '
        b'"kinds": ["box"], "annotations": []}',
    ],
)
def test_what_is_no_save_of_the_image_changes_nothing(pets: Pets, data: bytes) -> None:
    before = pets.lake.images(REF)
    pets.lake.storage.put(f"{folder_of('pets', 'a.png')}/{save_name(5, 'ab')}", data)
    pets.lake.storage.put(f"{folder_of('pets', 'a.png')}/notes.txt", data)
    assert pets.lake.images(REF) == before
    put(pets.lake, [CAT])
    assert boxes(image(pets.lake)) == [("cat", (1.0, 1.0, 3.0, 2.0))]


def test_annotations_the_build_would_refuse_are_not_shown(pets: Pets) -> None:
    document = {
        MAGIC: 1,
        "image_key": "a.png",
        "width": 8,
        "height": 6,
        "by": "x",
        "at": "",
        "base": "",
        "kinds": ["box"],
    }
    document["annotations"] = [CAT, {**CAT, "bbox": [9, 9, 1, 1]}, 7, {"kind": "box"}]
    pets.lake.storage.put(f"{folder_of('pets', 'a.png')}/{save_name(5, 'ab')}", json.dumps(document).encode())
    assert boxes(image(pets.lake)) == [("cat", (1.0, 1.0, 3.0, 2.0))]


def test_a_save_for_another_size_does_not_fit_and_one_of_a_newer_program_is_said(pets: Pets) -> None:
    path = f"{folder_of('pets', 'a.png')}/{save_name(5, 'ab')}"
    document = {
        MAGIC: 1,
        "image_key": "a.png",
        "width": 9,
        "height": 6,
        "by": "x",
        "at": "",
        "base": "",
        "kinds": ["box"],
    }
    before = pets.lake.images(REF)
    pets.lake.storage.put(path, json.dumps({**document, "annotations": [CAT]}).encode())
    assert pets.lake.images(REF) == before
    pets.lake.storage.put(path.replace("-ab", "-ac"), json.dumps({MAGIC: 2}).encode())
    with pytest.raises(LakeFormatError, match="newer imagelake"):
        pets.lake.images(REF)


SIZE = (40, 30)
NUMBERS = st.floats(-60, 60, allow_nan=False, width=64) | st.integers(-60, 60)
TEXT = st.text(min_size=1, max_size=8)
JSON = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | NUMBERS | TEXT, lambda x: st.lists(x, max_size=2))
COMMON = {"category": TEXT, "attributes": st.dictionaries(TEXT, JSON, max_size=2), "is_crowd": st.booleans()}
BOX = st.tuples(NUMBERS, NUMBERS, st.floats(0.01, 90), st.floats(0.01, 90)).map(list)
POINTS = st.lists(NUMBERS, min_size=6, max_size=10).filter(lambda v: len(v) % 2 == 0)
RUNS = st.integers(1, 600).map(lambda n: {"size": [30, 40], "counts": [n, 1200 - n]})
ANNOTATION = st.one_of(
    st.fixed_dictionaries({"kind": st.just("box"), "bbox": BOX, **COMMON}),
    st.fixed_dictionaries({"kind": st.just("class"), **COMMON}),
    st.fixed_dictionaries({"kind": st.just("polygon"), "polygons": st.lists(POINTS, min_size=1, max_size=2), **COMMON}),
    st.fixed_dictionaries({"kind": st.just("rle"), "bbox": BOX, "rle": RUNS, **COMMON}),
)


@given(st.lists(ANNOTATION, max_size=4))
def test_a_save_has_the_hashes_that_the_build_will_give_its_rows(given_: list[Any]) -> None:
    from imagelake.formats.records import AnnotationRecord
    from imagelake.silver.pixels import to_pixels
    from imagelake.silver.records import to_row

    entries = []
    for annotation in given_:
        try:
            entries.append(checked(annotation, SIZE, KINDS))
        except Refusal:
            continue
    save = Save("x/a.png", *SIZE, "ann", "2030", "base", tuple(sorted(KINDS)), tuple(entries))
    folder = folder_of("pets", "x/a.png").partition("/")[2].partition("/")[2]
    records = list(reader._records(f"{folder}/{save_name(1, 'ab')}", save.to_bytes()))
    again = saves.decode(save.to_bytes(), f"labels/pets/{folder}/{save_name(1, 'ab')}")
    assert again == save
    built = [r for r in records if isinstance(r, AnnotationRecord)]
    place = {"image_key": "x/a.png", "width": 40, "height": 30, "orientation": 1, "space": "same", "_reject": None}
    rows = [to_pixels({**to_row(r, 0), "category": r.category, **place}) for r in built]
    ours = saved_rows(save)
    assert [r["row_hash"] for r in rows] == [r["row_hash"] for r in ours]
    assert [r["final_area"] for r in rows] == [r["area"] for r in ours]
    assert not any(r.warnings for r in built)


@given(BOX)
def test_boxes_are_cut_as_the_build_cuts_them(box: Any) -> None:
    from imagelake.silver.pixels import clip as theirs

    assert clip(tuple(box), *SIZE) == theirs(tuple(box), *SIZE)


def test_the_limits_are_those_of_the_row_rules() -> None:
    from imagelake.quality import rules

    assert FAR == rules.FAR
    assert KINDS == reader.KINDS


def test_a_lake_without_tables_has_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "imagelake.json").write_text("{}")
    with pytest.raises(NotFound, match="no dataset 'pets'"):
        Lake(LocalStorage(tmp_path)).images(REF)
