from __future__ import annotations

from pathlib import Path

import pytest

import imagelake
from imagelake.client.lake import Lake
from imagelake.errors import ConfigError, IntegrityError, NotFound
from lakes import LakeMaker
from pet_lake import Pets


def shown(lake: Lake, ref: str) -> str:
    return str(lake.show(ref).as_json()["version"])


def test_references_lead_to_versions(pets: Pets) -> None:
    named = {ref: shown(pets.lake, f"pets@{ref}") for ref in ("latest", "v1", "v2.1", "v2.2", "gold", "best", "draft")}
    assert named == {
        "latest": "pets@v3",
        "v1": "pets@v1",
        "v2.1": "pets@v2",
        "v2.2": "pets@v2.2",
        "gold": "pets@v3",
        "best": "pets@v2.2",
        "draft": "pets@draft",
    }


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("pets@v9", "v1, v2, v2.2, v3"),
        ("pets@v3.2", "v3"),
        ("pets@gone", "gold"),
        ("pets@golt", "did you mean gold?"),
        ("pest@v1", "did you mean pets?"),
        ("cars@draft", "datasets: pets"),
    ],
)
def test_what_is_not_there_is_not_found_and_the_hint_says_what_is(pets: Pets, ref: str, words: str) -> None:
    with pytest.raises(NotFound) as error:
        pets.lake.show(ref)
    assert words in (error.value.hint or "")


def test_a_retired_version_is_shown_and_not_read_and_not_latest(pets: Pets) -> None:
    pets.maker.state("pets", 3, "retired")
    pets.maker.flush()
    assert shown(pets.lake, "pets@latest") == "pets@v2"
    assert pets.lake.show("pets@v3").as_json()["state"] == "retired"
    with pytest.raises(NotFound, match="was retired"):
        pets.lake.diff("pets@v1", "pets@v3")
    assert pets.lake.verify("pets@v2", rows_only=True).ok


def test_restoring_makes_it_latest_again(pets: Pets) -> None:
    for state in ("retired", "published"):
        pets.maker.state("pets", 3, state)
        pets.maker.flush()
    assert shown(pets.lake, "pets@latest") == "pets@v3"
    assert len(pets.lake.show("pets").as_json()["versions"]) == 4


def test_a_digest_in_a_reference_must_be_the_version_s_own(pets: Pets) -> None:
    digest = pets.lake.show("pets@v1").as_json()["digest"]
    assert shown(pets.lake, f"pets@v1#{digest}") == "pets@v1"
    with pytest.raises(IntegrityError, match="not d1:"):
        pets.lake.show(f"pets@v2#{digest}")


def test_a_dataset_without_a_version_points_at_its_draft(maker: LakeMaker) -> None:
    maker.image("cars", "a.png")
    maker.deliver("cars")
    maker.flush()
    lake = imagelake.open(str(maker.root))
    shown = lake.show("cars").as_json()
    assert (shown["versions"], shown["latest"]) == ([], None)
    with pytest.raises(NotFound) as error:
        lake.diff("cars", "cars@draft")
    assert "cars@draft" in (error.value.hint or "")


def test_a_place_without_the_mark_is_no_lake_and_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no lake"):
        imagelake.open(str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_lake_without_tables_is_an_empty_lake(maker: LakeMaker) -> None:
    for table in sorted(maker.root.glob("tables/*/*/_delta_log/*"), reverse=True):
        table.unlink()
    lake = imagelake.open(str(maker.root))
    assert lake.show().as_json() == {"datasets": []}
    assert lake.runs().as_json() == {"runs": []}
    assert lake.sql("select count(*) from images").rows == ((0,),)
    assert lake.table("gold.versions").as_json()["delta_version"] is None
    for ask in (lambda: lake.show("pets"), lambda: lake.rejections("pets"), lambda: lake.load("pets")):
        with pytest.raises(NotFound, match="no dataset 'pets'"):
            ask()


@pytest.mark.parametrize("name", ["a b", "it's", "ü", "star*?", "dataset=x", "#1"])
def test_a_lake_may_lie_under_any_readable_path(tmp_path: Path, name: str) -> None:
    maker = LakeMaker(tmp_path / name / "lake")
    Pets(maker)
    lake = imagelake.open(str(maker.root))
    assert lake.verify("pets@v1").ok
    assert lake.sql("select distinct dataset from images").rows == (("pets",),)


def test_a_path_the_delta_reader_cannot_open_is_named(tmp_path: Path, maker: LakeMaker) -> None:
    moved = tmp_path / "50%"
    maker.root.rename(moved)
    with pytest.raises(ConfigError, match="holds %"):
        imagelake.open(str(moved)).show()


def test_a_digest_of_another_version_is_named_with_that_version(pets: Pets) -> None:
    digest = pets.lake.load("pets@v2").ref.partition("#")[2].partition("?")[0]
    with pytest.raises(IntegrityError) as raised:
        pets.lake.load(f"pets@v3#{digest}")
    assert raised.value.hint == "that is pets@v2"
    with pytest.raises(IntegrityError) as raised:
        pets.lake.load(f"pets@v3#d1:{'0' * 64}")
    assert "no version of it" in str(raised.value.hint)
