"""What a bucket can do, found out by asking it; every object made for that is removed again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from imagelake.errors import ConfigError, NotFound
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.client import translated

_PROBES = "locks/probe-"


@dataclass(frozen=True)
class MultipartUpload:
    """An upload in parts that was begun and not ended: path, its id, when it was begun."""

    path: str
    upload_id: str
    begun: datetime


def honours_conditions(storage: S3Storage) -> bool:
    """Whether the store refuses a put on condition that the object is absent when it is there (If-None-Match: *).

    One that does not know the condition overwrites silently: two writers lose each other's commits there.
    """
    path = f"{_PROBES}{uuid.uuid4().hex}"
    try:
        first = storage.put(path, b"1", if_absent=True)
        return first and not storage.put(path, b"2", if_absent=True) and storage.read(path) == b"1"
    finally:
        storage.delete(path)


def require_conditions(storage: S3Storage) -> None:
    """ConfigError unless the store keeps conditions, or only one writer is declared."""
    if not storage.settings.single_writer and not honours_conditions(storage):
        raise ConfigError(
            f"the store of {storage.root} ignores If-None-Match: two writers would overwrite each other's commits",
            hint="use another store, or set s3.single_writer=true if only one machine ever writes, one run at a time",
        )


def clock_skew(storage: S3Storage) -> float:
    """Seconds by which this machine's clock is ahead of the store's. Above 900 requests are refused."""
    with translated("look at", storage.root):
        answer = storage.client.head_bucket(Bucket=storage.bucket)
    date_header = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    server = parsedate_to_datetime(date_header) if date_header else None
    return (datetime.now(timezone.utc) - server).total_seconds() if server else 0.0


def unfinished(storage: S3Storage) -> Iterator[MultipartUpload]:
    """The uploads in parts below the root that were begun and not ended: their parts are paid for and seen nowhere."""
    pages = storage.client.get_paginator("list_multipart_uploads")
    cut = len(storage.prefix) + 1 if storage.prefix else 0
    with translated("list the unfinished uploads of", storage.root):
        for page in pages.paginate(Bucket=storage.bucket, Prefix=storage.key("") + "/" if storage.prefix else ""):
            for entry in page.get("Uploads", ()):
                yield MultipartUpload(entry["Key"][cut:], entry["UploadId"], entry["Initiated"])


def abort(storage: S3Storage, upload: MultipartUpload) -> None:
    """Remove the parts of an unfinished upload; nothing happens when it has ended."""
    try:
        with translated("abort the upload of", storage.uri(upload.path)):
            storage.client.abort_multipart_upload(**storage.at(upload.path), UploadId=upload.upload_id)
    except NotFound:
        return


def cors_rules(storage: S3Storage) -> list[dict[str, Any]]:
    """The bucket's CORS rules; none when it has none."""
    try:
        with translated("read the CORS rules of", f"s3://{storage.bucket}"):
            return list(storage.client.get_bucket_cors(Bucket=storage.bucket)["CORSRules"])
    except NotFound:
        return []
