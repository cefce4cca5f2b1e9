"""Parts, order and batches of samples: the same everywhere, complete, and resumed where they stood."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import imagelake
from imagelake.client.data.order import Part, Worker, members, parse_part, shuffled
from imagelake.client.data.ray_samples import read_tasks
from imagelake.client.data.samples import Samples
from imagelake.errors import UsageError
from lakes import LakeMaker
from pet_lake import Pets

CLASSES = ("cat", "dog", "bird")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> LakeMaker:
    maker = LakeMaker(tmp_path_factory.mktemp("many") / "lake")
    contents = []
    for i in range(1000):
        content = hashlib.sha256(str(i).encode()).digest() * (1 + i % 3)
        contents.append(content)
        attributes = json.dumps({"hour": i % 24, "night": i % 24 > 18})
        maker.image("pets", f"{i:04}.png", content, width=8, height=6, split="train", attributes=attributes)
        for n in range(i % 3):
            maker.box("pets", f"{i:04}.png", CLASSES[i % 3], (n, 0, 1, 2))
    maker.keep("pets", contents)
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    return maker


@pytest.fixture(scope="module")
def train(many: LakeMaker) -> Samples:
    return imagelake.open(str(many.root)).load("pets@v1", split="train")


@given(st.integers(0, 60), st.integers(1, 9), st.sampled_from(["pad", "drop", "none"]))
def test_parts_are_complete_and_as_even_as_asked_for(count: int, world: int, even: str) -> None:
    parts = [members(range(count), Part(rank, world, even)) for rank in range(world)]
    seen = Counter(index for part in parts for index in part)
    if even != "none" and (count or even == "drop"):
        assert len({len(part) for part in parts}) == 1
    if even == "drop":
        assert max(seen.values(), default=1) == 1
        assert count - len(seen) < world
    else:
        assert set(seen) == set(range(count))
        assert sum(seen.values()) - count == (Part(0, world, even).padding(count) if count else 0)
    assert even == "pad" or max(seen.values(), default=1) == 1


@given(st.integers(0, 3000), st.integers(0, 2**40), st.integers(0, 50))
def test_a_shuffle_is_a_permutation_that_seed_and_epoch_decide(count: int, seed: int, epoch: int) -> None:
    order = shuffled(range(count), seed, epoch)
    assert sorted(order) == list(range(count))
    assert order == shuffled(range(count), seed, epoch)
    if count > 20:
        assert order != shuffled(range(count), seed, epoch + 1)


def test_the_order_of_a_seed_never_changes() -> None:
    """Written down once: a training that is resumed with a later release goes on in the same order."""
    assert shuffled(range(10), 7, 0) == [0, 6, 9, 7, 5, 8, 3, 4, 2, 1]


@pytest.mark.parametrize("text", ["0/8", "7/8/drop", "2/3/none"])
def test_a_part_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_part(text)) == text


@pytest.mark.parametrize("text", ["8/8", "x/8", "1", "-1/3", "0/2/fair"])
def test_no_other_text_is_a_part(text: str) -> None:
    with pytest.raises(UsageError):
        parse_part(text)


def test_ranks_and_workers_together_yield_every_sample_once(train: Samples) -> None:
    keys = Counter(
        sample.key
        for rank in range(8)
        for worker in range(3)
        for sample in train.stream(rank=rank, world=8, shuffle=True, seed=3).items(Worker(worker, 3))
    )
    assert keys == Counter(train.rows["image_key"].to_pylist())


def test_a_stream_says_how_many_samples_are_repeated(train: Samples) -> None:
    assert train.stream(rank=0, world=7).padding == 1
    assert train.stream(rank=0, world=7, even="drop").padding == -6


def test_items_come_in_the_same_order_whatever_the_number_of_workers(train: Samples) -> None:
    stream = train.stream(rank=1, world=2, batch=32, shuffle=True)
    alone = [[sample.key for sample in batch] for batch in stream]
    assert len(alone) == len(stream) == 16
    for count in (1, 2, 3, 5):
        shares = [iter(stream.items(Worker(number, count))) for number in range(count)]
        together = [[sample.key for sample in next(shares[n % count])] for n in range(len(stream))]
        assert together == alone


def test_every_part_has_the_mix_of_classes(train: Samples) -> None:
    for rank in range(4):
        part = train.part(rank, 4)
        shares = Counter(a.category for sample in part for a in sample.annotations)
        assert 0.5 < shares["dog"] / max(shares["bird"], 1) * 2 < 2


@pytest.mark.parametrize("items", [0, 1, 7, 31])
def test_a_stream_goes_on_where_it_stood(train: Samples, items: int) -> None:
    stream = train.stream(batch=32, shuffle=True, seed=5).at_epoch(3)
    whole = [[sample.key for sample in batch] for batch in stream]
    interrupted = iter(stream)
    for _ in range(items):
        next(interrupted)
    state = stream.state_dict() if items else stream.state_dict(0)
    again = pickle.loads(pickle.dumps(train)).stream(batch=32, shuffle=True, seed=5).resumed(state)
    assert [[sample.key for sample in batch] for batch in again] == whole[items:]


def test_a_state_of_another_plan_is_refused(train: Samples) -> None:
    state = train.stream(batch=32, shuffle=True, seed=5).state_dict()
    with pytest.raises(UsageError, match="seed"):
        train.stream(batch=32, shuffle=True, seed=6).resumed(state)


def test_a_part_is_loaded_as_it_is_taken(many: LakeMaker, train: Samples) -> None:
    lake = imagelake.open(str(many.root))
    for rank in (0, 6):
        loaded = lake.load("pets@v1", split="train", part=(rank, 7))
        taken = train.part(rank, 7)
        assert loaded.ref == taken.ref
        assert f"part={rank}%2F7" in loaded.ref
        assert [(s.key, s.bytes, s.annotations) for s in loaded] == [(s.key, s.bytes, s.annotations) for s in taken]
        assert loaded.images["image_key"].to_pylist() == [s.key for s in taken]
        boxes = [s.key for s in taken for _ in s.annotations]
        assert loaded.annotations["image_key"].to_pylist() == taken.annotations["image_key"].to_pylist() == boxes
        assert [s.key for s in lake.load(loaded.ref)] == [s.key for s in taken]


def test_a_references_seed_is_the_streams(train: Samples, many: LakeMaker) -> None:
    stream = train.stream(shuffle=True, seed=9, rank=1, world=3)
    again = imagelake.open(str(many.root)).load(stream.ref)
    assert {s.key for s in again} == {s.key for s in stream}
    assert again.stream(shuffle=True).plan.seed == 9


def test_a_stream_of_a_part_keeps_the_parts_reference(train: Samples) -> None:
    part = train.part(2, 5)
    assert part.stream().ref == part.ref
    assert "seed=4" in part.stream(shuffle=True, seed=4).ref
    with pytest.raises(UsageError, match="part 0/2 of part 2/5"):
        _ = part.stream(rank=0, world=2).ref


def test_a_draft_is_taken_apart_with_its_whole_tables(pets: Pets) -> None:
    draft = pets.lake.load("pets@draft", unlabelled=True)
    turned = draft.take([2, 0, 2])
    assert turned.images["image_key"].to_pylist() == [draft[i].key for i in (2, 0, 2)]
    assert turned.annotations.num_rows == turned.boxes.rows.num_rows


def test_batches_are_columns_of_the_samples(train: Samples) -> None:
    rows = iter(train)
    for batch in train.batches(300):
        for i, key in enumerate(batch["keys"].to_pylist()):
            sample = next(rows)
            assert key == sample.key
            assert batch["boxes"][i].as_py() == [list(a.bbox or ()) for a in sample.annotations]
            assert batch["classes"][i].as_py() == [a.class_index for a in sample.annotations]
            assert batch["attributes"][i].as_py() == dict(sample.attributes)
            assert batch["sizes"][i].as_py() == [sample.width, sample.height]
        assert batch["images"].bytes()[0] == train[int(batch["keys"][0].as_py()[:4])].bytes
    assert next(rows, None) is None


def test_tasks_of_ray_read_every_sample_once(train: Samples) -> None:
    tasks = pickle.loads(pickle.dumps(read_tasks(train, 300)))
    assert [task.rows for task in tasks] == [300, 300, 300, 100]
    rows = [row for task in tasks for table in task.read() for row in table.to_pylist()]
    samples = {sample.key: sample for sample in train}
    assert len(rows) == len(samples)
    for row in rows:
        sample = samples[row["key"]]
        assert row["bytes"] == sample.bytes
        assert row["boxes"] == [list(a.bbox or ()) for a in sample.annotations]
        assert row["classes"] == [a.class_index for a in sample.annotations]


def test_images_of_a_batch_are_decoded_when_they_are_looked_at(pets: Pets) -> None:
    (batch,) = pets.lake.load("pets@v1").batches(10)
    assert [image.size for image in batch["images"]] == [(8, 6)] * len(batch["keys"])
    assert batch["images"][-1].getpixel((0, 0)) == pets.lake.load("pets@v1")[-1].image().getpixel((0, 0))
