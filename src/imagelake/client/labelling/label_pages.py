"""Pages of images with their labels and URLs.

Labels are those of the draft as it will be once the waiting saves are built, those of a version as it is. All
coordinates are pixels of the raw image, before its EXIF orientation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imagelake.client.data.sample import Annotation, annotation
from imagelake.client.labelling import label_rows
from imagelake.client.labelling.label_check import as_entry
from imagelake.client.labelling.label_index import Index, Matching, SingleObjects, can_be_key
from imagelake.client.labelling.label_state import index_of, newest_saves
from imagelake.client.labelling.warm import Warm
from imagelake.client.refs import Ref
from imagelake.client.sql_text import Row
from imagelake.errors import UsageError
from imagelake.storage.blobs.local_writer import blob_path
from imagelake.tables import bronze

if TYPE_CHECKING:
    from imagelake.storage.s3.presign import Url

_MOST_IMAGES = 1000
_PLAIN = ("key", "width", "height", "orientation", "media_type", "split", "etag", "url")


@dataclass(frozen=True)
class PageImage:
    """An image: raw width and height, EXIF orientation, its labels, and the etag that a save of them names as base.

    `labelled` are the kinds it is labelled for, possibly with nothing. `url` is None where its bytes are no object of
    their own.
    """

    key: str
    width: int
    height: int
    orientation: int
    media_type: str | None
    split: str | None
    labels: tuple[Annotation, ...]
    labelled: tuple[str, ...]
    etag: str
    url: Url | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Plain data, `labels` in the form that a save takes; holds the URL."""
        labels = [as_entry(label) for label in self.labels]
        return {**{name: getattr(self, name) for name in _PLAIN}, "labels": labels, "labelled": list(self.labelled)}


@dataclass(frozen=True)
class Page:
    """Images in key order, and the key to go on after; None at the end."""

    images: tuple[PageImage, ...]
    next: str | None

    def as_json(self) -> dict[str, Any]:
        """{"images": [...], "next": key or null}; holds URLs."""
        return {"images": [image.as_json() for image in self.images], "next": self.next}


@dataclass(frozen=True)
class PageRequest:
    """Which images a page shows: those beyond a key that meet a condition, with URLs that live so many seconds."""

    where: str | None = None
    after: str | None = None
    limit: int = 100
    expires: int = 3600

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= _MOST_IMAGES:
            raise UsageError(f"a page of {self.limit} images", hint=f"limit is 1 to {_MOST_IMAGES}")
        if self.after is not None and not can_be_key(self.after):
            raise UsageError(f"after {self.after!r}: no image has that key", hint="pass the `next` of the page before")


def page(warm: Warm, ref: Ref, request: PageRequest, matching: Matching) -> Page:
    """A page of a version or the draft."""
    # saves before tables: an ingest removes a save only once it is in the draft, so one of the two shows it
    folders = warm.saves.waiting(ref.dataset) if ref.is_draft else {}
    index = index_of(warm, ref)
    if index is None:
        return Page((), None)
    matches = index.page(request.after, request.limit + 1, request.where, matching)
    rows = matches[: request.limit]
    saved = newest_saves(warm, ref.dataset, rows, folders)
    annotations = index.annotations([row["image_key"] for row in rows])
    images = []
    for row, url in zip(rows, _urls(warm, ref.dataset, rows, request.expires), strict=True):
        key = row["image_key"]
        labels, labelled = label_rows.effective(annotations[key], row["labelled"] or (), saved.get(key))
        images.append(_page_image(row, labels, labelled, index, url))
    return Page(tuple(images), rows[-1]["image_key"] if len(matches) > len(rows) else None)


def _urls(warm: Warm, dataset: str, rows: Sequence[Row], seconds: int) -> list[Url | None]:
    if warm.storage.folder is not None:
        return [None] * len(rows)
    from imagelake.storage.s3.presign import presigned_gets

    objects = warm.piece(f"{dataset} objects", (bronze.BLOBS,), dataset, lambda look: SingleObjects(look, dataset))
    single = objects.single(row["content_hash"] for row in rows)
    locations = [(blob_path(row["content_hash"]), row["media_type"]) for row in rows if row["content_hash"] in single]
    signed = iter(presigned_gets(warm.storage, locations, seconds))
    return [next(signed) if row["content_hash"] in single else None for row in rows]


def _page_image(row: Row, labels: Sequence[Row], labelled: tuple[str, ...], index: Index, url: Url | None) -> PageImage:
    return PageImage(
        key=row["image_key"],
        width=row["width"],
        height=row["height"],
        orientation=row["orientation"] or 1,
        media_type=row["media_type"],
        split=row["split"],
        labels=tuple(annotation(label, index.classes.get(label["category"])) for label in labels),
        labelled=labelled,
        etag=label_rows.etag_of(labels, labelled),
        url=url,
    )
