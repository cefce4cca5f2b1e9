from __future__ import annotations

import hashlib
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.client.data.samples import Samples
from imagelake.client.selection import Selection, in_sample, parse_selection
from imagelake.errors import IntegrityError, NotFound, UsageError
from pet_lake import Pets


def keys(samples: Samples) -> list[str]:
    return [s.key for s in samples]


def test_samples_have_bytes_pixels_and_annotations(pets: Pets) -> None:
    samples = pets.lake.load("pets@v1", split="train")
    assert keys(samples) == ["a.png"]
    sample = samples[0]
    assert sample.bytes == pets.bytes["a"]
    assert (sample.width, sample.height, sample.split, sample.labelled) == (8, 6, "train", ("box",))
    assert sample.image().size == (8, 6)
    assert [
        (a.category, a.class_index, a.bbox) for a in sorted(sample.annotations, key=lambda a: a.category or "")
    ] == [
        ("cat", 0, (0.0, 0.0, 2.0, 2.0)),
        ("dog", 1, (4.0, 0.0, 2.0, 2.0)),
    ]
    assert samples.classes == ("cat", "dog")


def test_unlabelled_images_are_left_out_and_counted_but_empty_ones_are_samples(pets: Pets) -> None:
    """c was never labelled; d was, and nothing was found in it: a true negative."""
    samples = pets.lake.load("pets@v1")
    assert (keys(samples), samples.unlabelled) == (["a.png", "b.png", "d.png"], 1)
    assert samples[2].annotations == ()
    everything = pets.lake.load("pets@v1", unlabelled=True)
    assert (keys(everything), everything.unlabelled) == (["a.png", "b.png", "c.png", "d.png"], 1)


def test_each_version_loads_as_it_was(pets: Pets) -> None:
    assert pets.lake.load("pets@v2")[0].bytes == pets.bytes["a"]
    assert pets.lake.load("pets@v3")[0].bytes == pets.bytes["a2"]
    assert [s.split for s in pets.lake.load("pets@v2.2", split="test")] == ["test", "test"]
    assert keys(pets.lake.load("pets@draft")) == ["a.png", "b.png", "e.png", "f.png"]


def test_conditions_hold_together(pets: Pets) -> None:
    condition = "image_key in (select image_key from annotations where category = 'cat')"
    assert keys(pets.lake.load("pets@v1", where=condition)) == ["a.png", "b.png"]
    assert keys(pets.lake.load("pets@v1", where=condition, split="test")) == ["b.png"]
    assert keys(pets.lake.load("pets@v1", where=condition, images=["a.png", "d.png"])) == ["a.png"]
    assert keys(pets.lake.load("pets@v1", where="width > 1000 -- none")) == []


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"split": "tets"}, NotFound, "did you mean test?"),
        ({"images": ["nope.png"]}, NotFound, ""),
        ({"sample": 0.0}, UsageError, "at most 1"),
        ({"where": " "}, UsageError, ""),
        ({"where": "widht > 3"}, UsageError, "width"),
        ({"where": "1) from images; copy images to 'x'; select (1"}, UsageError, ""),
    ],
)
def test_a_selection_that_cannot_be_is_an_error(pets: Pets, asked: Any, error: Any, words: str) -> None:
    with pytest.raises(error) as raised:
        pets.lake.load("pets@v1", **asked)
    assert words in (raised.value.hint or "")


def test_arrow_tables_hold_the_same_in_the_same_order(pets: Pets) -> None:
    samples = pets.lake.load("pets@v3")
    assert samples.images.column("image_key").to_pylist() == keys(samples)
    listed = [key for s in samples for key in [s.key] * len(s.annotations)]
    assert samples.annotations.column("image_key").to_pylist() == listed


def test_it_is_a_map_style_data_set(pets: Pets) -> None:
    samples = pets.lake.load("pets@v3")
    assert len(samples) == 4
    assert samples[-1].key == keys(samples)[3]
    for index in (4, -5):
        with pytest.raises(IndexError):
            samples[index]


def _bytes_of(samples: Samples, index: int) -> bytes:
    return samples[index].bytes


def test_workers_may_unpickle_it(pets: Pets) -> None:
    samples = pets.lake.load("pets@v3")
    copy = pickle.loads(pickle.dumps(samples))
    assert copy[0] == samples[0]
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(_bytes_of, samples, 1).result() == samples[1].bytes


def test_a_ref_names_exactly_these_samples(pets: Pets) -> None:
    samples = pets.lake.load("pets@v2", split="train", where="width % 2 = 0 and split <> 'x'", oriented=True)
    digest = pets.lake.show("pets@v2").as_json()["digest"]
    assert samples.ref.startswith(f"pets@v2.1#{digest}?split=train&where=width%20%25")
    again = pets.lake.load(samples.ref)
    assert (again.ref, keys(again), again.oriented) == (samples.ref, keys(samples), True)
    assert pets.lake.load(samples.ref, split="train").ref == samples.ref


def test_a_ref_refuses_any_other_digest_and_any_other_selection(pets: Pets) -> None:
    ref = pets.lake.load("pets@v2", split="train").ref
    with pytest.raises(IntegrityError, match="has digest"):
        pets.lake.load(ref.replace("@v2.1", "@v3.1"))
    with pytest.raises(UsageError, match="'train' in the reference"):
        pets.lake.load(ref, split="val")
    with pytest.raises(UsageError, match="selects nothing"):
        pets.lake.load(ref + "&colour=red")


def test_a_ref_made_with_a_list_of_images_asks_for_the_same_list(pets: Pets) -> None:
    ref = pets.lake.load("pets@v1", images=["a.png"]).ref
    assert keys(pets.lake.load(ref, images=["a.png"])) == ["a.png"]
    with pytest.raises(UsageError, match="list of images"):
        pets.lake.load(ref)
    with pytest.raises(UsageError, match="images is"):
        pets.lake.load(ref, images=["b.png"])


def test_a_draft_s_ref_has_no_digest(pets: Pets) -> None:
    assert pets.lake.load("pets@draft", split="train").ref == "pets@draft?split=train"


texts = st.none() | st.text(min_size=1).filter(lambda t: t.isprintable())


@given(texts, texts, st.none() | st.floats(0.001, 1), st.booleans(), st.booleans())
def test_a_selection_written_out_is_the_same_selection(
    split: str | None, where: str | None, sample: float | None, unlabelled: bool, oriented: bool
) -> None:
    selection = Selection(split, where, None, sample, unlabelled, oriented)
    assert parse_selection(str(selection).removeprefix("?")) == selection


def test_a_sample_is_a_share_of_the_images_and_grows_by_adding() -> None:
    hashes = [hashlib.sha256(bytes([i, j])).hexdigest() for i in range(40) for j in range(50)]
    tenth, half = ({h for h in hashes if in_sample(h, share)} for share in (0.1, 0.5))
    assert tenth < half
    assert 150 < len(tenth) < 250
    assert 900 < len(half) < 1100
    assert all(in_sample(h, 1) for h in hashes)
