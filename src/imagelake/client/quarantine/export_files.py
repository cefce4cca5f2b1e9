"""The files of an upload that its rejections concern: where they were, what they are, and their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from imagelake.client.delta.blob_places import Blob, blobs, read_blob
from imagelake.client.delta.tables import Tables
from imagelake.client.sql_text import select, text, texts
from imagelake.errors import NotFound
from imagelake.formats.small_documents import stem
from imagelake.formats.yolo.images import image_file
from imagelake.formats.yolo.names import is_declaration
from imagelake.storage.base import Storage
from imagelake.tables import bronze

_UPLOAD = ("upload_id", "sequence", "attempt_id", "format", "mode", "source")
_FILE = ("path", "role", "content_hash")
_BATCH = 1000


@dataclass(frozen=True)
class Upload:
    """An upload with rejections: its newest number, the attempt whose files count, its format and mode."""

    upload_id: str
    sequence: int
    attempt_id: str | None
    format: str | None
    mode: str | None
    source: str | None


@dataclass(frozen=True)
class UploadFile:
    """A file of an upload; `content_hash` is None for one whose bytes could not be read."""

    path: str
    role: str
    content_hash: str | None


def uploads(tables: Tables, dataset: str, ids: Sequence[str]) -> list[Upload]:
    """These uploads in the order they came; one that the table does not know has nothing but its id."""
    source = tables.relation(bronze.UPLOADS, _UPLOAD, dataset)
    newest = "QUALIFY row_number() OVER (PARTITION BY upload_id ORDER BY sequence DESC) = 1"
    rows = tables.query(
        f"SELECT {select(_UPLOAD)} FROM {source} WHERE upload_id IN ({texts(ids)}) {newest} ORDER BY sequence"
    )
    stored = {row["upload_id"]: Upload(**row) for row in rows}
    bare = (Upload(upload_id, 0, None, None, None, None) for upload_id in sorted(set(ids) - stored.keys()))
    return [*bare, *stored.values()]


def refused_files(tables: Tables, dataset: str, upload: Upload, paths: str, pictures: set[str]) -> list[UploadFile]:
    """The files that rejections name, and those that are needed beside them, by path.

    paths: SQL of the paths that rejections name; pictures: of the refused pictures. Needed are what declares a YOLO
    upload's classes, and the labels of refused pictures, without which these would come back unlabelled.
    """
    source = tables.relation(bronze.FILES, ("attempt_id", *_FILE), dataset)
    mine = f"SELECT {select(_FILE)} FROM {source} WHERE attempt_id = {text(upload.attempt_id or '')}"
    named = [UploadFile(**row) for row in tables.query(f'{mine} AND "path" IN ({paths})')]
    beside: list[UploadFile] = []
    if upload.format == "yolo":
        meta = (UploadFile(**row) for row in tables.query(f"{mine} AND role = 'meta'"))
        beside += [file for file in meta if is_declaration(file.path)]
    if upload.format in ("yolo", "voc") and pictures:
        images = {_without_suffix(path) for path in pictures}
        documents = (UploadFile(**row) for row in tables.query(f"{mine} AND role = 'annotation'"))
        beside += [file for file in documents if images & _images_of(file.path)]
    by_path = {file.path: file for file in (*named, *beside)}
    return [by_path[path] for path in sorted(by_path)]


def image_files(tables: Tables, dataset: str, upload: Upload) -> Iterator[UploadFile]:
    """The image files of an upload that could be read."""
    source = tables.relation(bronze.FILES, ("attempt_id", "problem_rule", *_FILE), dataset)
    sound = f"attempt_id = {text(upload.attempt_id or '')} AND role = 'image' AND problem_rule IS NULL"
    rows = tables.query(f'SELECT {select(_FILE)} FROM {source} WHERE {sound} ORDER BY "path"')
    return (UploadFile(**row) for row in rows)


def with_bytes(
    tables: Tables, storage: Storage, dataset: str, files: Sequence[UploadFile]
) -> Iterator[tuple[UploadFile, bytes | None]]:
    """The files with their bytes; None for those whose bytes are not kept, or no longer."""
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        places = blobs(tables, dataset, _hashes(batch))
        for file in batch:
            yield file, _read(storage, file, places.get(file.content_hash or "", ()))


def _hashes(files: Iterable[UploadFile]) -> set[str]:
    return {file.content_hash for file in files if file.content_hash is not None}


def _read(storage: Storage, file: UploadFile, places: Sequence[Blob]) -> bytes | None:
    if not places or file.content_hash is None:
        return None
    try:
        return read_blob(storage, file.content_hash, places)
    except NotFound:
        return None


def _without_suffix(path: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{stem(path)}"


def _images_of(document: str) -> set[str]:
    """The paths, without suffix, at which the image of a label document may lie."""
    return {_without_suffix(document), image_file(document), _beside_annotations(document)}


def _beside_annotations(document: str) -> str:
    """`JPEGImages/a` of `Annotations/a.xml`."""
    return "/".join("JPEGImages" if part == "Annotations" else part for part in _without_suffix(document).split("/"))
