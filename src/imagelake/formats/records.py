"""What a format reader yields: plain records, and an issue for everything it could not turn into one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagelake.geometry.boxes import Box

EVERY_KIND = "*"
"""In `ImageRecord.kinds`: the image is labelled for the kinds of all annotations of its upload.

They are the distinct kinds of all annotation records and annotation issues of the upload's documents of that format,
box if there are none: what an empty label file says there are none of, only all the other files together tell.
"""

DOCUMENT_KINDS = "."
"""In `ImageRecord.kinds`: the image is labelled for the kinds of all annotations of its document, by the same rule."""


@dataclass(frozen=True)
class ImageRecord:
    """An image as a document names it.

    `ref` identifies it within the document (a COCO id, else the file itself); `file` is the name as written, with
    `/` separators; with `by_stem` the file's suffix is unknown and only the stem must match; with `absolute` it is the
    path on another machine, without its root. `kinds` are the annotation kinds the document labels it for, or
    EVERY_KIND, or DOCUMENT_KINDS: an image listed without objects is labelled with nothing, and one that a mere list of
    split members names has no kinds.
    """

    document: str
    ref: str
    file: str
    locator: str
    by_stem: bool = False
    absolute: bool = False
    width: int | None = None
    height: int | None = None
    split: str | None = None
    kinds: tuple[str, ...] = ()
    source_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnnotationRecord:
    """An annotation of the image that `image_ref` names in the same document.

    The category is a name, or else `category_ref`, an id that a CategoryRecord of the same document resolves. `bbox`
    is x, y, w, h; `unit` says that coordinates are shares of width and height (YOLO) instead of pixels.
    `decimals` is the number of decimals shares are rounded to, where their digits tell: how far they may be off.
    `raw` is the payload as delivered, for the rejection row.
    """

    document: str
    image_ref: str
    locator: str
    kind: str
    raw: str
    category: str | None = None
    category_ref: str | None = None
    bbox: Box | None = None
    unit: bool = False
    decimals: int | None = None
    polygons: tuple[tuple[float, ...], ...] | None = None
    rle_size: tuple[int, int] | None = None
    rle_counts: str | None = None
    area: float | None = None
    is_crowd: bool = False
    keypoints: tuple[float, ...] | None = None
    source_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnnotationRows:
    """Many annotations of one document: columns of equal length with what an AnnotationRecord has, the rest unset."""

    document: str
    image_refs: Sequence[str]
    locators: Sequence[str]
    kinds: Sequence[str]
    raws: Sequence[str]
    category_refs: Sequence[str]
    boxes: Sequence[Box]
    polygons: Sequence[Sequence[Sequence[float]] | None]
    areas: Sequence[float]
    crowds: Sequence[bool]
    source_ids: Sequence[str]

    def records(self) -> Iterator[AnnotationRecord]:
        """The same annotations one by one."""
        for place, outline in enumerate(self.polygons):
            yield AnnotationRecord(
                document=self.document,
                image_ref=self.image_refs[place],
                locator=self.locators[place],
                kind=self.kinds[place],
                raw=self.raws[place],
                category_ref=self.category_refs[place],
                bbox=self.boxes[place],
                polygons=None if outline is None else tuple(map(tuple, outline)),
                area=self.areas[place],
                is_crowd=self.crowds[place],
                source_id=self.source_ids[place],
            )


@dataclass(frozen=True)
class CategoryRecord:
    """A category a document declares; `order` is its place there, `ref` what annotations call it."""

    document: str
    ref: str
    name: str
    order: int
    supercategory: str | None = None
    source_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Issue:
    """A part of a document that became no record: rule id, message with the value and what is allowed, raw payload.

    `entity` is file, image, annotation or category; `image_ref` names the image in the document when it is known.
    """

    document: str
    entity: str
    locator: str
    rule: str
    message: str
    raw: str
    image_ref: str | None = None
    kind: str | None = None


Record = ImageRecord | AnnotationRecord | CategoryRecord | Issue
