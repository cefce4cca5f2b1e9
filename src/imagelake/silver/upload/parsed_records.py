"""The readers' records as rows of one wide frame, so that one parallel pass over the documents yields them all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from imagelake.core.digest import canonical_json
from imagelake.formats.records import AnnotationRecord, AnnotationRows, CategoryRecord, ImageRecord, Issue, Record

MAX_RAW = 4000

_BATCH_ROWS = 2000

SCHEMA = pa.schema(
    [
        ("type", pa.string()),
        ("document", pa.string()),
        ("ref", pa.string()),
        ("locator", pa.string()),
        ("position", pa.int64()),
        ("file", pa.string()),
        ("by_stem", pa.bool_()),
        ("absolute", pa.bool_()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("split", pa.string()),
        ("kinds", pa.list_(pa.string())),
        ("kind", pa.string()),
        ("category", pa.string()),
        ("category_ref", pa.string()),
        ("supercategory", pa.string()),
        ("bbox", pa.list_(pa.float64())),
        ("unit", pa.bool_()),
        ("decimals", pa.int32()),
        ("polygons", pa.list_(pa.list_(pa.float64()))),
        ("rle_size", pa.list_(pa.int32())),
        ("rle_counts", pa.string()),
        ("area", pa.float64()),
        ("is_crowd", pa.bool_()),
        ("keypoints", pa.list_(pa.float64())),
        ("source_id", pa.string()),
        ("attributes", pa.string()),
        ("warnings", pa.list_(pa.string())),
        ("entity", pa.string()),
        ("rule", pa.string()),
        ("message", pa.string()),
        ("raw", pa.string()),
    ]
)

DDL = (
    "type string, document string, ref string, locator string, position bigint, file string, by_stem boolean, "
    "absolute boolean, width int, height int, split string, kinds array<string>, kind string, category string, "
    "category_ref string, supercategory string, bbox array<double>, unit boolean, decimals int, polygons "
    "array<array<double>>, rle_size array<int>, rle_counts string, area double, is_crowd boolean, keypoints "
    "array<double>, source_id string, attributes string, warnings array<string>, entity string, rule string, message "
    "string, raw string"
)


def to_row(record: Record, position: int) -> dict[str, Any]:
    """A record as a row of those columns that its kind has; `ref` is always the image's, or the category's own."""
    if isinstance(record, AnnotationRecord):
        row = _annotation(record)
    elif isinstance(record, ImageRecord):
        row = _image(record)
    elif isinstance(record, CategoryRecord):
        row = _category(record)
    else:
        row = _issue(record)
    row["document"], row["position"] = record.document, position
    return row


def to_note(document: str, rule: str) -> dict[str, Any]:
    """A row that notes something of a document as a whole."""
    return {"type": "note", "document": document, "rule": rule}


def as_json(row: Mapping[str, Any]) -> str:
    """A record row as JSON that `DDL` reads back."""
    return json.dumps({name: row.get(name) for name in SCHEMA.names}, ensure_ascii=False)


def to_batch(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """The rows as one Arrow batch; columns that no row has cost nothing."""
    present = frozenset[str]().union(*rows)
    columns = [
        pa.array([row.get(field.name) for row in rows], field.type)
        if field.name in present
        else pa.nulls(len(rows), field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def to_batches(records: Iterable[Record | AnnotationRows], first: int) -> Iterator[pa.RecordBatch]:
    """Records as batches of bounded size, numbered from `first` on in the order in which they come."""
    rows: list[dict[str, Any]] = []
    for record in records:
        if isinstance(record, AnnotationRows) or len(rows) == _BATCH_ROWS:
            if rows:
                yield to_batch(rows)
            rows = []
        if isinstance(record, AnnotationRows):
            yield _columns(record, first)
            first += len(record.kinds)
        else:
            rows.append(to_row(record, first))
            first += 1
    if rows:
        yield to_batch(rows)


def _columns(rows: AnnotationRows, first: int) -> pa.RecordBatch:
    """Annotations that are columns already."""
    count = len(rows.kinds)
    boxes = pa.array(np.asarray(rows.boxes, np.float64).reshape(-1))
    values = {
        "type": pa.repeat(pa.scalar("annotation"), count),
        "document": pa.repeat(pa.scalar(rows.document), count),
        "ref": rows.image_refs,
        "locator": rows.locators,
        "position": np.arange(first, first + count),
        "kind": rows.kinds,
        "category_ref": rows.category_refs,
        "bbox": pa.ListArray.from_arrays(np.arange(0, 4 * count + 1, 4, dtype=np.int32), boxes),
        "unit": pa.repeat(pa.scalar(False), count),
        "polygons": rows.polygons,
        "area": rows.areas,
        "is_crowd": rows.crowds,
        "source_id": rows.source_ids,
        "warnings": pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], pa.string())),
        "raw": [text[:MAX_RAW] for text in rows.raws],
    }
    columns = [
        pa.array(values[field.name], field.type) if field.name in values else pa.nulls(count, field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _image(r: ImageRecord) -> dict[str, Any]:
    return {
        "type": "image",
        "ref": r.ref,
        "locator": r.locator,
        "file": r.file,
        "by_stem": r.by_stem,
        "absolute": r.absolute,
        "width": _int32(r.width),
        "height": _int32(r.height),
        "split": r.split,
        "kinds": sorted(r.kinds),
        "source_id": r.source_id,
        "attributes": canonical_json(r.attributes),
        "warnings": r.warnings,
        "raw": json.dumps({"file_name": r.file, "id": r.source_id}, ensure_ascii=False)[:MAX_RAW],
    }


def _annotation(r: AnnotationRecord) -> dict[str, Any]:
    return {
        "type": "annotation",
        "ref": r.image_ref,
        "locator": r.locator,
        "kind": r.kind,
        "category": r.category,
        "category_ref": r.category_ref,
        "bbox": r.bbox,
        "unit": r.unit,
        "decimals": r.decimals,
        "polygons": r.polygons,
        "rle_size": r.rle_size,
        "rle_counts": r.rle_counts,
        "area": r.area,
        "is_crowd": r.is_crowd,
        "keypoints": r.keypoints,
        "source_id": r.source_id,
        "attributes": canonical_json(r.attributes),
        "warnings": r.warnings,
        "raw": r.raw[:MAX_RAW],
    }


def _category(r: CategoryRecord) -> dict[str, Any]:
    return {
        "type": "category",
        "ref": r.ref,
        "category": r.name,
        "supercategory": r.supercategory,
        "locator": str(r.order),
        "source_id": r.source_id,
        "attributes": canonical_json(r.attributes),
    }


def _issue(r: Issue) -> dict[str, Any]:
    return {
        "type": "issue",
        "ref": r.image_ref,
        "locator": r.locator,
        "kind": r.kind,
        "entity": r.entity,
        "rule": r.rule,
        "message": r.message,
        "raw": r.raw[:MAX_RAW],
    }


def _int32(value: int | None) -> int | None:
    """A declared size as int32; -1 beyond 32 bits, which fails the size rule."""
    return value if value is None or -(1 << 31) <= value < 1 << 31 else -1
