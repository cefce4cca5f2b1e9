"""Documents to records, in parallel: each worker parses some units and yields rows, never whole documents."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import chain, islice

import pyarrow as pa
from pyspark.sql import DataFrame

from imagelake.context import Context
from imagelake.errors import ImagelakeError
from imagelake.formats import reader
from imagelake.formats.base import Unit
from imagelake.jvm.expressions import FILE_BYTES, MANY_BYTES, compiled
from imagelake.silver.records import DDL, to_batch, to_note, to_row
from imagelake.silver.upload import UploadTree
from imagelake.storage.base import Storage
from imagelake.storage.places import Place, read_place, read_places

BATCH_ROWS = 2000
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNITS_PER_TASK = 4
_TOGETHER = 64 << 20  # bytes of documents that are held at once


def parse(ctx: Context, tree: UploadTree, units: tuple[Unit, ...]) -> DataFrame:
    """The records of all units as a frame of `silver.records.DDL`."""
    if not units:
        return ctx.spark.createDataFrame([], DDL)
    if _bytes(tree, units) >= MANY_BYTES:
        compiled(ctx.spark)
    rows = pa.table({"unit": [_to_json(unit, tree) for unit in units]})
    tasks = min(len(units), ctx.spark.sparkContext.defaultParallelism * _UNITS_PER_TASK)
    frame = ctx.spark.createDataFrame(rows, "unit string").repartition(tasks)
    return frame.mapInArrow(_parser(ctx.storage), DDL)


def _bytes(tree: UploadTree, units: tuple[Unit, ...]) -> int:
    """The size of the work: of the documents, and a share for each file."""
    return sum(tree.size(path) for unit in units for path in unit.paths) + FILE_BYTES * len(tree.sizes)


def _to_json(unit: Unit, tree: UploadTree) -> str:
    places = {p: asdict(tree.places[p]) for p in unit.paths if p in tree.places}
    return json.dumps({"unit": asdict(unit), "places": places})


def _parser(storage: Storage) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for text in batch.column(0).to_pylist():
                task = json.loads(text)
                places = {path: Place(**place) for path, place in task["places"].items()}
                unit = Unit(task["unit"]["format"], tuple(task["unit"]["paths"]), task["unit"]["context"])
                yield from _batches(unit, _documents(storage, places))

    return run


def _batches(unit: Unit, read: Callable[[str], bytes]) -> Iterator[pa.RecordBatch]:
    """The records of a unit, and a note for each of its documents that begins with a byte order mark."""
    marked: list[str] = []

    def read_marked(path: str) -> bytes:
        data = read(path)
        if data.startswith(_MARKS) and path not in marked:
            marked.append(path)
        return data

    parsed = enumerate(reader(unit.format).parse(unit, read_marked))
    rows = chain(
        (to_row(record, position) for position, record in parsed),
        (to_note(path, "document.byte_order_mark") for path in marked),  # read by now: the records are drawn first
    )
    while chunk := list(islice(rows, BATCH_ROWS)):
        yield to_batch(chunk)


def _documents(storage: Storage, places: Mapping[str, Place]) -> Callable[[str], bytes]:
    """A unit's documents by path. Many small ones are read together when the first is asked for."""
    if sum(place.length for place in places.values()) > _TOGETHER:
        return lambda path: read_place(storage, places[path])
    held: dict[str, bytes | ImagelakeError] = {}

    def read(path: str) -> bytes:
        if not held:
            paths = sorted(places, key=lambda p: (places[p].uri, places[p].offset))
            held.update(zip(paths, read_places(storage, [places[p] for p in paths]), strict=True))
        found = held[path]
        if isinstance(found, ImagelakeError):
            raise found
        return found

    return read
