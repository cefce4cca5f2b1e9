"""Many ranges of remote objects, several requests at a time, handed over in their order and read ahead in bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

from imagelake.errors import ImagelakeError
from imagelake.storage.base import Range
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.uri import split

RANGE = 8 << 20
"""Bytes of neighbours that are asked for at once: AWS advises 8 to 16 MB."""

_AHEAD = 128 << 20  # bytes on the way or waiting, besides the range in hand


@dataclass(frozen=True)
class Span:
    """Bytes of an object from start to end; `etag` is that of the version they must be of."""

    uri: str
    etag: str | None
    start: int
    end: int


_GAP = 1 << 16  # neighbours that are no farther apart are fetched together

Fetched = bytes | ImagelakeError


def neighbours(spans: Iterable[Span]) -> Iterator[tuple[Span, int]]:
    """Spans in order of place, those close together as one of at most RANGE bytes; and how many each is made of."""
    whole: Span | None = None
    count = 0
    for span in spans:
        near = (
            whole is not None
            and whole.uri == span.uri
            and whole.end <= span.start <= whole.end + _GAP
            and span.end - whole.start <= RANGE
        )
        if whole is not None and not near:
            yield whole, count
            whole, count = None, 0
        whole = span if whole is None else replace(whole, end=span.end)
        count += 1
    if whole is not None:
        yield whole, count


def fetched(spans: Iterable[Span], store: S3Storage) -> Iterator[tuple[Span, Fetched]]:
    """Each span with its bytes, or with the error that kept them away, in the order given.

    `store` is any storage of the store they are in: its settings and credentials are used.
    """
    waiting: deque[tuple[Span, Future[Fetched]]] = deque()
    size = 0
    pool = ThreadPoolExecutor(store.settings.connections)
    try:
        for span in spans:
            waiting.append((span, pool.submit(_fetch, span, store)))
            size += span.end - span.start
            while size > _AHEAD or len(waiting) > 4 * store.settings.connections:
                first, future = waiting.popleft()
                size -= first.end - first.start
                yield first, future.result()
        yield from ((first, future.result()) for first, future in waiting)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # nobody wants the rest any more


def pieces(span: Span, store: S3Storage) -> Iterator[bytes]:
    """A long span in ranges, read ahead; the first error is raised."""
    parts = (Span(span.uri, span.etag, at, min(at + RANGE, span.end)) for at in range(span.start, span.end, RANGE))
    for _, data in fetched(parts, store):
        yield given(data)


def read_ranges(store: S3Storage, ranges: Sequence[Range]) -> Iterator[Fetched]:
    """The bytes of each range of a storage, or the error that kept them away."""
    spans = (Span(store.uri(path), None, offset, offset + length) for path, offset, length in ranges)
    runs = list(neighbours(spans))
    rest = iter(ranges)
    for (span, data), (_, count) in zip(fetched((run for run, _ in runs), store), runs, strict=True):
        for _, offset, length in islice(rest, count):
            start = offset - span.start
            yield data if isinstance(data, ImagelakeError) else data[start : start + length]


def given(data: Fetched) -> bytes:
    """The bytes; the error is raised."""
    if isinstance(data, ImagelakeError):
        raise data
    return data


def _fetch(span: Span, store: S3Storage) -> Fetched:
    bucket, key = split(span.uri)
    try:
        return replace(store, bucket=bucket, prefix="").read_version(key, span.etag, span.start, span.end - span.start)
    except ImagelakeError as error:
        return error
