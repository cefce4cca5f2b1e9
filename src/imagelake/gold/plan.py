"""What a publish is asked for, and what it is about to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame

from imagelake.gold.difference import Attempt, Difference
from imagelake.gold.splits import Recipe
from imagelake.quality.gate import Verdict

CONTRADICTS = "split.contradicts"
"""Warning: an image that was never published gets another split than it was uploaded for."""


@dataclass(frozen=True)
class PublishRequest:
    """What to publish: the draft, or with `ref_number` another split recipe of that version's content.

    None for an option of the recipe: whatever the recipe says that is continued. `force` publishes a draft that the
    gate refuses; the note says why.
    """

    dataset: str
    ref_number: int | None = None
    split: Mapping[str, float] | None = None
    group_by: str | None = None
    stratify: bool | None = None
    note: str | None = None
    alias: str | None = None
    author: str | None = None
    force: bool = False


@dataclass(frozen=True)
class Content:
    """The rows a version consists of."""

    images: DataFrame
    annotations: DataFrame
    categories: DataFrame


@dataclass(frozen=True)
class Uploads:
    """Uploads built since the parent version (rows of bronze.uploads), and the newest sequence the content includes."""

    built: tuple[Mapping[str, Any], ...]
    last_sequence: int | None

    @property
    def ids(self) -> list[str]:
        """Their upload ids, sorted, each once."""
        return sorted({row["upload_id"] for row in self.built})


@dataclass(frozen=True)
class Remarks:
    """What is odd about the splits of a publish: warnings by rule, and sentences that name what they count."""

    warnings: Mapping[str, int] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def __add__(self, other: Remarks) -> Remarks:
        """The remarks of both."""
        return Remarks({**self.warnings, **other.warnings}, (*self.notices, *other.notices))


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
    uploads: Uploads
    remarks: Remarks


@dataclass(frozen=True)
class Current:
    """The published version that already is what a request asks for."""

    number: int
    recipe_number: int
    remarks: Remarks
