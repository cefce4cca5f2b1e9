"""Which pictures a mended document needs beside it: those that its names do not find in the draft.

In its own upload a label may find its image by the end of a path, by a bare name, or by the document's own name; among
the images of a dataset only by the exact key. What the readers make of the document alone says which names it gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from imagelake.client.quarantine.export_files import UploadFile
from imagelake.core.upload_paths import take_apart
from imagelake.formats import reader
from imagelake.formats.base import Detection
from imagelake.formats.records import ImageRecord
from imagelake.formats.trees import DictTree


def unmatched(format_name: str, document: str, data: bytes, keys: Iterable[str]) -> set[str]:
    """Those of the image keys that the document alone does not name. keys: of the images its labels were matched to."""
    matched = set(keys)
    return matched - set(_named(format_name, document, data, matched)) if matched else matched


def pictures_of(files: Iterable[UploadFile], keys: Set[str]) -> Iterator[UploadFile]:
    """The image files that have one of these keys."""
    for file in files:
        parts = take_apart(file.path)
        if keys & {file.path, parts.split_key, parts.key}:
            yield file


def _named(format_name: str, document: str, data: bytes, keys: Set[str]) -> Iterator[str]:
    bare: dict[str, list[str]] = {}
    for key in keys:
        bare.setdefault(_bare(key), []).append(key)
    for record in _images(format_name, document, data):
        for name in () if record.absolute else _names(record):
            if record.by_stem:
                yield from bare.get(name, ())
            yield name


def _images(format_name: str, document: str, data: bytes) -> Iterator[ImageRecord]:
    chosen, tree = reader(format_name), DictTree({document: data})
    for unit in chosen.plan(tree, Detection(format_name, 100, documents=(document,))):
        yield from (record for record in chosen.parse(unit, tree.read) if isinstance(record, ImageRecord))


def _names(record: ImageRecord) -> Iterator[str]:
    """The keys that a record's name may stand for; COCO's names are also as they are from the document's folder."""
    folder = record.document.rpartition("/")[0]
    is_beside = bool(folder) and record.document.lower().endswith(".json")
    for name in (f"{folder}/{record.file}", record.file) if is_beside else (record.file,):
        parts = take_apart(name)
        yield from (name, parts.split_key, parts.key)


def _bare(key: str) -> str:
    folder, slash, name = key.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}"
