"""Recipes without Spark: which one a publish continues, which uploads a version includes, how strata fill up."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from imagelake.config.dataset_settings import DatasetSettings, SplitSettings
from imagelake.errors import UsageError
from imagelake.gold.live import Published
from imagelake.gold.plan import PublishRequest
from imagelake.gold.splits.assign import Recipe
from imagelake.gold.splits.recipes import choose_recipe, history, settings_that_differ
from imagelake.gold.splits.stratify import placer
from imagelake.gold.version_uploads import uploads_since

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
NIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)


def settings(**splits: Any) -> DatasetSettings:
    return DatasetSettings(splits=SplitSettings(**splits)) if splits else DatasetSettings()


def published(recipe: Recipe, made_with: DatasetSettings | None = None) -> Published:
    stored = (made_with or settings()).model_dump_json()
    rows = [
        {"number": n, "recipe": 1, "sequence": n, "recipe_spec": spec.as_json(), "settings": stored}
        for n, spec in ((1, recipe), (2, recipe))
    ]
    return Published("d", rows)


def test_the_first_version_takes_options_before_settings() -> None:
    request = PublishRequest("d", split={"a": 1.0}, stratify=False)
    recipe = choose_recipe(request, settings(group_by="patient", stratify=True, seed=5), Published("d", ()))
    assert recipe == Recipe({"a": 1.0}, "patient", stratify=False, seed=5)
    given = choose_recipe(PublishRequest("d", group_by="scan", stratify=True), settings(), Published("d", ()))
    assert given == Recipe(SHARES, "scan", stratify=True)


@pytest.mark.parametrize(
    "options", [{}, {"split": dict(SHARES)}, {"group_by": "patient"}, {"stratify": True}, {"alias": "best"}]
)
def test_recipe_1_continues_whatever_the_settings_are_now(options: dict[str, Any]) -> None:
    first = Recipe(SHARES, "patient", stratify=True, seed=3)
    now = settings(fractions={"a": 1.0}, group_by="other", seed=8)
    assert choose_recipe(PublishRequest("d", **options), now, published(first)) == first


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ({"split": {"train": 0.5, "val": 0.5}}, "--split train=0.5,val=0.5 --group-by patient"),
        ({"split": dict(reversed(SHARES.items()))}, "--split test=0.1,val=0.1,train=0.8 --group-by patient"),
        ({"group_by": "two words"}, "--split train=0.8,val=0.1,test=0.1 --group-by 'two words'"),
        ({"stratify": True}, "--split train=0.8,val=0.1,test=0.1 --group-by patient --stratify"),
    ],
)
def test_other_options_are_refused_with_the_command_of_a_new_recipe(options: dict[str, Any], command: str) -> None:
    with pytest.raises(UsageError, match=r"d continues recipe 1 .*--split train=0.8,val=0.1,test=0.1") as error:
        choose_recipe(PublishRequest("d", **options), settings(), published(Recipe(SHARES, "patient")))
    assert str(error.value.hint).endswith(f"imagelake publish d@v2 {command}")


def test_only_what_the_settings_say_and_the_recipe_does_not_is_told() -> None:
    plain, grouped = Recipe(SHARES), Recipe({"a": 1.0}, "patient")
    assert settings_that_differ(settings(), Published("d", ())) == ()
    assert settings_that_differ(settings(), published(plain)) == ()
    assert settings_that_differ(settings(seed=0, fractions=SHARES, on_conflict="refuse"), published(plain)) == ()
    assert settings_that_differ(settings(seed=1, group_by="x", stratify=True), published(plain)) == (
        "group_by",
        "stratify",
        "seed",
    )
    # options of the first publish won over the defaults, and nobody has written anything since
    assert settings_that_differ(settings(), published(grouped)) == ()
    assert settings_that_differ(settings(fractions=SHARES), published(grouped)) == ("fractions",)
    # what was written then is gone now
    before = settings(fractions={"a": 1.0}, group_by="patient")
    assert settings_that_differ(settings(), published(grouped, before)) == ("fractions", "group_by")


def test_a_recipe_comes_back_from_its_text() -> None:
    recipe = Recipe({"b": 0.25, "a": 0.75}, "x", stratify=True, seed=4, uploaded=False)
    again = Recipe.from_json(recipe.as_json())
    assert (again, list(again.fractions)) == (recipe, ["b", "a"])


def test_a_recipe_of_a_version_takes_nothing_from_recipe_1() -> None:
    request = PublishRequest("d", 1, {"a": 0.5, "b": 0.5})
    recipe = choose_recipe(request, settings(group_by="patient", stratify=True, seed=2), published(Recipe(SHARES)))
    assert recipe == Recipe({"a": 0.5, "b": 0.5}, seed=2, uploaded=False)
    assert history(published(Recipe(SHARES)), recipe, 1) == (2, 2)
    with pytest.raises(UsageError, match="needs its shares"):
        choose_recipe(PublishRequest("d", 1), settings(), published(Recipe(SHARES)))


def upload(sequence: int, state: str = "built", minutes: int = 0) -> dict[str, Any]:
    at = NIGHT + timedelta(minutes=minutes)
    return {"upload_id": f"u{sequence % 3}", "sequence": sequence, "state": state, "at": at}


def test_a_version_has_the_uploads_above_its_parents_sequence_whatever_the_clocks_say() -> None:
    rows = [upload(1, minutes=9), upload(2, "rejected"), upload(3), upload(4, "unchanged"), upload(5, "failed")]
    first = uploads_since(None, rows)
    assert (first.ids, first.last_sequence) == (["u0", "u1"], 4)
    parent = {"last_sequence": 2, "at": NIGHT + timedelta(minutes=5)}
    later = uploads_since(parent, [*rows, upload(6), upload(7, "superseded"), upload(8, "landed")])
    assert ([row["sequence"] for row in later.built], later.ids, later.last_sequence) == ([3, 6], ["u0"], 7)
    assert uploads_since(None, []).last_sequence is None


def test_a_parent_of_an_older_lake_is_told_apart_by_time() -> None:
    parent = {"last_sequence": None, "at": NIGHT + timedelta(minutes=5)}
    assert uploads_since(parent, [upload(1, minutes=5), upload(2, minutes=6)]).ids == ["u2"]


def test_thirty_publishes_of_one_image_fill_every_split() -> None:
    have: Counter[str] = Counter()
    for _ in range(30):
        have[placer(SHARES, {"cat": have})("cat")] += 1
    assert have == {"train": 24, "val": 3, "test": 3}


def test_a_class_fills_what_it_is_short_of_and_groups_outside_the_shares_count_too() -> None:
    place = placer({"train": 0.5, "val": 0.5}, {"a": {"train": 3}, "b": {"holdout": 4, "val": 1}})
    assert [place(name) for name in "aaaabb"] == ["val", "val", "val", "train", "train", "train"]
