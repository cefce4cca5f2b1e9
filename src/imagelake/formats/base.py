"""The two seams of the formats: the tree a reader looks at, and the reader itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from imagelake.errors import NotFound, UploadRejected
from imagelake.formats.records import AnnotationRows, Record

BY_NAME_SCORE = 30
"""Score of a detection that rests on names, because no document could be read."""


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
        """The file, or its first `limit` bytes; UploadRejected, NotFound or OSError when it is damaged."""
        ...


def read_or_none(tree: Tree, path: str, limit: int | None = None) -> bytes | None:
    """The file, or its first `limit` bytes; None when it is damaged.

    A damaged file is a rejection of its own, which needs no reader: all that a reader does is to go on without it.
    """
    try:
        return tree.read(path, limit)
    except (UploadRejected, NotFound, OSError):
        return None


def present(tree: Tree, paths: Sequence[str]) -> tuple[str, ...]:
    """Those of the paths that are in the tree: what is damaged may have been left out of it since detection."""
    in_tree = frozenset(tree.paths)
    return tuple(path for path in paths if path in in_tree)


@dataclass(frozen=True)
class Unread:
    """A file that looks like labels and that no reader takes: their kind, in the field's words, and why not.

    `is_certain`: it is labels, so that an upload which has no others is refused; else it may be, which is a warning.
    """

    path: str
    kind: str
    why: str = "not supported yet"
    is_certain: bool = True


@dataclass(frozen=True)
class Detection:
    """A reader's judgement of a tree: score 0 (no) to 100 (certain), its documents, what it lacked.

    `meta` are files the reader uses without their being annotation documents (data.yaml, classes.txt, ImageSets),
    `unread` are files that look like the format's own and are not read. `masks` are image files that documents name as
    masks. `by_name` says that no document could be read, so that names alone speak for the format. `seen` says in
    sentences what the reader made of the upload (where splits come from, what stays unlabelled).
    """

    format: str
    score: int
    documents: tuple[str, ...] = ()
    meta: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    masks: tuple[str, ...] = ()
    by_name: bool = False
    seen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unit:
    """A piece of parsing work for one worker: some documents and a JSON context both sides understand.

    With a `span`, first byte and end, it is a part of a single document; `first` numbers the first of its records.
    """

    format: str
    paths: tuple[str, ...]
    context: str = "{}"
    span: tuple[int, int] | None = None
    first: int = 0


class Reader(Protocol):
    """A dataset format. Importable without pyspark and boto3; units and records cross process borders."""

    name: ClassVar[str]
    version: ClassVar[int]

    def detect(self, tree: Tree) -> Detection:
        """How sure it is that the tree is of this format. A damaged file is judged by its name and its neighbours."""
        ...

    def plan(self, tree: Tree, detection: Detection) -> tuple[Unit, ...]:
        """The parsing work for the documents that are in the tree, cut into units of a few MB."""
        ...

    def parse(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record]:
        """The records of a unit, in bounded memory. Bad parts become issues; it never raises for bad content."""
        ...


@runtime_checkable
class LargeReader(Protocol):
    """A reader whose documents may be large: it cuts them into parts, and reads many annotations at a time."""

    def cut(self, unit: Unit, data: bytes, size: int) -> tuple[Unit, ...]:
        """Units of some `size` bytes of the unit's only document, or the unit itself where that cannot be cut.

        data: the document, without byte order mark. Images of parts are labelled for DOCUMENT_KINDS.
        """
        ...

    def rows(self, unit: Unit, read: Callable[[str], bytes]) -> Iterator[Record | AnnotationRows]:
        """The records of a unit as `parse` gives them, in the same order, some as rows; `read` gives a unit's span."""
        ...
