"""A bucket prefix as storage."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from imagelake.config.settings import S3Settings
from imagelake.errors import Conflict, ImagelakeError, IntegrityError, NotFound, UploadRejected
from imagelake.storage.base import TEMP_PREFIX, Range, Stat, Unfinished
from imagelake.storage.leases.lock_record import ObjectLockRecord
from imagelake.storage.s3 import client as s3
from imagelake.storage.s3.client import translated
from imagelake.storage.s3.multipart import part_bytes, pieces_of, upload_parts
from imagelake.storage.s3.object_stream import S3Stream
from imagelake.storage.uri import join

if TYPE_CHECKING:
    from imagelake.storage.blobs.bucket_writer import BucketBlobWriter

_DELETED_AT_ONCE = 1000


@dataclass(frozen=True)
class S3Storage:
    """The Storage protocol over `s3://bucket/prefix`. Missing objects raise NotFound, refused ones ConfigError.

    Credentials come from the standard chain whenever a process first needs a client; pickles hold none, unless
    `s3.ship_credentials` asks for it.
    """

    bucket: str
    prefix: str
    settings: S3Settings
    credentials: s3.Keys | None = field(default=None, repr=False, compare=False)

    @property
    def root(self) -> str:
        """The root as a URI without a slash at its end."""
        return f"s3://{join(self.bucket, self.prefix)}"

    @property
    def folder(self) -> None:
        """None: it is no folder of this machine."""

    @property
    def client(self) -> Any:
        """The boto3 client of this process; use it within `translated`."""
        return s3.connect(self.settings, self.credentials)

    def uri(self, path: str) -> str:
        """The full URI of a path; never percent-encoded."""
        return f"{self.root}/{path}"

    def key(self, path: str) -> str:
        """The object's key in the bucket."""
        return join(self.prefix, path)

    def at(self, path: str) -> dict[str, str]:
        """Bucket and key as boto3's calls take them."""
        return {"Bucket": self.bucket, "Key": self.key(path)}

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Everything below a prefix, in the server's order, a page of 1,000 at a time."""
        return (found for _, page in self.pages(prefix) for found in page if not _is_temporary(found.path))

    def list_temporary(self, prefix: str) -> Iterator[Stat]:
        """What was written below a prefix and has not got its name: left behind, or still at work."""
        return (found for _, page in self.pages(prefix) for found in page if _is_temporary(found.path))

    def pages(self, prefix: str) -> Iterator[tuple[str, Sequence[Stat]]]:
        """All below a prefix, page by page, each with the time its server says it is (the header Date)."""
        start = join(self.prefix, prefix.rstrip("/"))
        cut = len(self.prefix) + 1 if self.prefix else 0
        pages = self.client.get_paginator("list_objects_v2")
        with translated("list", self.uri(prefix)):
            for page in pages.paginate(Bucket=self.bucket, Prefix=f"{start}/" if start else ""):
                objects = (found for found in page.get("Contents", ()) if not found["Key"].endswith("/"))
                told = page["ResponseMetadata"]["HTTPHeaders"].get("date", "")
                yield told, [_stat(found["Key"][cut:], found["Size"], found) for found in objects]

    def list_with_time(self, prefix: str) -> tuple[Sequence[Stat], int]:
        """Everything below a prefix, and the server's time, in microseconds since 1970."""
        listed = list(self.pages(prefix))
        stats = [found for _, page in listed for found in page]
        return stats, s3.server_microseconds(listed[-1][0] if listed else "")

    def stat(self, path: str) -> Stat | None:
        """One object, or None."""
        try:
            with translated("look at", self.uri(path)):
                found = self.client.head_object(**self.at(path))
        except NotFound:
            return None
        return _stat(path, found["ContentLength"], found)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of an object; IntegrityError when it ends before `offset + length`."""
        return self.read_version(path, None, offset, length)

    def read_version(self, path: str, etag: str | None, offset: int = 0, length: int | None = None) -> bytes:
        """As `read`, and Conflict when the object is no longer the one with this ETag."""
        return self.fetch(path, etag, offset, length)[0]

    def fetch(
        self, path: str, etag: str | None = None, offset: int = 0, length: int | None = None
    ) -> tuple[bytes, str]:
        """The bytes and the object's ETag; a body that is cut off is asked for again."""
        if length == 0:
            return b"", etag or ""
        wanted = {"IfMatch": etag} if etag else {}
        if offset or length is not None:
            wanted["Range"] = f"bytes={offset}-{'' if length is None else offset + length - 1}"
        for attempt in range(self.settings.attempts):
            with translated("read", self.uri(path)):
                answer = self.client.get_object(**self.at(path), **wanted)
                try:
                    data: bytes = answer["Body"].read()
                    break
                except s3.CUT:
                    if attempt + 1 == self.settings.attempts:
                        raise
                    s3.pause(attempt)
        if length is not None and len(data) < length:
            raise IntegrityError(f"{self.uri(path)} ends at byte {offset + len(data)}, not {offset + length}")
        return data, _etag(answer)

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[bytes | ImagelakeError]:
        """The bytes of each range, or the error that kept them away: neighbours in one request, several at a time."""
        from imagelake.storage.s3.ranges import read_ranges

        return read_ranges(self, ranges)

    def open(self, path: str) -> BinaryIO:
        """A buffered, seekable stream over an object, which must not change meanwhile (Conflict)."""
        found = self.stat(path)
        if found is None:
            raise NotFound(f"{self.uri(path)} does not exist")
        return S3Stream.buffered(partial(self.read_version, path, found.etag), found.length)

    def put(self, path: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Write an object whole; with `if_absent`, False when there was another one already.

        One that holds these very bytes counts as written: the answer to our own put may have been lost.
        """
        return self._put(path, data, {"IfNoneMatch": "*"} if if_absent else {})

    def replace(self, path: str, data: bytes, etag: str) -> bool:
        """Write an object whole if it still has this ETag; False when it has not."""
        return self._put(path, data, {"IfMatch": etag})

    def put_file(self, source: Path, path: str, *, if_absent: bool = False) -> bool:
        """Write an object whole from a local file, in parts when it is large; parts of an earlier try are kept."""
        if not source.is_file():
            raise NotFound(f"{source} is not a file")
        length = source.stat().st_size
        if length <= self.settings.part_megabytes << 20:
            return self.put(path, source.read_bytes(), if_absent=if_absent)
        if if_absent and self.stat(path) is not None:
            return False
        with source.open("rb", buffering=0) as stream:
            self.put_parts(path, pieces_of(stream, part_bytes(length, self.settings)))
        return True

    def put_parts(self, path: str, pieces: Iterable[bytes], sha256: str | None = None) -> None:
        """Write an object from pieces of at least 5 MiB but the last, in parts that are sent at the same time.

        UploadRejected (`file.changed`), and no object, when they have not this sha256.
        """
        rest = iter(pieces)
        first, second = next(rest, b""), next(rest, None)
        if second is None:
            if sha256 not in (None, hashlib.sha256(first).hexdigest()):
                raise UploadRejected("changed between hashing and keeping it", rule="file.changed")
            self.put(path, first)
            return
        try:
            with translated("write", self.uri(path)):
                upload_parts(self.client, self.at(path), chain((first, second), rest), self.settings, sha256)
        except NotFound:
            # the upload has ended: another process with the same bytes was faster, or the answer to its end was lost
            if self.stat(path) is None:
                raise

    def copy(self, source: str, target: str) -> None:
        """Copy within the storage, on the server."""
        self.copy_from(self.at(source), target, None)

    def copy_from(self, source: Mapping[str, str], target: str, etag: str | None) -> None:
        """Copy an object of any bucket of this store here, on the server; Conflict when its ETag is another."""
        with translated("copy", f"s3://{source['Bucket']}/{source['Key']}"):
            s3.managed_copy(self.client, source, self.at(target), etag, self.settings)

    def move(self, source: str, target: str) -> None:
        """Move an object, or all below a prefix, one by one."""
        moved = [source] if self.stat(source) is not None else [found.path for found in self.list(source)]
        if not moved:
            raise NotFound(f"{self.uri(source)} does not exist")
        for path in moved:
            self.copy(path, target + path.removeprefix(source))
            self.delete(path)

    def delete(self, path: str) -> None:
        """Remove an object; nothing happens when there is none."""
        with translated("delete", self.uri(path)):
            self.client.delete_object(**self.at(path))

    @property
    def ca_bundle(self) -> str | None:
        """Whom to trust, where it is not the usual authorities."""
        return s3.ca_bundle(self.settings)

    def delete_all(self, paths: Iterable[str]) -> None:
        """Remove many objects, 1,000 with each request; the first that could not be is an ImagelakeError."""
        rest = iter(paths)
        while some := list(islice(rest, _DELETED_AT_ONCE)):
            wanted = {"Objects": [{"Key": self.key(path)} for path in some], "Quiet": True}
            with translated("delete objects of", self.root):
                answer = self.client.delete_objects(Bucket=self.bucket, Delete=wanted)
            if left := answer.get("Errors"):
                raise ImagelakeError(f"cannot delete s3://{self.bucket}/{left[0]['Key']}: {left[0].get('Code')}")

    def delta_options(self) -> dict[str, str]:
        """Endpoint, region and the credentials of this moment, as delta-rs names them."""
        return s3.delta_options(self.client, self.settings)

    def flush(self) -> None:
        """Nothing to do: what was answered is kept."""

    def blob_writer(self) -> BucketBlobWriter:
        """What writes the bytes of images into this bucket, several at a time."""
        from imagelake.storage.blobs.bucket_writer import BucketBlobWriter

        return BucketBlobWriter.of(self)

    def lock_record(self, name: str) -> ObjectLockRecord:
        """The record of a lease in this bucket."""
        return ObjectLockRecord(self, f"locks/{name}.json")

    def check_writers(self) -> None:
        """ConfigError unless the store keeps conditions, or only one writer is declared."""
        from imagelake.storage.s3.capabilities import require_conditions

        require_conditions(self)

    def remove_unfinished(self, folders: Sequence[str], before: datetime) -> Unfinished:
        """Abort uploads in parts that were begun before a time, and remove temporary objects as old."""
        from imagelake.storage.s3.capabilities import abort, unfinished

        stale = [upload for upload in unfinished(self) if upload.begun < before]
        for upload in stale:
            abort(self, upload)
        temporary = (found for folder in folders for found in self.list_temporary(folder))
        files = [found.path for found in temporary if (found.mtime_ns or 0) < before.timestamp() * 1e9]
        self.delete_all(files)
        return Unfinished(tuple(upload.path for upload in stale), tuple(files))

    def _put(self, path: str, data: bytes, condition: Mapping[str, str]) -> bool:
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        for attempt in range(s3.ATTEMPTS):
            try:
                with translated("write", self.uri(path)):
                    self.client.put_object(**self.at(path), Body=data, ContentMD5=md5, **condition)
                return True
            except (s3.Taken, NotFound):
                if not condition:
                    raise
                return self.stat(path) is not None and self.read(path) == data
            except s3.Busy:
                s3.pause(attempt)
        raise Conflict(f"{self.uri(path)} is being written by others", hint="run the same command again")

    def __getstate__(self) -> dict[str, Any]:
        kept = s3.frozen_credentials(self.client) if self.settings.ship_credentials else None
        return {"bucket": self.bucket, "prefix": self.prefix, "settings": self.settings, "credentials": kept}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


def _is_temporary(path: str) -> bool:
    return path.rpartition("/")[2].startswith(TEMP_PREFIX)


def _stat(path: str, length: int, found: Mapping[str, Any]) -> Stat:
    modified = round(found["LastModified"].timestamp() * 1e9)
    return Stat(path, length, modified, _etag(found), modified)


def _etag(found: Mapping[str, Any]) -> str:
    return str(found["ETag"]).strip('"')
