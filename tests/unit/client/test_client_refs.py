from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.client.refs import Ref, nearest, parse_ref, version_name
from imagelake.core.upload_paths import check_dataset_id
from imagelake.errors import UsageError
from imagelake.gold.aliases import check_alias

DIGEST = "d1:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("pets", Ref("pets")),
        ("pets@latest", Ref("pets")),
        ("pets@v3", Ref("pets", "v3", 3)),
        ("pets@v3.2", Ref("pets", "v3.2", 3, 2)),
        ("pets@gold", Ref("pets", "gold")),
        ("pets@draft", Ref("pets", "draft")),
        (f"pets@v3.1#{DIGEST}", Ref("pets", "v3.1", 3, 1, DIGEST)),
    ],
)
def test_every_form_of_a_reference_is_understood(text: str, ref: Ref) -> None:
    assert parse_ref(text) == ref


@pytest.mark.parametrize(
    "text",
    ["", "Pets", "pets@", "pets@@v1", "pets@v0", "pets@v1.0", "../x", "pets@a b", "pets#d1:ab", "pets@v1#", "p" * 64],
)
def test_what_is_no_reference_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_ref(text)


@pytest.mark.parametrize("text", ["pets", "pets@v1", "pets@v1.2", "pets@prod", "pets@v1#d1:" + "0" * 64])
def test_a_line_break_ends_no_reference(text: str) -> None:
    parse_ref(text)
    with pytest.raises(UsageError):
        parse_ref(f"{text}\n")


@pytest.mark.parametrize("check", [check_dataset_id, check_alias])
def test_a_line_break_ends_no_name(check: Callable[[str], object]) -> None:
    check("pets")
    with pytest.raises(UsageError):
        check("pets\n")


def test_only_draft_is_the_draft() -> None:
    assert parse_ref("pets@draft").is_draft
    assert not parse_ref("pets@latest").is_draft


@given(
    dataset=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True),
    number=st.integers(1, 10**9),
    recipe=st.integers(1, 999),
    digest=st.sampled_from([None, DIGEST]),
)
def test_a_reference_written_out_is_the_same_reference(
    dataset: str, number: int, recipe: int, digest: str | None
) -> None:
    text = version_name(dataset, number, recipe)
    ref = parse_ref(text if digest is None else f"{text}#{digest}")
    assert (ref.number, ref.recipe, ref.digest) == (number, recipe, digest)
    assert parse_ref(str(ref)) == ref


def test_a_hint_names_what_is_near_else_what_there_is() -> None:
    assert nearest("pest", ["pets", "cars"], "datasets") == "did you mean pets?"
    assert nearest("zzzz", ["pets", "cars"], "datasets") == "datasets: cars, pets"
    assert nearest("zzzz", [], "datasets") == "there are no datasets yet"
    assert nearest("zzzz", [f"d{i}" for i in range(12)], "datasets").endswith("and 2 more")
