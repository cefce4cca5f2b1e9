"""`lake.urls(REF, …)`: a URL for each image of a selection that is an object of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imagelake.client.catalog import Target
from imagelake.client.data.load import Source, choose_images, image_places
from imagelake.client.data.sample_tables import choose
from imagelake.client.delta.blob_places import Blob, blobs
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import live
from imagelake.client.selection import Selection
from imagelake.client.sql_text import Row, select
from imagelake.storage.blobs.local_writer import blob_path
from imagelake.storage.s3.presign import Url, presigned_gets, served_type

if TYPE_CHECKING:
    import pyarrow as pa

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
        document = {"ref": self.ref, "expires": self.expires, "urls": urls}
        return {**document, "missing": list(self.missing), "hint": self.hint}


def urls(
    tables: Tables,
    source: Source,
    selection: Selection,
    images: Collection[str] | None,
    matching: Callable[[str], Iterable[str]],
    *,
    expires: int,
) -> Urls:
    """The URLs of a selection of images with the unlabelled ones; errors as of `load`."""
    target = source.target
    chosen = choose_images(tables, target, selection, images, matching)
    image_places(tables, target, chosen.rows)
    signed = object_urls(tables, source, chosen.rows, expires)
    keys = chosen.rows["image_key"].to_pylist()
    missing = tuple(key for key in keys if key not in signed)
    return Urls(
        chosen.ref,
        expires,
        tuple(signed.values()),
        missing,
        f"{len(missing)} of {len(keys)} images have no URL: {BROWSE}" if missing else None,
    )


def object_urls(tables: Tables, source: Source, images: pa.Table, expires: int) -> dict[str, UrlRow]:
    """A URL by key, in key order, for each of the images that is an object of its own."""
    rows = _media_types(tables, source.target, images)
    hashes = {row["content_hash"] for row in rows}
    places = blobs(tables, source.target.dataset, hashes)
    single = {content_hash for content_hash in hashes if _is_object(content_hash, places.get(content_hash, ()))}
    shown = [row for row in rows if row["content_hash"] in single]
    objects = [(blob_path(row["content_hash"]), row["media_type"]) for row in shown]
    signed = presigned_gets(source.storage, objects, expires)
    return {
        row["image_key"]: UrlRow(row["image_key"], url, served_type(row["media_type"]))
        for row, url in zip(shown, signed, strict=True)
    }


def _media_types(tables: Tables, target: Target, rows: pa.Table) -> list[Row]:
    """Key, content hash and media type of images, in their order."""
    columns = ("image_key", "content_hash", "media_type")
    source = live(tables, target, "image", columns, choose(tables, rows.column("image_key")))
    return tables.query(f"SELECT {select(columns)} FROM {source} ORDER BY image_key")


def _is_object(content_hash: str, places: Sequence[Blob]) -> bool:
    """Whether these bytes, and nothing else, are one object as they are."""
    path = blob_path(content_hash)
    return any(b.place.uri == path and b.place.codec == "stored" and b.place.offset == 0 for b in places)
