"""A folder that is being made: files appear whole, and images that are there already are not read again."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imagelake.client.data.read.stored_bytes import in_storage_order, read_samples
from imagelake.errors import UsageError
from imagelake.storage.base import TEMP_PREFIX

if TYPE_CHECKING:
    from imagelake.client.data.samples import Samples

Progress = Callable[[int, int], None]
"""Told how many images of how many are done."""

_WRITERS = 8
_DIGITS = 32
_WAITING_BYTES = 128 << 20


@dataclass(frozen=True, eq=False)
class ExportFolder:
    """A local folder under construction. Paths are relative to it, with `/`."""

    root: Path
    progress: Progress
    losses: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def lose(self, what: str, count: int = 1) -> None:
        """Count what the format cannot hold, in words such as `crowd annotations`."""
        if count:
            self.losses[what] += count

    def note(self, sentence: str) -> None:
        """Say something that readers of the folder must know."""
        self.notes.append(sentence)

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole."""
        with self.open(path) as out:
            out.write(data)

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """A file to write; it gets its name when the block ends without an error."""
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:_DIGITS]  # a longer one might be too long
        temporary = target.with_name(f"{TEMP_PREFIX}{name}")
        with temporary.open("wb") as out:
            yield out
        temporary.replace(target)

    def path(self, path: str) -> Path:
        """The place of a path on this machine; UsageError when it would lie outside the folder."""
        parts = path.split("/")
        if "\0" in path or any(part in ("", ".", "..") for part in parts):
            raise UsageError(f"{path!r} is not a path inside a folder", hint="export it with another key")
        return self.root.joinpath(*parts)

    def write_images(self, samples: Samples, paths: Sequence[str | None]) -> None:
        """Write the bytes of each sample to its path, or nowhere where that is None.

        What an earlier run has written stays when it has the right bytes: a power cut may have left others.
        """
        hashes = samples.rows["content_hash"].to_pylist()
        absent = [i for i, path in enumerate(paths) if path is not None and not self._has(path, hashes[i])]
        total = sum(path is not None for path in paths)
        done = total - len(absent)
        self.progress(done, total)
        waiting: deque[tuple[int, Future[None]]] = deque()
        size = 0
        with ThreadPoolExecutor(_WRITERS) as pool:
            for index, data in read_samples(samples, in_storage_order(samples.places, absent)):
                path = paths[index]
                assert path is not None
                waiting.append((len(data), pool.submit(self.write, path, data)))
                size += len(data)
                while waiting and (size > _WAITING_BYTES or waiting[0][1].done()):
                    length, writing = waiting.popleft()
                    writing.result()
                    size -= length
                    done += 1
                    self.progress(done, total)
            for _, writing in waiting:
                writing.result()
        self.progress(total, total)

    def read_images(self, samples: Samples, indexes: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Index and checked bytes of these samples in this order, for formats that keep images within a file."""
        for count, (index, data) in enumerate(read_samples(samples, indexes), 1):
            yield index, data
            self.progress(count, len(indexes))

    def _has(self, path: str, content_hash: str) -> bool:
        try:
            with self.path(path).open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == content_hash
        except (FileNotFoundError, NotADirectoryError):
            return False
