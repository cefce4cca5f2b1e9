"""What the probing process does with one file: read, hash, and look at it if it is an image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from isal.isal_zlib import crc32

from imagelake.bronze.probe.media_kinds import HEAD, media_type
from imagelake.bronze.probe.probe_image import ImageProperties, ProbeLimits, is_image
from imagelake.bronze.probe.probe_unread import READ, UNSUPPORTED, unread_problem
from imagelake.bronze.probe.readers import WHOLE, WINDOW
from imagelake.core.upload_paths import is_image_name
from imagelake.errors import NotFound, UploadRejected
from imagelake.storage.zip.central_directory import Codec
from imagelake.storage.zip.codec import crc_mismatch, decode, decode_all, size_mismatch
from imagelake.storage.zip.index import Entry
from imagelake.storage.zip.member import HEADER_ROOM, data_offset

Inspect = Callable[[bytes, str, ProbeLimits], ImageProperties]

_GAP = 1 << 16  # neighbours that are no farther apart are read together


class FileProgress(Protocol):
    """Progress callback for the sandbox watchdog."""

    def reading(self) -> None:
        """More of the file was read."""
        ...

    def decoding(self) -> None:
        """From here on the decoder has the file."""
        ...


class Readable(Protocol):
    """Byte ranges of one object after another; `readers.Ranges` reads local files, `probe_remote` reads buckets."""

    @property
    def file_size(self) -> int:
        """The open object's size in bytes."""
        ...

    def open(self, uri: str) -> None:
        """Read from this object from now on."""
        ...

    def holds(self, start: int, end: int) -> bool:
        """Whether these bytes are at hand."""
        ...

    def read(self, start: int, end: int, ahead: int) -> memoryview:
        """The bytes from start to end; those up to `ahead` may be read too."""
        ...

    def stream(self, start: int, length: int) -> Iterator[memoryview]:
        """The bytes from start in pieces."""
        ...


class ProbeItem(NamedTuple):
    """A file to probe, as DESCRIPTORS has it; `bare` asks for its hash only."""

    path: str
    uri: str
    member: str | None
    offset: int
    end: int
    stored: int
    size: int
    codec: Codec
    crc32: int | None
    whole: bool
    etag: str | None = None
    raw_name: bytes | None = None
    bare: bool = False


class Answer(NamedTuple):
    """What was found, as PROBE_ROWS has it after the columns taken over from the item."""

    content_hash: str | None = None
    crc32: int | None = None
    length: int | None = None
    offset: int | None = None
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    orientation: int | None = None
    frames: int | None = None
    bit_depth: int | None = None
    phash: str | None = None
    brightness_p5: float | None = None
    brightness_p99: float | None = None
    contrast: float | None = None
    entropy: float | None = None
    sharpness: float | None = None
    problem_rule: str | None = None
    problem: str | None = None


class HashedContent(NamedTuple):
    """A file's bytes in short: sha256, CRC-32, length, media type; in `data` all of them when they are decoded."""

    sha256: str
    crc32: int
    length: int
    kind: str
    data: bytes | None


