"""The two seams of the formats: the tree a reader looks at, and the reader itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from imagelake.formats.records import Record


class Tree(Protocol):
    """The files of an upload, wrapper folder stripped, junk left out, paths NFC with `/`, sorted."""

    @property
    def paths(self) -> Sequence[str]:
        """All paths."""
        ...

    def size(self, path: str) -> int:
        """Size of a file in bytes."""
        ...

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The file, or its first `limit` bytes."""
        ...


@dataclass(frozen=True)
class Detection:
    """A reader's judgement of a tree: score 0 (no) to 100 (certain), its documents, what it lacked.

    `meta` are files the reader uses without their being annotation documents (data.yaml, classes.txt, ImageSets),
    `unsupported` says which documents are of the format but of a kind no reader takes yet.
    """

    format: str
    score: int
    documents: tuple[str, ...] = ()
    meta: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unit:
    """A piece of parsing work for one worker: some documents and a JSON context both sides understand."""

    format: str
    paths: tuple[str, ...]
    context: str = "{}"


class Reader(Protocol):
    """A dataset format. Importable without pyspark and boto3; units and records cross process borders."""

    name: ClassVar[str]
    version: ClassVar[int]

    def detect(self, tree: Tree) -> Detection:
        """How sure it is that the tree is of this format."""
        ...

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """The parsing work, cut into units of a few MB; UploadRejected when a key document is unusable."""
        ...

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """The records of a unit, in bounded memory. Bad parts become issues; it never raises for bad content."""
        ...
