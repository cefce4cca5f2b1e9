"""What a publish is asked for, and what it is about to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagelake.gold.difference import Attempt, Difference
from imagelake.gold.digests import Digests
from imagelake.gold.measures.relations import Relations
from imagelake.gold.splits.assign import Recipe
from imagelake.quality.gate import Verdict
from imagelake.quality.statistics import Statistics

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
class Uploads:
    """Uploads built since the parent version (rows of bronze.uploads), and the newest sequence the content includes."""

    built: tuple[Mapping[str, Any], ...]
    last_sequence: int | None

    @property
    def ids(self) -> list[str]:
        """Their upload ids, sorted, each once."""
        return sorted({row["upload_id"] for row in self.built})


@dataclass(frozen=True)
class Candidate:
    """A draft and the splits it would be published with, to be measured, and the shares that their recipe asks for."""

    relations: Relations
    uploads: Uploads
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Remarks:
    """What is odd about a publish: broken rules by id, those that warn and those that inform, and sentences on them."""

    warnings: Mapping[str, int] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    infos: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Remarks) -> Remarks:
        """The remarks of both."""
        infos = {**self.infos, **other.infos}
        return Remarks({**self.warnings, **other.warnings}, (*self.notices, *other.notices), infos)


@dataclass(frozen=True)
class PublishPlan:
    """A version about to be written."""

    attempt: Attempt
    recipe_number: int
    recipe: Recipe
    differences: Sequence[Difference]
    digests: Digests
    statistics: Statistics
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
