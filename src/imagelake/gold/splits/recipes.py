"""Which split recipe a publish uses, and which number it has.

Recipe 1 has the shares, group, stratification and seed of its first version for ever: every later publish continues
them. Other shares for content that is published are a recipe of their own.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.errors import UsageError
from imagelake.gold.live import Published
from imagelake.gold.plan import PublishRequest
from imagelake.gold.splits.assign import Recipe

FIRST = 1
_SETTINGS = ("fractions", "group_by", "stratify", "seed")


def choose_recipe(request: PublishRequest, settings: DatasetSettings, past_versions: Published) -> Recipe:
    """The recipe a request means; UsageError when its options are not those of the recipe it continues.

    Without a version in the request that is recipe 1: of the first version, or from options and settings when this
    is the first. For an existing version it starts from scratch: uploaded splits belong to recipe 1.
    """
    splits = settings.splits
    if request.ref_number is not None:
        if request.split is None:
            raise UsageError(
                "a recipe for an existing version needs its shares", hint="--split train=0.8,val=0.1,test=0.1"
            )
        stratify = bool(request.stratify)
        return Recipe(dict(request.split), request.group_by, stratify, splits.seed, uploaded=False)
    if past_versions.first is not None:
        return _continued(request, past_versions, Recipe.from_json(past_versions.first["recipe_spec"]))
    return Recipe(
        dict(splits.fractions if request.split is None else request.split),
        splits.group_by if request.group_by is None else request.group_by,
        splits.stratify if request.stratify is None else request.stratify,
        splits.seed,
    )


def _continued(request: PublishRequest, past_versions: Published, recipe: Recipe) -> Recipe:
    other = Recipe(
        recipe.fractions if request.split is None else dict(request.split),
        recipe.group_by if request.group_by is None else request.group_by,
        recipe.stratify if request.stratify is None else request.stratify,
        recipe.seed,
        recipe.uploaded,
    )
    if _comparable(asdict(other)) == _comparable(asdict(recipe)):
        return recipe
    raise UsageError(
        f"{request.dataset} continues recipe 1 with the options of its first version ({options(recipe)}), "
        f"not {options(other)}",
        hint=f"publish without these options; for a recipe of its own: "
        f"imagelake publish {request.dataset}@v{past_versions.number} {options(other)}",
    )


def options(recipe: Recipe) -> str:
    """The recipe as options of `publish`."""
    shares = ",".join(f"{name}={share!r}" for name, share in recipe.fractions.items())
    words = ["--split", shares]
    if recipe.group_by is not None:
        words += ["--group-by", recipe.group_by]
    if recipe.stratify:
        words.append("--stratify")
    return shlex.join(words)


def settings_that_differ(settings: DatasetSettings, past_versions: Published) -> tuple[str, ...]:
    """Keys of the dataset's `splits` that say something else than recipe 1, which continues all the same.

    What the file leaves out counts only if it had another value at the first version: options of that publish won
    over the defaults then, and nothing has changed since.
    """
    first = past_versions.first
    if first is None:
        return ()
    recipe = _comparable(asdict(Recipe.from_json(first["recipe_spec"])))
    before = _comparable(json.loads(first["settings"] or "{}").get("splits", {}))
    now = _comparable(settings.splits.model_dump())
    written = settings.splits.model_fields_set
    return tuple(
        key for key in _SETTINGS if now[key] != recipe[key] and (key in written or now[key] != before.get(key))
    )


def _comparable(splits: Mapping[str, Any]) -> dict[str, Any]:
    """Shares as pairs: their order decides where a hash falls."""
    return {**splits, "fractions": list(splits.get("fractions", {}).items())}


def history(past_versions: Published, recipe: Recipe, number: int) -> tuple[int, int]:
    """(number of the recipe to write, number of the recipe whose earlier splits it keeps).

    A recipe goes on under its number in later versions. For a version older than the newest one it was made
    for, it gets a new number, so that no published version changes, and still keeps the splits.
    """
    text = recipe.as_json()
    same = [row for row in past_versions.rows if row["recipe_spec"] == text and row["recipe"] != FIRST]
    there = [row for row in same if row["number"] == number]
    if there:
        return there[-1]["recipe"], there[-1]["recipe"]
    fresh = max((row["recipe"] for row in past_versions.rows), default=FIRST) + 1
    if not same:
        return fresh, fresh
    newest = max(same, key=lambda row: (row["number"], row["recipe"]))
    return (newest["recipe"] if newest["number"] < number else fresh), newest["recipe"]
