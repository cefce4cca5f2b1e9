"""What an export format is given, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from imagelake.client.data.samples import Samples
    from imagelake.exports.folder import ExportFolder


@dataclass(frozen=True)
class Category:
    """A category; `train_index` is None for a root, which owns no annotation."""

    name: str
    train_index: int | None
    supercategory: str | None
    source_id: str | None
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class About:
    """A dataset's description, and when its version was published (now, for a draft)."""

    dataset: str
    version: str
    title: str | None
    licence: str | None
    tags: tuple[str, ...]
    published: datetime


@dataclass(frozen=True, eq=False)
class ExportContent:
    """A selection of a version: its samples in key order, and its categories, those with a training index first."""

    samples: Samples
    categories: tuple[Category, ...]
    about: About

    @property
    def ref(self) -> str:
        """The reference that names exactly these samples."""
        return self.samples.ref


class Format(Protocol):
    """A layout of files that other tools read.

    `has_unlabelled`: whether it tells images that nobody labelled from images without objects; others leave them out.
    `oriented`: whether its readers turn images by EXIF, so that coordinates are those of the shown image.
    """

    name: ClassVar[str]
    has_unlabelled: ClassVar[bool]
    oriented: ClassVar[bool]

    def write(self, content: ExportContent, folder: ExportFolder) -> None:
        """Lay the content out. What the format cannot hold is counted by `folder.lose`."""
        ...
