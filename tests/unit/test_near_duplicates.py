"""Groups of near-duplicates are those of comparing all pairs."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelake.quality import near_duplicates as module
from imagelake.quality.near_duplicates import LEAST_CONTRAST, MOST_DISTANCE, bands, near_duplicates, shared_bands

SCHEMA = pa.schema(
    {
        "image_key": pa.string(),
        "content_hash": pa.string(),
        "phash": pa.string(),
        "contrast": pa.float64(),
        "entropy": pa.float64(),
    }
)


def images(hashes: Sequence[int | None], contents: Sequence[str] | None = None) -> pa.Table:
    """A table of images of good contrast; each content is its own unless they are given."""
    return pa.table(
        {
            "image_key": [f"{number:05d}.jpg" for number in range(len(hashes))],
            "content_hash": contents or [f"content {number}" for number in range(len(hashes))],
            "phash": [None if value is None else f"{value:016x}" for value in hashes],
            "contrast": [0.2] * len(hashes),
            "entropy": [7.0] * len(hashes),
        },
        schema=SCHEMA,
    )


def groups(table: pa.Table, distance: int, shared: int | None = None) -> list[list[int]]:
    """The numbers of the images in each group, found by that many shared bands."""
    with pytest.MonkeyPatch.context() as patch:
        if shared is not None:
            patch.setattr(module, "shared_bands", lambda nodes, distance: shared)
        rows = near_duplicates(table, distance).groups.to_pylist()
    by_group = itertools.groupby(rows, key=lambda row: row["group"])
    return [[int(row["image_key"][:5]) for row in members] for _, members in by_group]


def all_pairs(hashes: Sequence[int], contents: Sequence[str], distance: int) -> list[list[int]]:
    """The definition: connected parts of the graph of all pairs."""
    left, parts = set(range(len(hashes))), []
    while left:
        part, edge = set(), {min(left)}
        while edge:
            part |= edge
            left -= edge
            edge = {other for other in left if any((hashes[other] ^ hashes[n]).bit_count() <= distance for n in edge)}
        parts.append(sorted(part))
    return [part for part in parts if len({contents[number] for number in part}) > 1]


@st.composite
def clouds(draw: st.DrawFn) -> tuple[list[int], list[str]]:
    """Hashes around a few centres, up to 2 * MOST_DISTANCE bits away, some equal; some contents are equal too."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    centres = [rng.getrandbits(64) for _ in range(draw(st.integers(1, 4)))]
    hashes = []
    for _ in range(draw(st.integers(0, 40))):
        flipped = rng.sample(range(64), rng.randint(0, 2 * MOST_DISTANCE))
        hashes.append(rng.choice(centres) ^ sum(1 << bit for bit in flipped))
    hashes += rng.choices(hashes, k=3) if hashes else []
    return hashes, [str(rng.randrange(max(1, len(hashes)))) for _ in hashes]


@settings(deadline=None, max_examples=50)
@given(clouds(), st.integers(0, 6), st.integers(0, 3))
def test_groups_are_those_of_all_pairs(cloud: tuple[list[int], list[str]], distance: int, shared: int) -> None:
    hashes, contents = cloud
    assert groups(images(hashes, contents), distance, shared) == all_pairs(hashes, contents, distance)


@pytest.mark.parametrize("shared", [0, 1, 2, 3])
@pytest.mark.parametrize("distance", [1, 2, 6, MOST_DISTANCE])
def test_exactly_the_distance_counts_in_whatever_bands_the_bits_lie(distance: int, shared: int) -> None:
    """No two of the bits in one band: as many bands differ as can."""
    bits = [mask & -mask for mask in bands(distance + shared)] + [1 << 63]
    near, far = sum(bits[:distance]), sum(bits[:distance]) | 1 << 62
    assert groups(images([0x5555 << 20, (0x5555 << 20) ^ near]), distance, shared) == [[0, 1]]
    assert groups(images([0x5555 << 20, (0x5555 << 20) ^ far]), distance, shared) == []


@pytest.mark.parametrize("count", range(1, 15))
def test_bands_are_all_bits_once(count: int) -> None:
    assert len(bands(count)) == count
    assert sum(bands(count)) == 2**64 - 1


def test_few_hashes_are_all_compared_and_many_are_not() -> None:
    assert [shared_bands(nodes, 6) for nodes in (0, 100, 1_000)] == [0, 0, 0]
    assert min(shared_bands(nodes, 6) for nodes in (100_000, 1_000_000)) > 1


def test_blank_pictures_and_those_without_a_hash_join_nothing() -> None:
    table = images([7, 7, 7, None, 8, 9])
    contrast = pa.array([0.2, LEAST_CONTRAST / 2, 0.2, None, None, 0.2])
    entropy = pa.array([7.0, 7.0, 0.5, None, None, 7.0])
    table = table.set_column(3, "contrast", contrast).set_column(4, "entropy", entropy)
    found = near_duplicates(table, 4)
    assert (found.blank, found.unhashed) == (2, 1)
    assert found.groups["image_key"].to_pylist() == ["00000.jpg", "00004.jpg", "00005.jpg"]


def test_many_alike_are_one_group() -> None:
    """Every hash is near hundreds of others: what would be millions of pairs."""
    rng = random.Random(5)
    frames = [0xC3A5F00F12345678 ^ sum(1 << bit for bit in rng.sample(range(64), 3)) for _ in range(20_000)]
    assert groups(images(frames), 6) == [list(range(20_000))]


def test_equal_contents_alone_are_no_group() -> None:
    assert groups(images([1, 1, 2**40], ["a", "a", "b"]), 0) == []
    assert groups(images([1, 1, 1], ["a", "a", "b"]), 0) == [[0, 1, 2]]


@pytest.mark.parametrize("distance", [-1, MOST_DISTANCE + 1])
def test_a_distance_beyond_the_bounds_is_refused(distance: int) -> None:
    with pytest.raises(ValueError, match=f"distance {distance}; 0 to {MOST_DISTANCE} bits are allowed"):
        near_duplicates(images([1]), distance)


@pytest.mark.parametrize("text", ["", "abc", "g" * 16, "0" * 17, "0x" + "0" * 14])
def test_a_hash_of_another_form_is_refused(text: str) -> None:
    table = images([1]).set_column(2, "phash", pa.array([text]))
    with pytest.raises(ValueError, match="is not 16 hex digits"):
        near_duplicates(table)


def test_neither_spark_nor_numpy_is_needed() -> None:
    code = "import sys\nfor name in ('pyspark', 'py4j', 'numpy', 'pandas'): sys.modules[name] = None\n"
    code += (
        "import pyarrow as pa\nfrom imagelake.quality.near_duplicates import near_duplicates\n"
        "hashes = pa.table({'image_key': ['a', 'b'], 'content_hash': ['a', 'b'], 'phash': ['0' * 16, '0' * 15 + '1'],"
        " 'contrast': [0.2, 0.2], 'entropy': [5.0, 5.0]})\n"
        "assert near_duplicates(hashes).groups.num_rows == 2"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
