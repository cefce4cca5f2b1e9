"""What is computed column by column is, bit for bit, what the functions on rows say it is."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from imagelake.core import digest
from imagelake.core.digest_columns import annotation_hashes, geometry_column, hashes
from imagelake.geometry import run_lengths
from imagelake.quality.catalogue import WAITING
from imagelake.silver.image_frames import BatchRows
from imagelake.silver.pixels.pixel_columns import to_pixel_columns
from imagelake.silver.pixels.pixel_rows import ADDED, to_pixels
from imagelake.silver.upload.parsed_records import SCHEMA
from imagelake.silver.upload.space import ASSUMED, ORIENTED, RAW, SAME

OTHERS = pa.schema(
    [
        ("place", pa.int64()),
        ("image_key", pa.string()),
        ("orientation", pa.int32()),
        ("space", pa.string()),
        ("flags", pa.list_(pa.string())),
        ("_declared_width", pa.int32()),
        ("_declared_height", pa.int32()),
        ("_file", pa.string()),
        ("_by_stem", pa.bool_()),
        ("_absolute", pa.bool_()),
        ("_reject", pa.struct([("rule", pa.string()), ("message", pa.string())])),
    ]
)
COLUMNS = pa.schema([*SCHEMA, *OTHERS])
SHARES = st.sampled_from([0.0, -0.0, 0.1, 0.25, 0.5, 1.0])
PIXELS = SHARES | st.floats(-70, 70, allow_nan=False) | st.integers(-60, 60).map(float) | st.just(1e308)
TEXT = st.text(st.characters(codec="utf-8"), max_size=4)
BOX = st.lists(PIXELS, min_size=4, max_size=4)
POINTS = st.lists(PIXELS, min_size=3, max_size=7).flatmap(lambda xs: st.just([v for x in xs for v in (x, xs[0] - x)]))
FREE_POINTS = st.lists(PIXELS, min_size=6, max_size=12).map(lambda v: v[: len(v) // 2 * 2])
POLYGONS = st.lists(POINTS | FREE_POINTS, max_size=3)
MASK = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 40))
FLAGS = st.lists(st.sampled_from(["annotation.bbox_derived", "annotation.area_missing", "annotation.id_missing"]))
WARNINGS = FLAGS.map(lambda rules: rules[:3])
JSON = st.sampled_from([None, '{"a":1}', '{"b": 2, "a": "x"}', "{}"])


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    row = dict.fromkeys(COLUMNS.names)
    row |= {
        "image_key": draw(TEXT),
        "kind": draw(st.sampled_from(["box", "polygon", "rle", "class"])),
        "category": draw(st.none() | TEXT),
        "bbox": draw(st.none() | BOX),
        "unit": draw(st.booleans()),
        "space": draw(st.sampled_from([RAW, SAME, ASSUMED, ORIENTED, None])),
        "width": draw(st.integers(1, 60)),
        "height": draw(st.integers(1, 60)),
        "orientation": draw(st.integers(1, 8)),
        "area": draw(st.none() | st.sampled_from([-1.0, 0.0, 3.5, float("nan")])),
        "flags": draw(WARNINGS),
        "is_crowd": draw(st.none() | st.booleans()),
        "keypoints": draw(st.none() | st.lists(PIXELS, max_size=3)),
        "attributes": draw(JSON),
        "_file": "a.png",
    }
    outline = draw(st.sampled_from(["none", "none", "polygons", "polygons", "mask"]))
    if outline == "polygons":
        row["polygons"] = draw(POLYGONS)
    if outline == "mask":
        height, width, filled = draw(MASK)
        filled = min(filled, height * width)
        row |= {"rle_size": [height, width], "rle_counts": run_lengths.write_runs([filled, height * width - filled])}
    if draw(st.integers(0, 4)) == 0:
        rule = draw(st.sampled_from(["annotation.image_orphan", sorted(WAITING)[0]]))
        row["_reject"] = {"rule": rule, "message": "m"}
    return row


def batch(values: list[dict[str, Any]]) -> pa.RecordBatch:
    numbered = [{**row, "place": place} for place, row in enumerate(values)]
    return pa.RecordBatch.from_pylist(numbered, schema=COLUMNS)


@given(st.lists(rows(), max_size=6))
def test_a_batch_in_pixels_is_its_rows_in_pixels(values: list[dict[str, Any]]) -> None:
    made: dict[int, dict[str, Any]] = {}
    for part, columns in to_pixel_columns(batch(values)):
        table = pa.RecordBatch.from_arrays([columns[name] for name in ADDED.names], schema=ADDED)
        made.update(zip(part["place"].to_pylist(), table.to_pylist(), strict=True))
    expected = [pa.RecordBatch.from_pylist([dict(to_pixels(row))], schema=ADDED) for row in values]
    assert sorted(made) == list(range(len(values)))
    for place, row in enumerate(expected):
        assert repr(made[place]) == repr(row.to_pylist()[0]), values[
            place
        ]  # as text, for -0.0 is 0.0 and no NaN is NaN


@given(st.lists(rows(), max_size=6))
def test_hashes_of_columns_are_those_of_rows(values: list[dict[str, Any]]) -> None:
    boxed = [{**row, "bbox": row["bbox"] and dict(zip("xywh", row["bbox"], strict=True))} for row in values]
    names = (
        "image_key",
        "kind",
        "category",
        "polygons",
        "rle_size",
        "rle_counts",
        "keypoints",
        "is_crowd",
        "attributes",
    )
    columns = {name: pa.array([row[name] for row in boxed], COLUMNS.field(name).type) for name in names}
    columns["bbox"] = pa.array([row["bbox"] for row in boxed], ADDED.field("bbox").type)
    shapes = geometry_column(columns)
    assert shapes == [digest.geometry_bytes(row) for row in boxed]
    assert annotation_hashes(columns, shapes) == [digest.annotation_hash(row) for row in boxed]
    assert hashes(shapes) == [hashlib.sha256(digest.geometry_bytes(row)).digest() for row in boxed]


def test_a_row_of_a_batch_is_a_mapping_of_its_columns() -> None:
    (row,) = BatchRows(pa.RecordBatch.from_pydict({"a": [1], "b": ["x"]}))
    assert dict(row) == {"a": 1, "b": "x"}
    assert row.get("c", 7) == 7
