"""`rejections D --export FOLDER`: what is refused as files that can be mended and delivered again.

One upload makes the folder itself, several make a folder each in it. Whole documents come with their refused rows, of
COCO the part that concerns the images of refused rows, and refused pictures as they were delivered.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from imagelake.client import catalog
from imagelake.client.delta.tables import Tables
from imagelake.client.inspect.upload_states import LABELS
from imagelake.client.quarantine import coco_documents, sheet
from imagelake.client.quarantine.chosen import Chosen, condition
from imagelake.client.quarantine.export_files import Upload, UploadFile, image_files, refused_files, uploads, with_bytes
from imagelake.client.quarantine.export_folder import check_free, safe_path, whole_folder, write
from imagelake.client.quarantine.list_rejections import RuleCount, rule_counts
from imagelake.client.quarantine.matching import pictures_of, unmatched
from imagelake.client.sql_text import select, text
from imagelake.core import receipt
from imagelake.core.advance import Advance, ProgressCallback, ignore_progress
from imagelake.core.upload_paths import check_dataset_id
from imagelake.storage.base import Storage
from imagelake.tables import silver

_ROW = ("rejection_id", "path", "locator", "entity", "image_key", "kind", "rule", "message")
_ALL = (*_ROW, "raw", "upload_id", "closed_at", "delivery")
_README = "README.txt"
_RESERVED = frozenset(name.casefold() for name in (_README, receipt.SHEET, receipt.NAME))
_BATCH = 10_000
_NO_ID = re.compile(r"[^0-9A-Za-z]")
_DOCUMENTS = ("coco", "voc", "yolo")


@dataclass(frozen=True)
class ExportedUpload:
    """The folder of one upload: what lies in it, the command that delivers it (None: deliver it otherwise), remarks."""

    upload_id: str
    format: str | None
    folder: str
    rejections: int
    documents: int
    pictures: int
    deliver: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Export:
    """A folder of rejections; `folder` None, and nothing written, where none was chosen."""

    dataset: str
    folder: str | None
    rejections: int
    uploads: tuple[ExportedUpload, ...]

    def as_json(self) -> dict[str, Any]:
        """{"dataset", "folder", "rejections", "uploads": [...]}."""
        return asdict(self) | {"uploads": [asdict(u) | {"notes": list(u.notes)} for u in self.uploads]}


@dataclass(frozen=True)
class _ExportContext:
    """The dataset that is exported, where it is read, and who watches."""

    tables: Tables
    storage: Storage
    dataset: str
    progress: ProgressCallback

    def with_bytes(self, stage: str, files: Sequence[UploadFile]) -> Iterator[tuple[UploadFile, bytes | None]]:
        """The files with their bytes, counted as they come."""
        size = 0
        self.progress(Advance(stage, 0, len(files), size))
        for count, (file, data) in enumerate(with_bytes(self.tables, self.storage, self.dataset, files), 1):
            yield file, data
            size += len(data or b"")
            self.progress(Advance(stage, count, len(files), size))


@dataclass(frozen=True)
class _Written:
    """What was written of an upload: its place here by path in the upload, new places of items, counts, remarks."""

    names: Mapping[str, str]
    places: Mapping[str, Mapping[str, str]]
    documents: int
    pictures: int
    notes: tuple[str, ...]


def export(
    tables: Tables,
    storage: Storage,
    dataset: str,
    chosen: Chosen,
    folder: Path,
    progress: ProgressCallback = ignore_progress,
) -> Export:
    """Write the chosen open rejections into a folder that is not there yet, or empty: whole, or not at all.

    UsageError for a folder that holds something; NotFound when there is no such dataset; else as `condition` says.
    """
    check_dataset_id(dataset)
    check_free(folder)
    lake, where = _ExportContext(tables, storage, dataset, progress), condition(tables, dataset, chosen)
    source = _source(lake)
    ids = [r["upload_id"] for r in tables.query(f"SELECT DISTINCT upload_id FROM {source} WHERE {where}")]
    if not ids:
        catalog.require_dataset(tables, dataset)
        return Export(dataset, None, 0, ())
    concerned = uploads(tables, dataset, ids)
    with whole_folder(folder) as filling:
        parts = []
        for upload in concerned:
            name = "" if len(concerned) == 1 else f"{upload.sequence:04}-{_NO_ID.sub('', upload.upload_id)[:12]}"
            (filling / name).mkdir(exist_ok=True)
            parts.append(_upload(lake, upload, where, filling / name, folder / name))
        if len(concerned) > 1:
            (filling / _README).write_text(
                sheet.overview(dataset, {Path(part.folder).name: part.rejections for part in parts}), encoding="utf-8"
            )
    return Export(dataset, str(folder), sum(part.rejections for part in parts), tuple(parts))


def _source(lake: _ExportContext) -> str:
    return lake.tables.relation(silver.REJECTIONS, _ALL, lake.dataset)


def _upload(lake: _ExportContext, upload: Upload, where: str, root: Path, final: Path) -> ExportedUpload:
    """Fill the folder of one upload."""
    chosen = _with_labels(lake, upload, where)
    written = _files(lake, upload, chosen, root)
    ids: list[str] = []
    sheet.write_csv(root / receipt.SHEET, _sheet(lake, chosen, written, ids))
    write(root, receipt.NAME, receipt.to_bytes(upload.upload_id, ids))
    deliver = _command(lake.dataset, upload, written, final)
    rules = _rules(lake, chosen)
    notes = (*written.notes, *sheet.advice(upload.format, rules))
    full = f"imagelake {deliver}" if deliver else None
    guide = sheet.Guide(lake.dataset, upload.upload_id, upload.source, full, rules, notes)
    (root / _README).write_text(sheet.readme(guide), encoding="utf-8")
    counts = (len(ids), written.documents, written.pictures)
    return ExportedUpload(upload.upload_id, upload.format, str(final), *counts, deliver, notes)


def _with_labels(lake: _ExportContext, upload: Upload, where: str) -> str:
    """The condition for the chosen rows of an upload, and for labels that were refused with a chosen picture alone."""
    mine = f"upload_id = {text(upload.upload_id)}"
    pictures = (
        f"SELECT image_key FROM {_source(lake)} WHERE {where} AND {mine} AND {_PICTURE} AND image_key IS NOT NULL"
    )
    along = f"closed_at IS NULL AND rule = 'annotation.image_rejected' AND image_key IN ({pictures})"
    return f"{mine} AND (({where}) OR ({along}))"


_PICTURE = "entity = 'image' AND locator = 'file'"


def _files(lake: _ExportContext, upload: Upload, chosen: str, root: Path) -> _Written:
    source = _source(lake)
    pictures = lake.tables.query(f'SELECT DISTINCT "path", image_key FROM {source} WHERE {chosen} AND {_PICTURE}')
    paths = f'SELECT "path" FROM {source} WHERE {chosen} AND "path" IS NOT NULL'
    files = refused_files(lake.tables, lake.dataset, upload, paths, {str(row["path"]) for row in pictures})
    made = _Folder(root, upload, _refused(lake, chosen), {str(row["image_key"]) for row in pictures})
    for file, data in lake.with_bytes("writing files", files):
        made.put(file, data)
    if made.unmatched:
        others = image_files(lake.tables, lake.dataset, upload)
        needed = [file for file in pictures_of(others, made.unmatched) if file.path not in made.names]
        for file, data in lake.with_bytes("writing pictures", needed):
            made.put(file, data)
    return _Written(made.names, made.places, len(made.names) - made.pictures, made.pictures, _remarks(made))


@dataclass(frozen=True)
class _Refused:
    """What is refused of a file: the places in it, and the keys of the images that its labels were matched to."""

    locators: tuple[str, ...] = ()
    image_keys: tuple[str, ...] = ()


def _refused(lake: _ExportContext, chosen: str) -> dict[str, _Refused]:
    """What is refused, by file."""
    rows = lake.tables.query(
        "SELECT \"path\", list(DISTINCT locator) AS places, list(DISTINCT image_key) FILTER (entity = 'annotation') "
        f'AS keys FROM {_source(lake)} WHERE {chosen} AND "path" IS NOT NULL GROUP BY "path"'
    )
    return {row["path"]: _Refused(*(tuple(filter(None, row[c] or ())) for c in ("places", "keys"))) for row in rows}


@dataclass
class _Folder:
    """The files of one upload on their way into its folder; `pictures` counts those that are images.

    `keys` are those of refused pictures, `unmatched` those of images that the documents do not name by their key.
    """

    root: Path
    upload: Upload
    refused: Mapping[str, _Refused]
    keys: Set[str]
    names: dict[str, str] = field(default_factory=dict)
    places: dict[str, Mapping[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unmatched: set[str] = field(default_factory=set)
    pictures: int = 0

    def put(self, file: UploadFile, data: bytes | None) -> None:
        """Write a file, of a COCO document the part that is refused; or note that its bytes are not there."""
        if data is None:
            self.missing.append(file.path)
            return
        refused, format_name = self.refused.get(file.path, _Refused()), self.upload.format
        if format_name == "coco" and file.role == "annotation":
            part = coco_documents.refused_part(data, file.path, refused.locators, self.keys)
            data, self.places[file.path] = part.data, part.places
            self.unmatched |= unmatched(format_name, file.path, part.images, refused.image_keys)
        elif format_name in _DOCUMENTS and file.role == "annotation":
            self.unmatched |= unmatched(str(format_name), file.path, data, refused.image_keys)
        self.names[file.path] = safe_path(file.path, _RESERVED)
        self.pictures += file.role in ("image", "mask")
        write(self.root, self.names[file.path], data)


def _remarks(made: _Folder) -> tuple[str, ...]:
    missing, notes = made.missing, []
    renamed = [path for path, name in made.names.items() if path != name]
    if missing:
        notes.append(f"{len(missing):,} files are not here, for their bytes are not kept, such as {missing[0]}")
    if renamed:
        notes.append(f"{len(renamed):,} files have other names here than in the upload, such as {renamed[0]}")
    return tuple(notes)


def _sheet(lake: _ExportContext, chosen: str, written: _Written, ids: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of the sheet, in the order of the files; `ids` gets the id of each."""
    docs: dict[str, str | None] = {}
    (total,) = lake.tables.query(f"SELECT count(*) AS n FROM {_source(lake)} WHERE {chosen}")
    for row in _rows(lake, chosen):
        if len(ids) % _BATCH == 0:
            lake.progress(Advance("writing rows", len(ids), total["n"]))
        ids.append(row["rejection_id"])
        path, locator = row["path"] or "", row["locator"] or ""
        place = coco_documents.place_of(locator)
        new = written.places.get(path, {}).get(place) if place else None
        rule = row["rule"]
        if rule not in docs:
            docs[rule] = RuleCount.of(rule, 0, 0).doc
        yield {
            "file": written.names.get(path),
            "place": new + locator[len(place or "") :] if new else locator,
            "entity": row["entity"],
            "image": row["image_key"],
            "kind": row["kind"],
            "rule": rule,
            "message": row["message"],
            "meaning": docs[rule],
            "delivered_as": f"{path} {locator}".strip(),
            "delivered": row["raw"],
        }


