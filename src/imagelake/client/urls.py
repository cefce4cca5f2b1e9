"""`lake.urls(REF, …)`: a URL for each image of a selection that is an object of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imagelake.client.blobs import Blob, blobs
from imagelake.client.samples import Samples
from imagelake.client.tables import Tables
from imagelake.storage.blobs import blob_path
from imagelake.storage.presign import Url, presigned_gets, served_type

if TYPE_CHECKING:
    from imagelake.storage.base import Storage

BROWSE = (
    "they lie in a kept zip or package; with `browse: true` in the dataset's settings uploads keep objects, "
    "and the same upload once more makes them"
)


@dataclass(frozen=True)
class UrlRow:
    """An image's key, the URL that reads it, and the media type it is sent with."""

    key: str
    url: Url = field(repr=False)
    media_type: str


@dataclass(frozen=True)
class Urls:
    """URLs of a selection, in key order. They are secrets: representations hide them, and pickling is refused.

    `missing` are the keys of images without an object of their own, and `hint` what helps.
    """

    ref: str
    expires: int
    rows: tuple[UrlRow, ...] = field(repr=False)
    missing: tuple[str, ...] = field(repr=False)
    hint: str | None = None

    def as_json(self) -> dict[str, Any]:
        """{"ref", "expires", "urls": [{key, url, media_type}], "missing", "hint"}."""
        urls = [{"key": row.key, "url": row.url, "media_type": row.media_type} for row in self.rows]
        found = {"ref": self.ref, "expires": self.expires, "urls": urls}
        return {**found, "missing": list(self.missing), "hint": self.hint}


def urls(storage: Storage, samples: Samples, expires: int) -> Urls:
    """The URLs of samples, which were chosen with the unlabelled ones."""
    rows: list[dict[str, Any]] = samples.images.select(["image_key", "content_hash", "media_type"]).to_pylist()
    hashes = {row["content_hash"] for row in rows}
    places = blobs(Tables(storage), samples.ref.partition("@")[0], hashes)
    single = {found for found in hashes if _is_object(found, places.get(found, ()))}
    shown = [row for row in rows if row["content_hash"] in single]
    signed = presigned_gets(storage, [(blob_path(row["content_hash"]), row["media_type"]) for row in shown], expires)
    missing = tuple(row["image_key"] for row in rows if row["content_hash"] not in single)
    return Urls(
        samples.ref,
        expires,
        tuple(
            UrlRow(row["image_key"], url, served_type(row["media_type"]))
            for row, url in zip(shown, signed, strict=True)
        ),
        missing,
        f"{len(missing)} of {len(rows)} images have no URL: {BROWSE}" if missing else None,
    )


def _is_object(content_hash: str, places: Sequence[Blob]) -> bool:
    """Whether these bytes, and nothing else, are one object as they are."""
    wanted = blob_path(content_hash)
    return any(b.place.uri == wanted and b.place.codec == "stored" and b.place.offset == 0 for b in places)
