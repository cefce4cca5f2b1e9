"""What a trainer is told: which image lacks its bytes, what is wrong with a condition, what a selection holds."""

from __future__ import annotations

import pytest

from imagelake.errors import ImagelakeError, IntegrityError, NotFound, UsageError
from pet_lake import Pets


def keys(samples: object) -> list[str]:
    return [sample.key for sample in samples]  # type: ignore[attr-defined]


def test_a_slice_of_samples_is_samples(pets: Pets) -> None:
    train = pets.lake.load("pets@v1", unlabelled=True)
    every = keys(train)
    assert keys(train[0:3]) == every[:3]
    assert keys(train[::-1]) == every[::-1]
    assert keys(train[-2:]) == every[-2:]
    assert len(train[9:]) == 0
    assert train[1:3].annotations.num_rows == sum(len(sample.annotations) for sample in train[1:3])
    assert train[1:3].images["image_key"].to_pylist() == every[1:3]
    assert train[1:3][0].key == every[1]


def test_several_splits_are_one_selection_with_a_reference_of_its_own(pets: Pets) -> None:
    both = pets.lake.load("pets@v1", split=["val", "train"])
    assert keys(both) == ["a.png", "d.png"]
    assert both.ref.endswith("?split=train&split=val")
    again = pets.lake.load(both.ref)
    assert (again.ref, keys(again)) == (both.ref, keys(both))
    assert pets.lake.load("pets@v1", split=("train", "val", "train")).ref == both.ref
    assert pets.lake.load("pets@v1", split=["train"]).ref == pets.lake.load("pets@v1", split="train").ref
    assert keys(pets.lake.load(both.ref, split=["train", "val"])) == keys(both)


@pytest.mark.parametrize(
    ("split", "error", "hint"),
    [
        (["train", "tets"], NotFound, "did you mean test?"),
        ([], UsageError, "leave split out"),
        (["te", "train"], NotFound, "test"),
    ],
)
def test_every_split_of_a_list_must_be_there(pets: Pets, split: list[str], error: type, hint: str) -> None:
    with pytest.raises(error) as raised:
        pets.lake.load("pets@v1", split=split)
    assert hint in raised.value.hint


def test_a_reference_and_an_argument_may_not_name_different_splits(pets: Pets) -> None:
    with pytest.raises(UsageError, match="split is"):
        pets.lake.load("pets@v1?split=train&split=val", split="train")


@pytest.mark.parametrize(
    ("condition", "message", "hint"),
    [
        ("widht > 3", "condition 'widht > 3': there is no column 'widht'", "did you mean width? columns of images: "),
        ("width >", "condition 'width >': it ends before it is complete", "columns of images: "),
        ("(width > 3", "condition '(width > 3': it ends before it is complete", "columns of images: "),
        ("width = 'a", 'condition "width = \'a": unterminated string literal (column 9)', "columns of images: "),
        ("1; select 2", "condition '1; select 2': syntax error at or near \";\" (column 2)", "columns of images: "),
        ("count(*) > 1", "condition 'count(*) > 1': a condition cannot contain aggregates", "columns of images: "),
    ],
)
def test_an_error_of_a_condition_speaks_of_the_condition(pets: Pets, condition: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        pets.lake.load("pets@v1", where=condition)
    assert raised.value.message == message
    assert (raised.value.hint or "").startswith(hint)
    assert "oriented_width" in (raised.value.hint or "")


def test_the_line_of_an_error_is_that_of_the_condition(pets: Pets) -> None:
    with pytest.raises(UsageError, match=r"\(line 2, column 5\)"):
        pets.lake.load("pets@v1", where="width > 3\nand and height > 3")


def test_a_repr_counts_the_unlabelled_images_that_were_left_out(pets: Pets) -> None:
    train = pets.lake.load("pets@v1", split="train")
    assert repr(train) == f"<1 samples of {train.ref}, 1 unlabelled images left out>"
    every = pets.lake.load("pets@v1", split="train", unlabelled=True)
    assert repr(every) == f"<2 samples of {every.ref}>"


def test_missing_bytes_name_image_version_place_and_what_to_do(pets: Pets) -> None:
    samples = pets.lake.load("pets@v1")
    (place,) = {place.as_py() for place in samples.places["uri"]}
    (pets.maker.root / place).unlink()
    with pytest.raises(ImagelakeError) as raised:
        samples[0]
    assert raised.value.message == f"a.png of pets@v1: its bytes are gone from {place}"
    assert "imagelake verify pets@v1" in (raised.value.hint or "")


def test_damaged_bytes_name_image_version_place_and_what_to_do(pets: Pets) -> None:
    samples = pets.lake.load("pets@v1")
    (place,) = {place.as_py() for place in samples.places["uri"]}
    path = pets.maker.root / place
    start, length = (samples.places[column][0].as_py() for column in ("offset", "length"))
    data = bytearray(path.read_bytes())
    data[start + length // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(IntegrityError) as raised:
        samples[0]
    assert raised.value.message.startswith(f"a.png of pets@v1: {place} at byte {start} does not hold the bytes of ")
    path.write_bytes(data[: start + 1])
    with pytest.raises(IntegrityError, match=r"^a\.png of pets@v1: .* ends before byte") as short:
        pets.lake.load("pets@v1")[0]
    assert "imagelake verify pets@v1" in (short.value.hint or "")
