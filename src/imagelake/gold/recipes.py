"""Which split recipe a publish uses, and which number it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelake.dataset_settings import DatasetSettings
from imagelake.errors import UsageError
from imagelake.gold.live import Published
from imagelake.gold.splits import Recipe

if TYPE_CHECKING:
    from imagelake.gold.plan import PublishRequest

FIRST = 1


def choose_recipe(request: PublishRequest, settings: DatasetSettings, known: Published) -> Recipe:
    """The recipe a request means: recipe 1 from the dataset's settings unless it names shares of its own.

    A recipe for existing content starts from scratch: uploaded splits belong to recipe 1.
    """
    splits = settings.splits
    if request.ref_number is not None:
        if request.split is None:
            raise UsageError(
                "a recipe for an existing version needs its shares", hint="--split train=0.8,val=0.1,test=0.1"
            )
        return Recipe(dict(request.split), request.group_by, request.stratify, splits.seed, uploaded=False)
    if request.split is not None and known.number:
        raise UsageError(
            f"{request.dataset} already has recipe 1; other shares are a recipe of their own",
            hint=f"publish first, then: imagelake publish {request.dataset}@v{known.number} --split …",
        )
    return Recipe(
        dict(request.split or splits.fractions),
        request.group_by or splits.group_by,
        request.stratify or splits.stratify,
        splits.seed,
    )


def history(known: Published, recipe: Recipe, number: int) -> tuple[int, int]:
    """(number of the recipe to write, number of the recipe whose earlier splits it keeps).

    A recipe goes on under its number in later versions. For a version older than the newest one it was made
    for, it gets a new number, so that no published version changes, and still keeps the splits.
    """
    text = recipe.as_json()
    same = [row for row in known.rows if row["recipe_spec"] == text and row["recipe"] != FIRST]
    there = [row for row in same if row["number"] == number]
    if there:
        return there[-1]["recipe"], there[-1]["recipe"]
    fresh = max((row["recipe"] for row in known.rows), default=FIRST) + 1
    if not same:
        return fresh, fresh
    newest = max(same, key=lambda row: (row["number"], row["recipe"]))
    return (newest["recipe"] if newest["number"] < number else fresh), newest["recipe"]
