"""Large objects in parts, several on their way at a time: an upload that was cut off goes on where it stopped."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

from imagelake.config.settings import S3Settings
from imagelake.errors import ImagelakeError, UploadRejected
from imagelake.storage.s3.client import patiently, translated

log = logging.getLogger(__name__)

_MOST_PARTS = 10_000
_AT_ONCE = 8  # parts in memory; more gain nothing on one link


class Parts:
    """An upload to Bucket and Key of `place` that has been begun; what an unfinished one has is not sent again.

    Each part is sent with its MD5; all but the last have at least 5 MiB. The store's errors are boto3's.
    """

    def __init__(self, client: Any, place: Mapping[str, str], settings: S3Settings) -> None:
        self._client = client
        self._place = dict(place)
        self._id, self._there = _unfinished(client, place)
        if not self._id:
            self._id = str(patiently(client.create_multipart_upload, **place)["UploadId"])
        self._whole = hashlib.sha256()
        self._tags: list[str] = []
        self._sent = 0
        self._on_the_way: deque[Future[str]] = deque()
        self._pool = ThreadPoolExecutor(min(settings.connections, _AT_ONCE))

    def send(self, data: bytes) -> None:
        """The next part."""
        self._whole.update(data)
        self._sent += 1
        if len(self._on_the_way) == _AT_ONCE:
            self._tags.append(self._on_the_way.popleft().result())
        self._on_the_way.append(self._pool.submit(self._send, self._sent, data))

    def finish(self, sha256: str | None = None) -> None:
        """Make the object of the parts. UploadRejected (`file.changed`), and no object, when they have another hash."""
        self._tags += [sending.result() for sending in self._on_the_way]
        self._on_the_way.clear()
        self._pool.shutdown()
        if sha256 not in (None, self._whole.hexdigest()):
            self.abort()
            raise UploadRejected("changed between hashing and keeping it", rule="file.changed")
        done = {"Parts": [{"PartNumber": n, "ETag": f'"{tag}"'} for n, tag in enumerate(self._tags, 1)]}
        patiently(self._client.complete_multipart_upload, **self._place, UploadId=self._id, MultipartUpload=done)

    def stop(self) -> None:
        """Send nothing more; the parts stay for another try, or for the rule that removes unfinished uploads."""
        self._pool.shutdown(cancel_futures=True)

    def abort(self) -> None:
        """Remove the parts."""
        self.stop()
        try:
            with translated("abort", "the upload of {Bucket}/{Key}".format(**self._place)):
                self._client.abort_multipart_upload(**self._place, UploadId=self._id)
        except ImagelakeError as error:  # said, not raised: another error is on its way, and maintain tries again
            log.warning("%s; doctor lists its parts, maintain removes them", error.message)

    def _send(self, number: int, data: bytes) -> str:
        digest = hashlib.md5(data, usedforsecurity=False)
        if self._there.get(number) == digest.hexdigest():
            return digest.hexdigest()
        md5 = base64.b64encode(digest.digest()).decode()
        place = {**self._place, "UploadId": self._id, "PartNumber": number}
        sent = patiently(self._client.upload_part, **place, Body=data, ContentMD5=md5)
        return str(sent["ETag"]).strip('"')


def upload_parts(
    client: Any, place: Mapping[str, str], pieces: Iterable[bytes], settings: S3Settings, sha256: str | None
) -> None:
    """Write an object from its parts; errors as those of `Parts`."""
    parts = Parts(client, place, settings)
    try:
        for data in pieces:
            parts.send(data)
        parts.finish(sha256)
    finally:
        parts.stop()


def part_bytes(length: int, settings: S3Settings) -> int:
    """The size of a part of so long an object: what is set, more where 10,000 of them would not do."""
    size = settings.part_megabytes << 20
    while length > size * _MOST_PARTS:
        size *= 2
    return size


def pieces_of(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """What a stream holds, in pieces of that size."""
    while data := stream.read(size):
        yield data


def _unfinished(client: Any, place: Mapping[str, str]) -> tuple[str, dict[int, str]]:
    """The newest upload of this key that was begun ("" for none), and the ETags of its parts."""
    uploads = client.list_multipart_uploads(Bucket=place["Bucket"], Prefix=place["Key"]).get("Uploads", ())
    begun = [u for u in uploads if u["Key"] == place["Key"]]
    if not begun:
        return "", {}
    upload_id = str(max(begun, key=lambda u: u["Initiated"])["UploadId"])
    pages = client.get_paginator("list_parts").paginate(**place, UploadId=upload_id)
    return upload_id, {p["PartNumber"]: p["ETag"].strip('"') for page in pages for p in page.get("Parts", ())}
