"""Probing objects of a bucket: fetched here, several at a time, and examined in processes that have no network.

A lot of neighbours is fetched into memory, then a forked process examines it while the next lot is on its way. Files
too large for any decoder are hashed here, range by range: nothing of them is looked into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from imagelake.bronze.probe.probe_file import Answer, Inspector, ProbeItem
from imagelake.bronze.probe.sandbox import probe
from imagelake.errors import Conflict, ImagelakeError, IntegrityError, NotFound, UploadRejected
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.ranges import Fetched, Span, fetched, neighbours, pieces, unwrap
from imagelake.storage.zip.codec import CHUNK

_LOT = 64 << 20
_LOT_FILES = 10_000


@dataclass(frozen=True)
class _Run:
    """Neighbours that are fetched as one span."""

    span: Span
    items: tuple[tuple[int, ProbeItem], ...]


@dataclass
class FetchedRanges:
    """`Readable` over byte ranges fetched into memory."""

    spans_by_uri: dict[str, list[tuple[int, Fetched]]] = field(default_factory=dict)
    file_size: int = 0
    _spans: list[tuple[int, Fetched]] = field(default_factory=list)

    def open(self, uri: str) -> None:
        """Read from this object from now on."""
        self._spans = self.spans_by_uri[uri]
        start, data = self._spans[0]
        self.file_size = start + len(data) if isinstance(data, bytes) else 0
        if len(self._spans) == 1:
            _unwrap(data)

    def holds(self, start: int, end: int) -> bool:
        """True: whatever is asked for is at hand."""
        return True

    def read(self, start: int, end: int, ahead: int) -> memoryview:
        """The bytes from start to end."""
        for at, data in self._spans:
            span_bytes = _unwrap(data)
            if at <= start and end <= at + len(span_bytes):
                return memoryview(span_bytes)[start - at : end - at]
        raise IntegrityError(f"bytes {start} to {end} were not fetched")

    def stream(self, start: int, length: int) -> Iterator[memoryview]:
        """The bytes from start in pieces."""
        whole = self.read(start, start + length, start + length)
        return (whole[at : at + CHUNK] for at in range(0, length, CHUNK))


@dataclass
class Streamed:
    """`Readable` over one object of a bucket, read front to back; holds one range at a time."""

    item: ProbeItem
    store: S3Storage
    file_size: int = 0

    def open(self, uri: str) -> None:
        """Read from this object from now on."""
        self.file_size = self.item.size

    def holds(self, start: int, end: int) -> bool:
        """False: no range is cached."""
        return False

    def read(self, start: int, end: int, ahead: int) -> memoryview:
        """The bytes from start to end."""
        return memoryview(b"".join(pieces(self._span(start, end), self.store)))

    def stream(self, start: int, length: int) -> Iterator[memoryview]:
        """The bytes from start in pieces."""
        return (memoryview(piece) for piece in pieces(self._span(start, start + length), self.store))

    def _span(self, start: int, end: int) -> Span:
        return Span(self.item.uri, self.item.etag, start, end)


class _Patient:
    """Progress callback without a watchdog: the network has its own time limits."""

    def reading(self) -> None:
        """More of the file was read."""

    def decoding(self) -> None:
        """There is nothing to decode."""


def probe_remote(items: Sequence[ProbeItem], inspector: Inspector, store: S3Storage) -> list[Answer]:
    """One answer for each item, in their order. Conflict when an archive has changed since it was listed."""
    answers_by_number: dict[int, Answer] = {}
    numbered = sorted(enumerate(items), key=lambda pair: (pair[1].uri, pair[1].offset))
    large = [(number, item) for number, item in numbered if item.size > _most(inspector)]
    runs = _runs([(number, item) for number, item in numbered if item.size <= _most(inspector)])
    for lot in _lots(runs, store):
        spans_by_uri: dict[str, list[tuple[int, Fetched]]] = {}
        for run, data in lot:
            spans_by_uri.setdefault(run.span.uri, []).append((run.span.start, _checked(run, data)))
        small_items = [pair for run, _ in lot for pair in run.items]
        answers = probe([item for _, item in small_items], replace(inspector, ranges=FetchedRanges(spans_by_uri)))
        answers_by_number |= {number: answer for (number, _), answer in zip(small_items, answers, strict=True)}
    for number, item in large:
        alone = replace(inspector, ranges=Streamed(item, store))
        answers_by_number[number] = alone.inspect_file([item], 0, _Patient())
    return [answers_by_number[number] for number in range(len(items))]


def _most(inspector: Inspector) -> int:
    """What is larger is never decoded (probe_file), and never held whole."""
    return (inspector.limits.memory_mb << 20) // 4


def _runs(items: Sequence[tuple[int, ProbeItem]]) -> list[_Run]:
    rest = iter(items)
    spans = neighbours(Span(i.uri, i.etag, i.offset, i.end) for _, i in items)
    return [_Run(span, tuple(islice(rest, count))) for span, count in spans]


def _lots(runs: Sequence[_Run], store: S3Storage) -> Iterator[list[tuple[_Run, Fetched]]]:
    lot: list[tuple[_Run, Fetched]] = []
    size = files = 0
    for run, (_, data) in zip(runs, fetched((run.span for run in runs), store), strict=True):
        lot.append((run, data))
        size += run.span.end - run.span.start
        files += len(run.items)
        if size >= _LOT or files >= _LOT_FILES:
            yield lot
            lot, size, files = [], 0, 0
    if lot:
        yield lot


def _checked(run: _Run, data: Fetched) -> Fetched:
    """An object that has gone or changed costs its own row; an archive, and any other failure, the upload."""
    if isinstance(data, ImagelakeError):
        loose = run.items[0][1].whole
        if not (loose and isinstance(data, NotFound | Conflict | IntegrityError)):
            raise data
    return data


def _unwrap(data: Fetched) -> bytes:
    try:
        return unwrap(data)
    except (NotFound, Conflict, IntegrityError) as error:
        raise UploadRejected(f"has gone or changed since it was listed: {error.message}", rule="file.changed") from None