@dataclass(frozen=True)
class Inspector:
    """Probes files one after another."""

    limits: ProbeLimits
    inspect: Inspect
    ranges: Readable

    def inspect_file(self, items: Sequence[ProbeItem], number: int, progress: FileProgress) -> Answer:
        """The answer to `items[number]`; bad bytes never raise."""
        item, offset = items[number], None
        try:
            self.ranges.open(item.uri)
            if item.whole and self.ranges.file_size != item.size:
                raise size_mismatch(self.ranges.file_size, item.size)
            if item.end - item.offset <= WHOLE:
                is_fetched = self.ranges.holds(item.offset, item.end)
                raw = self.ranges.read(item.offset, item.end, item.end if is_fetched else _run_end(items, number))
                offset = data_offset(raw, _entry(item)) if item.member is not None else item.offset
                content = self._whole(item, raw[offset - item.offset :][: item.stored])
            else:
                offset = self._begin(item)
                content = self._streamed(item, offset, progress)
        except UploadRejected as error:
            return Answer(offset=offset, problem_rule=error.rule, problem=error.message)
        except (NotFound, OSError) as error:
            return Answer(offset=offset, problem_rule="file.unreadable", problem=f"cannot be read: {error}")
        progress.decoding()
        return self._answer(item, offset, content)

    def _whole(self, item: ProbeItem, raw: memoryview) -> HashedContent:
        data = decode_all(raw, item.codec, item.size)
        digest = hashlib.sha256(data).hexdigest()
        kind = media_type(bytes(data[:HEAD]))
        whole = bytes(data) if is_image(kind) and not item.bare else None
        return HashedContent(digest, crc32(data), len(data), kind, whole)

    def _begin(self, item: ProbeItem) -> int:
        if item.member is None:
            return item.offset
        room = min(item.end, item.offset + HEADER_ROOM)
        return data_offset(self.ranges.read(item.offset, room, room), _entry(item))

    def _streamed(self, item: ProbeItem, offset: int, progress: FileProgress) -> HashedContent:
        digest, crc, length, kind = hashlib.sha256(), 0, 0, ""
        collected: bytearray | None = None
        for piece in decode(self.ranges.stream(offset, item.stored), item.codec, item.size):
            if length == 0:
                kind = media_type(bytes(piece[:HEAD]))
                collected = bytearray() if self._fits(item, kind) else None
            digest.update(piece)
            crc = crc32(piece, crc)
            length += len(piece)
            if collected is not None:
                collected += piece
            progress.reading()
        return HashedContent(digest.hexdigest(), crc, length, kind, bytes(collected) if collected is not None else None)

    def _fits(self, item: ProbeItem, kind: str) -> bool:
        # the file is held twice, and the decoder needs room beside it
        return is_image(kind) and not item.bare and item.size <= (self.limits.memory_mb << 20) // 4

    def _answer(self, item: ProbeItem, offset: int, content: HashedContent) -> Answer:
        if item.crc32 is not None and item.crc32 != content.crc32:
            error = crc_mismatch(content.crc32, item.crc32)
            properties = ImageProperties(problem_rule=error.rule, problem=error.message)
        else:
            properties = ImageProperties() if item.bare else self._look(item, content)
        return Answer(content.sha256, content.crc32, content.length, offset, content.kind, *properties)

    def _look(self, item: ProbeItem, content: HashedContent) -> ImageProperties:
        problem = unread_problem(item.path, content.kind, content.data)
        if problem is not None:
            return ImageProperties(problem_rule=UNSUPPORTED, problem=problem)
        if content.data is not None:
            return self.inspect(content.data, content.kind, self.limits)
        if is_image(content.kind):
            most = f"a quarter of {self.limits.memory_mb} MB (ingest.probe_memory_mb)"
            return ImageProperties(problem_rule="image.too_large", problem=f"{content.length} bytes; at most {most}")
        if not is_image_name(item.path):
            return ImageProperties()
        if content.length == 0:
            return ImageProperties(problem_rule="image.empty", problem="holds no bytes")
        message = f"is named like an image but holds {content.kind}; {READ} are read"
        return ImageProperties(problem_rule="image.unreadable", problem=message)


def _entry(item: ProbeItem) -> Entry:
    crc = item.crc32 if item.crc32 is not None else 0
    place = (item.member or "", item.offset, item.end, item.stored)
    return Entry(*place, item.size, crc, item.codec, is_dir=False, raw_name=item.raw_name)


def _run_end(items: Sequence[ProbeItem], number: int) -> int:
    """How far the neighbours that follow in the same object reach, within one window."""
    first, end = items[number], items[number].end
    for at in range(number + 1, len(items)):
        item = items[at]
        near = end <= item.offset <= end + _GAP and item.end <= first.offset + WINDOW
        if item.uri != first.uri or not near:
            break
        end = item.end
    return end
