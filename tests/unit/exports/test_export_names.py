"""Names of exported files: one for each key, on every disk."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.exports import unique_names

PARTS = st.sampled_from(
    [
        "a",
        "A",
        "b",
        "ß",
        "ss",
        "é",
        "e\u0301",
        "con",
        "NUL.txt",
        "a.jpg",
        "A.JPG",
        "a.png",
        "x:y",
        "x_y",
        "..",
        ".",
        "t.",
    ]
) | st.text(max_size=6).map(lambda text: text.replace("/", "") or "x")
KEYS = st.lists(st.lists(PARTS, min_size=1, max_size=3).map("/".join), unique=True, max_size=12)


def shown_as(path: str) -> str:
    """How a disk compares names that tells neither case nor the form of accents apart."""
    import unicodedata

    return unicodedata.normalize("NFD", unicodedata.normalize("NFC", path.casefold()))


@given(keys=KEYS)
def test_no_two_keys_are_one_file_on_any_disk(keys: list[str]) -> None:
    paths = unique_names.paths(keys, keys)
    assert len({shown_as(path) for path in paths}) == len(keys)
    folders = {
        shown_as("/".join(parts[:n])) for path in paths for parts in [path.split("/")] for n in range(1, len(parts))
    }
    assert folders.isdisjoint(map(shown_as, paths)), "no file stands where a folder stands"


@given(keys=KEYS)
def test_no_two_keys_share_a_label_file(keys: list[str]) -> None:
    labels = [f"{unique_names.stem(path)}.txt" for path in unique_names.stems(keys, keys)]
    assert len({shown_as(label) for label in labels}) == len(keys)
    folders = {
        shown_as("/".join(parts[:n])) for path in labels for parts in [path.split("/")] for n in range(1, len(parts))
    }
    assert folders.isdisjoint(map(shown_as, labels))


@given(keys=KEYS, data=st.data())
def test_a_name_does_not_depend_on_the_order_of_the_keys(keys: list[str], data: Any) -> None:
    shuffled = data.draw(st.permutations(keys))
    for distinct in (unique_names.paths, unique_names.stems):
        assert dict(zip(keys, distinct(keys, keys), strict=True)) == dict(
            zip(shuffled, distinct(shuffled, shuffled), strict=True)
        )


@given(keys=st.lists(st.from_regex(r"[a-z]{4}(/[a-z]{2}[0-9]){0,2}-[0-9]\.(jpg|png)", fullmatch=True), unique=True))
def test_names_that_are_in_nobodys_way_stay(keys: list[str]) -> None:
    assert unique_names.paths(keys, keys) == keys


@given(path=st.lists(PARTS, min_size=1, max_size=3).map("/".join))
def test_every_part_is_a_name_that_windows_takes(path: str) -> None:
    for part in unique_names.portable(path).split("/"):
        assert part not in ("", ".", "..")
        assert part[-1] not in " ."
        assert not set('<>:"|?*\\') & set(part)
        assert part.partition(".")[0].lower() not in ("con", "nul", "prn", "aux", "com1", "lpt1")
        assert len(part.encode()) <= 255


def test_names_that_differ_by_case_only_are_told_apart() -> None:
    first, second = unique_names.paths(["x/A.jpg", "x/a.jpg"], ["x/A.jpg", "x/a.jpg"])
    assert first.lower() != second.lower()
    assert first.startswith("x/A-")
    assert second.endswith(".jpg")


def test_one_stem_with_two_suffixes_collides_only_where_stems_count() -> None:
    keys = ["a.jpg", "a.png", "b.jpg"]
    assert unique_names.paths(keys, keys) == keys
    assert len({unique_names.stem(path) for path in unique_names.stems(keys, keys)}) == 3
    assert unique_names.stems(keys, keys)[2] == "b.jpg"


def test_a_file_gives_way_to_a_folder_of_its_name() -> None:
    keys = ["a.jpg", "a.jpg/b.jpg"]
    assert unique_names.paths(keys, keys)[1] == "a.jpg/b.jpg"
    assert unique_names.paths(keys, keys)[0] != "a.jpg"


def test_splits_have_a_folder_each_and_images_without_one_have_theirs() -> None:
    folders = unique_names.split_folders(["train", None, "images", "../up"], "images")
    assert folders["train"] == "train"
    assert len({name.lower() for name in folders.values()}) == 4
    assert all("/" not in name and name != ".." for name in folders.values())


@pytest.mark.parametrize(("path", "stem"), [("a.jpg", "a"), ("x.y/a", "x.y/a"), (".jpg", ".jpg"), ("x/.a.b", "x/.a")])
def test_a_stem_ends_before_the_last_suffix(path: str, stem: str) -> None:
    assert unique_names.stem(path) == stem
