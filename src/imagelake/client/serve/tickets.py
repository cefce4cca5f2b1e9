"""`lake.upload_url(NAME, …)`: URLs that let a tool put one file under landing/, where the nightly run takes it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from imagelake.core.upload_paths import SUFFIX_TYPES, check_dataset_id, is_junk
from imagelake.errors import UploadRejected, UsageError
from imagelake.storage.s3.presign import (
    Url,
    begin_parts,
    check_seconds,
    presigned_abort,
    presigned_complete,
    presigned_parts,
    presigned_put,
    put_headers,
    require_urls,
)
from imagelake.uploads.file_names import check_path, shown

if TYPE_CHECKING:
    from imagelake.storage.base import Storage

ROOT = "landing"

MOST_BYTES = 5 << 40
MOST_AT_ONCE = 5 << 30
LEAST_PART = 5 << 20
MOST_PARTS = 10_000

_ZIP = ("application/zip", "application/x-zip-compressed")
_TYPES: dict[str, tuple[str, ...]] = {
    ".zip": _ZIP,
    ".json": ("application/json",),
    ".xml": ("application/xml", "text/xml"),
    ".txt": ("text/plain",),
    ".yaml": ("application/yaml", "text/yaml"),
    ".yml": ("application/yaml", "text/yaml"),
    **SUFFIX_TYPES,
}
_MARKER_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class UploadTicket:
    """How to put a file at `path`: PUT each part to its URL with `headers`, then PUT nothing to `ready_url`.

    All parts have `part_size` bytes but the last. With several parts the answers' ETags are POSTed to `complete_url`
    before; `abort_url` takes a DELETE instead. The marker is sent with `ready_headers`.
    """

    path: str
    part_size: int
    headers: dict[str, str]
    ready_headers: dict[str, str]
    expires: int
    urls: tuple[Url, ...] = field(repr=False)
    ready_url: Url = field(repr=False)
    complete_url: Url | None = field(default=None, repr=False)
    abort_url: Url | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Plain data for a tool's own pages: holds URLs."""
        return {**vars(self), "urls": list(self.urls)}


@dataclass(frozen=True)
class Offer:
    """What a tool wants to upload: `<dataset>/<file name>`, its bytes, parts and media type; and how long it has."""

    name: str
    size: int
    parts: int = 1
    content_type: str | None = None
    expires: int = 3600


def ticket(storage: Storage, offer: Offer) -> UploadTicket:
    """The URLs for an upload. UsageError says what of it is not allowed."""
    bucket = require_urls(storage)
    check_seconds(offer.expires)
    dataset, file = _names(offer.name)
    kind = _content_type(file, offer.content_type)
    part_size = _part_size(offer.size, offer.parts)
    path, marker = _places(dataset, file)
    ready = presigned_put(bucket, marker, _MARKER_TYPE, 0, offer.expires)
    issued = UploadTicket(path, part_size, put_headers(kind), put_headers(_MARKER_TYPE), offer.expires, (), ready)
    if part_size == offer.size:
        return replace(issued, urls=(presigned_put(bucket, path, kind, offer.size, offer.expires),))
    upload = begin_parts(bucket, path, kind)
    lengths = [min(part_size, offer.size - start) for start in range(0, offer.size, part_size)]
    return replace(
        issued,
        headers={},
        urls=tuple(presigned_parts(bucket, path, upload, lengths, offer.expires)),
        complete_url=presigned_complete(bucket, path, upload, offer.expires),
        abort_url=presigned_abort(bucket, path, upload, offer.expires),
    )


def _names(name: str) -> tuple[str, str]:
    """Dataset and file name; a name is one file in one dataset's landing folder, and nothing else."""
    dataset, slash, file = name.partition("/")
    check_dataset_id(dataset)
    try:
        check_path(file, "file")
    except UploadRejected as error:
        raise UsageError(f"{shown(name)}: {error.message}") from None
    if not slash or "/" in file or file.startswith(".") or is_junk(file):
        raise UsageError(f"{shown(name)} names no upload", hint="pets/monday.zip, or an image or annotation file")
    return dataset, file


def _content_type(file: str, requested: str | None) -> str:
    suffix = PurePosixPath(file).suffix.lower()
    allowed = _TYPES.get(suffix, ())
    if not allowed:
        suffixes = ", ".join(sorted(_TYPES))
        raise UsageError(f"{shown(file)} is no file an ingest takes", hint=f"its suffix is one of {suffixes}")
    if requested is not None and requested not in allowed:
        raise UsageError(f"{shown(file)} cannot be {shown(requested)}", hint=f"use {' or '.join(allowed)}")
    return requested or allowed[0]


def _part_size(size: int, parts: int) -> int:
    """Bytes of each part but the last. UsageError when the store would refuse them."""
    if not 1 <= size <= MOST_BYTES:
        raise UsageError(f"an upload of {size} bytes", hint=f"1 to {MOST_BYTES} bytes")
    if not 1 <= parts <= MOST_PARTS:
        raise UsageError(f"an upload of {parts} parts", hint=f"1 to {MOST_PARTS} parts")
    part_size = -(-size // parts)
    if part_size > MOST_AT_ONCE:
        raise UsageError(
            f"parts of {part_size} bytes; one request takes up to {MOST_AT_ONCE}",
            hint=f"parts={-(-size // MOST_AT_ONCE)} or more",
        )
    if parts > 1 and part_size < LEAST_PART:
        raise UsageError(
            f"parts of {part_size} bytes; all but the last need {LEAST_PART}",
            hint=f"parts={max(1, size // LEAST_PART)} or fewer",
        )
    return part_size


def _places(dataset: str, file: str) -> tuple[str, str]:
    """Where the file goes, and its marker: beside each other, under a name nobody else is given.

    An image or document lies in a folder of its own, so that it keeps its name: that is what finds its partner.
    """
    stem, _, suffix = file.rpartition(".")
    place = f"{ROOT}/{dataset}/{stem[:100]}-{secrets.token_hex(4)}"
    return (f"{place}.zip" if suffix.lower() == "zip" else f"{place}/{file}"), f"{place}.ready"
