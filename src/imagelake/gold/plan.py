"""What a publish is asked for, and what it is about to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame

from imagelake.gold.difference import Attempt, Difference
from imagelake.gold.splits import Recipe
from imagelake.quality.gate import Verdict


@dataclass(frozen=True)
class PublishRequest:
    """What to publish: the draft, or with `ref_number` another split recipe of that version's content."""

    dataset: str
    ref_number: int | None = None
    split: Mapping[str, float] | None = None
    group_by: str | None = None
    stratify: bool = False
    note: str | None = None
    alias: str | None = None
    author: str | None = None


@dataclass(frozen=True)
class Content:
    """The rows a version consists of."""

    images: DataFrame
    annotations: DataFrame
    categories: DataFrame


@dataclass(frozen=True)
class Plan:
    """A version about to be written."""

    attempt: Attempt
    recipe_number: int
    recipe: Recipe
    content: Content
    splits: DataFrame
    differences: Sequence[Difference]
    verdict: Verdict | None
    parent: str | None
    contradictions: int
    moved: int
