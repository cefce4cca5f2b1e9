"""Documents to records, in parallel: each worker parses some units and yields rows, never whole documents."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
from pyspark.sql import DataFrame

from imagelake.engine.expressions import FILE_BYTES, MANY_BYTES, compiled
from imagelake.errors import ImagelakeError
from imagelake.formats import reader
from imagelake.formats.base import LargeReader, Unit
from imagelake.runs.context import Context
from imagelake.silver.upload.parsed_records import DDL, to_batch, to_batches, to_note
from imagelake.silver.upload.silver_upload import UploadTree
from imagelake.storage.base import Storage
from imagelake.storage.blobs.location import Location, read_location, read_locations, read_span

LARGE = 32 << 20
"""Bytes from which on a document is cut."""

PART = 16 << 20
"""Bytes of a part of a stored document."""


@dataclass(frozen=True)
class _Cut:
    """Bytes from which on documents are cut, bytes of a part, and the number of cores that read parts."""

    large: int
    part: int
    cores: int


_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNITS_PER_TASK = 4
_TOGETHER = 64 << 20  # bytes of documents that are held at once


def parse(ctx: Context, tree: UploadTree, units: tuple[Unit, ...]) -> DataFrame:
    """The records of all units as a frame of `silver.records.DDL`; those of large documents by many workers."""
    if not units:
        return ctx.spark.createDataFrame([], DDL)
    if _bytes(tree, units) >= MANY_BYTES:
        compiled(ctx.spark)
    described = [_to_task(unit, {p: tree.locations[p] for p in unit.paths if p in tree.locations}) for unit in units]
    rows = pa.table({"unit": described})
    cores = ctx.spark.sparkContext.defaultParallelism
    tasks = min(len(units), cores * _UNITS_PER_TASK)
    frame = ctx.spark.createDataFrame(rows, "unit string").repartition(tasks)
    if large_documents(tree, units):
        cut = frame.mapInArrow(_cutter(ctx.storage, _Cut(LARGE, PART, cores)), "unit string")
        frame = cut.repartition(cores * _UNITS_PER_TASK)
    return frame.mapInArrow(_parser(ctx.storage), DDL)


def large_documents(tree: UploadTree, units: tuple[Unit, ...]) -> frozenset[str]:
    """Documents that are cut into parts. Images of these have DOCUMENT_KINDS, unless a document could not be cut."""
    return frozenset(
        path
        for unit in units
        if len(unit.paths) == 1 and isinstance(reader(unit.format), LargeReader)
        for path in unit.paths
        if tree.size(path) >= LARGE
    )


def _bytes(tree: UploadTree, units: tuple[Unit, ...]) -> int:
    """The size of the work: of the documents, and a share for each file."""
    return sum(tree.size(path) for unit in units for path in unit.paths) + FILE_BYTES * len(tree.sizes)


def _to_task(unit: Unit, locations: Mapping[str, Location]) -> str:
    """A unit and the locations of its documents, as JSON."""
    return json.dumps(
        {"unit": asdict(unit), "places": {path: location._asdict() for path, location in locations.items()}}
    )


def _from_task(text: str) -> tuple[Unit, dict[str, Location]]:
    task = json.loads(text)
    unit = Unit(**{**task["unit"], "paths": tuple(task["unit"]["paths"])})
    return unit, {path: Location(**location) for path, location in task["places"].items()}


def _cutter(storage: Storage, cut: _Cut) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Units of one large document as units of its parts, all others as they are."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for text in batch.column(0).to_pylist():
                unit, locations = _from_task(text)
                parts = [_to_task(part, locations) for part in _parts(storage, unit, locations, cut)]
                yield pa.RecordBatch.from_pydict({"unit": pa.array(parts, pa.string())})

    return run


def _parts(storage: Storage, unit: Unit, locations: Mapping[str, Location], cut: _Cut) -> tuple[Unit, ...]:
    chosen, location = reader(unit.format), locations.get(unit.paths[0])
    if len(unit.paths) > 1 or location is None or location.size < cut.large or not isinstance(chosen, LargeReader):
        return (unit,)
    # each part of a deflated document inflates the whole of it
    size = cut.part if location.codec == "stored" else max(cut.part, location.size // cut.cores)
    data = read_location(storage, location)
    return (unit,) if data.startswith(_MARKS) else chosen.cut(unit, data, size)


def _parser(storage: Storage) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for text in batch.column(0).to_pylist():
                unit, locations = _from_task(text)
                yield from _batches(unit, _documents(storage, locations, unit.span))

    return run


def _batches(unit: Unit, read: Callable[[str], bytes]) -> Iterator[pa.RecordBatch]:
    """The records of a unit, and a note for each of its documents that begins with a byte order mark."""
    marked: list[str] = []

    def read_marked(path: str) -> bytes:
        data = read(path)
        if data.startswith(_MARKS) and path not in marked:
            marked.append(path)
        return data

    chosen = reader(unit.format)
    parsed = chosen.rows(unit, read_marked) if isinstance(chosen, LargeReader) else chosen.parse(unit, read_marked)
    yield from to_batches(parsed, unit.first)
    if marked:  # by now the records are drawn, and the documents read
        yield to_batch([to_note(path, "document.byte_order_mark") for path in marked])


def _documents(
    storage: Storage, locations: Mapping[str, Location], span: Sequence[int] | None
) -> Callable[[str], bytes]:
    """A unit's documents by path, or its span of one. Many small ones are read together when the first is asked for."""
    if span is not None:
        start, end = span
        return lambda path: read_span(storage, locations[path], start, end)
    if sum(location.length for location in locations.values()) > _TOGETHER:
        return lambda path: read_location(storage, locations[path])
    cache: dict[str, bytes | ImagelakeError] = {}

    def read(path: str) -> bytes:
        if not cache:
            paths = sorted(locations, key=lambda p: (locations[p].uri, locations[p].offset))
            cache.update(zip(paths, read_locations(storage, [locations[p] for p in paths]), strict=True))
        document = cache[path]
        if isinstance(document, ImagelakeError):
            raise document
        return document

    return read
