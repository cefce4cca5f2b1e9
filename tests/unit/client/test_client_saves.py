"""A save shows at once, keeps what it does not name, and has the etag and hashes that the build will give it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelling import CAT, DOG, REF, boxes, files, image, put

from imagelake.client.labelling import saves
from imagelake.client.labelling.label_check import KINDS, Refusal, checked
from imagelake.client.labelling.label_rows import clip, saved_rows
from imagelake.client.labelling.saves import Save
from imagelake.client.lake import Lake
from imagelake.errors import Conflict
from imagelake.formats import labels
from imagelake.storage.label_paths import MAGIC, folder_of, save_name
from imagelake.storage.local import LocalStorage
from pet_lake import Pets


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
    from imagelake.silver.pixels.pixel_rows import to_pixels
    from imagelake.silver.upload.parsed_records import to_row

    entries = []
    for annotation in given_:
        try:
            entries.append(checked(annotation, SIZE, KINDS))
        except Refusal:
            continue
    save = Save("x/a.png", *SIZE, "ann", "2030", "base", tuple(sorted(KINDS)), tuple(entries))
    folder = folder_of("pets", "x/a.png").partition("/")[2].partition("/")[2]
    records = list(labels._records(f"{folder}/{save_name(1, 'ab')}", save.to_bytes()))
    again = saves.decode(save.to_bytes(), f"labels/pets/{folder}/{save_name(1, 'ab')}")
    assert again == save
    built = [r for r in records if isinstance(r, AnnotationRecord)]
    place = {
        "image_key": "x/a.png",
        "width": 40,
        "height": 30,
        "orientation": 1,
        "space": "same",
        "_reject": None,
        "flags": [],
    }
    rows = [to_pixels({**to_row(r, 0), "category": r.category, **place}) for r in built]
    ours = saved_rows(save)
    assert [r["row_hash"] for r in rows] == [r["row_hash"] for r in ours]
    assert [r["final_area"] for r in rows] == [r["area"] for r in ours]
    assert not any(r.warnings for r in built)


@given(BOX)
def test_boxes_are_cut_as_the_build_cuts_them(box: Any) -> None:
    from imagelake.silver.pixels.pixel_rows import clip as theirs

    assert clip(tuple(box), *SIZE) == theirs(tuple(box), *SIZE)