def _rows(lake: _ExportContext, chosen: str) -> Iterator[dict[str, Any]]:
    """The rows, a batch at a time: there may be a million of them."""
    cursor = lake.tables.con.cursor()
    order = '"path", length(locator), locator, rule, rejection_id'
    cursor.execute(
        f"SELECT {select(_ROW)}, left(raw, {sheet.MAX_DELIVERED}) AS raw FROM {_source(lake)} WHERE {chosen} "
        f"ORDER BY {order}"
    )
    while batch := cursor.fetchmany(_BATCH):
        yield from (dict(zip((*_ROW, "raw"), row, strict=True)) for row in batch)


def _rules(lake: _ExportContext, chosen: str) -> tuple[RuleCount, ...]:
    return rule_counts(lake.tables, lake.dataset, chosen)


def _command(dataset: str, upload: Upload, written: _Written, final: Path) -> str | None:
    """The command that delivers the folder again; None where nothing in it can be delivered."""
    if upload.format == LABELS or not written.documents + written.pictures:
        return None
    words = ["run", shlex.quote(str(final)), "--dataset", dataset]
    if written.documents and upload.format in _DOCUMENTS:
        words += ["--format", str(upload.format)]
    return " ".join([*words, "--mode", "update"] if upload.mode == "update" else words)
