"""URLs that let whoever holds them read or write one object of a bucket for a while, without credentials.

A URL is as good as a key: it is shown to the caller and to nobody else. `Url` hides itself where objects are
represented, and refuses to be pickled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlencode

from imagelake.core.upload_paths import IMAGE_TYPES
from imagelake.errors import UsageError
from imagelake.storage.base import Storage

if TYPE_CHECKING:
    from imagelake.storage.s3.bucket_storage import S3Storage

DEFAULT_SECONDS = 3600

MOST_SECONDS = 604_800
"""Seven days: no store honours a longer one, although botocore signs it."""

PLAIN = "application/octet-stream"

_UNRESERVED = "-_.~"


class Url(str):
    """A presigned URL: plain text for its receiver, a placeholder in every representation."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<presigned URL>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a presigned URL is a secret and is never pickled: ask the lake for a new one")

    def __copy__(self) -> Url:
        return self

    def __deepcopy__(self, memo: object) -> Url:
        return self


def check_seconds(seconds: int) -> None:
    """UsageError unless a URL may live that long."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= MOST_SECONDS:
        raise UsageError(f"a URL cannot expire after {seconds!r} seconds", hint=f"1 to {MOST_SECONDS}, which is 7 days")


def require_urls(storage: Storage) -> S3Storage:
    """The storage, when its objects have URLs; UsageError when it is a folder."""
    from imagelake.storage.s3.bucket_storage import S3Storage

    if not isinstance(storage, S3Storage):
        raise UsageError(f"{storage.root} is a folder: its files have no URLs", hint="only a lake in a bucket has them")
    return storage


def served_type(media_type: str | None) -> str:
    """The type that bytes of a media type are sent with: those of no image are never shown, they might be a page."""
    return media_type if media_type in IMAGE_TYPES else PLAIN


def presigned_gets(
    storage: Storage, requests: Iterable[tuple[str, str | None]], seconds: int = DEFAULT_SECONDS
) -> list[Url]:
    """A URL for each (path, media type) to read the object as that type.

    Anything but an image is sent as bytes without meaning.
    """
    return _signed(storage, seconds, (_get(path, media_type) for path, media_type in requests))


def presigned_put(storage: Storage, path: str, content_type: str, length: int, seconds: int = DEFAULT_SECONDS) -> Url:
    """A URL to write an object of exactly that length and type, once: where one is, it is refused (412).

    The request must carry the headers `put_headers(content_type)`.
    """
    headers = {**put_headers(content_type), "Content-Length": str(length)}
    return _signed(storage, seconds, (_Request("PutObject", "PUT", path, {}, headers),))[0]


def put_headers(content_type: str) -> dict[str, str]:
    """What a request to `presigned_put` must say besides its length, which every client says by itself."""
    return {"Content-Type": content_type, "If-None-Match": "*"}


def begin_parts(storage: Storage, path: str, content_type: str) -> str:
    """Begin an upload in parts; its id."""
    from imagelake.storage.s3.client import translated

    bucket = require_urls(storage)
    with translated("begin the upload of", bucket.uri(path)):
        return str(bucket.client.create_multipart_upload(**bucket.at(path), ContentType=content_type)["UploadId"])


def presigned_parts(storage: Storage, path: str, upload: str, lengths: Sequence[int], seconds: int) -> list[Url]:
    """URLs to send the parts of an upload, each of exactly its length. No header is needed."""
    return _signed(
        storage,
        seconds,
        (
            _Request("UploadPart", "PUT", path, _part(number, upload), {"Content-Length": str(length)})
            for number, length in enumerate(lengths, 1)
        ),
    )


def presigned_complete(storage: Storage, path: str, upload: str, seconds: int = DEFAULT_SECONDS) -> Url:
    """A URL to POST the list of parts to: then they are the object."""
    return _signed(storage, seconds, (_Request("CompleteMultipartUpload", "POST", path, {"uploadId": upload}),))[0]


def presigned_abort(storage: Storage, path: str, upload: str, seconds: int = DEFAULT_SECONDS) -> Url:
    """A URL to DELETE, which removes the parts."""
    return _signed(storage, seconds, (_Request("AbortMultipartUpload", "DELETE", path, {"uploadId": upload}),))[0]


@dataclass(frozen=True)
class _Request:
    operation: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def _get(path: str, media_type: str | None) -> _Request:
    query = {"response-content-type": served_type(media_type), "response-content-disposition": "inline"}
    return _Request("GetObject", "GET", path, query)


def _part(number: int, upload: str) -> dict[str, str]:
    return {"partNumber": str(number), "uploadId": upload}


def _signed(storage: Storage, seconds: int, requests: Iterable[_Request]) -> list[Url]:
    """The URLs of requests. By the client's own signer: the way through all of boto3 costs twice as much."""
    check_seconds(seconds)
    bucket = require_urls(storage)
    from imagelake.storage.s3.client import translated

    with translated("sign URLs for", bucket.root):
        client = bucket.client
        base = _base(bucket, client)
        return [Url(_sign(client, f"{base}{_quoted(bucket.key(r.path))}", r, seconds)) for r in requests]


def _sign(client: Any, place: str, request: _Request, seconds: int) -> str:
    url = f"{place}?{urlencode(request.query, quote_via=quote, safe=_UNRESERVED)}" if request.query else place
    prepared = {"method": request.method, "url": url, "headers": dict(request.headers), "body": b"", "context": {}}
    return str(client._request_signer.generate_presigned_url(prepared, request.operation, seconds))


def _base(bucket: S3Storage, client: Any) -> str:
    """What comes before the key in the URLs of a bucket, as boto3 has it: the bucket is in the host or in the path."""
    example = client.generate_presigned_url("get_object", Params={"Bucket": bucket.bucket, "Key": "x"}, ExpiresIn=1)
    return str(example).partition("?")[0].removesuffix("x")


def _quoted(key: str) -> str:
    return quote(key, safe=f"/{_UNRESERVED}")
