"""`rows.to_pixels` of a batch: rows that need no decision are computed as arrays, the others one by one.

Plain are boxes and polygons in the space of the raw image whose shapes are near their image. Both ways do the same
arithmetic in the same order: a bit of difference changes a row's hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from imagelake.core.digest_columns import annotation_hashes, geometry_column, hashes
from imagelake.geometry import crossings
from imagelake.geometry.polygons import polygon_area
from imagelake.quality.catalogue import FAR
from imagelake.silver.image_frames import BatchRows, Part, to_columns
from imagelake.silver.pixels.pixel_rows import ADDED, OFF_PIXELS, OFF_SHARE, to_pixels
from imagelake.silver.upload.space import ORIENTED

Array = Any


def to_pixel_columns(batch: pa.RecordBatch) -> Iterator[Part]:
    """The batch with the columns `rows.ADDED`, in two parts: plain rows, and the others."""
    plain = _is_plain(batch)
    with np.errstate(over="ignore", invalid="ignore"):  # as Python's floats do
        near, shapes = _near(batch.filter(plain))
        columns = _measured(near, shapes)
    if near.num_rows:
        yield near, columns
    odd = batch.filter(pc.invert(plain))
    for rows in (odd, shapes.far):
        if rows.num_rows:
            yield rows, to_columns(map(to_pixels, BatchRows(rows)), ADDED)


@dataclass(frozen=True)
class _Shapes:
    """Shapes of plain rows in raw pixels: box sides (rows, 4), and which rows have one; `points` of all polygons
    (points, 2), `parts`: points of each polygon, `polygons`: polygons of each row, 0 for none; `bounds` (rows, 4)
    around them. `far` are rows that turned out not to be plain."""

    boxes: Array
    has_box: Array
    points: Array
    parts: Array
    polygons: Array
    bounds: Array
    far: pa.RecordBatch


def _is_plain(batch: pa.RecordBatch) -> pa.Array:
    """Accepted rows in raw space without a mask, whose box and polygons have as many numbers as they should."""
    whole = pc.if_else(pc.is_null(batch["bbox"]), 4, pc.list_value_length(batch["bbox"]))
    tests = (
        pc.is_null(batch["_reject"]),
        pc.fill_null(pc.not_equal(batch["space"], ORIENTED), True),
        pc.is_null(batch["rle_size"]),
        pc.is_valid(batch["width"]),
        pc.is_valid(batch["height"]),
        pc.equal(whole, 4),
        _has_sound_polygons(batch["polygons"], batch["bbox"]),
    )
    plain = tests[0]
    for test in tests[1:]:
        plain = pc.and_(plain, test)
    return plain


def _has_sound_polygons(polygons: pa.ListArray, boxes: pa.ListArray) -> pa.Array:
    """Rows without polygons, or with a box and polygons that are all pairs of numbers."""
    if polygons.null_count == len(polygons):
        return pa.array(np.ones(len(polygons), bool))
    counts = _counts(polygons)
    sizes = _counts(polygons.flatten())
    rows = np.repeat(np.arange(len(counts)), counts)
    sound = np.asarray(boxes.is_valid().to_numpy(zero_copy_only=False)) & (counts > 0)
    sound[rows[(sizes == 0) | (sizes % 2 == 1)]] = False
    return pa.array(sound | polygons.is_null().to_numpy(zero_copy_only=False))


def _near(rows: pa.RecordBatch) -> tuple[pa.RecordBatch, _Shapes]:
    """The rows whose shapes are near their image, and the shapes of those."""
    shapes = _shapes(rows)
    size = _size(rows)
    has_polygons = shapes.polygons > 0
    far = has_polygons & (_is_off(shapes.boxes, size) | _is_off(shapes.bounds, size))
    if not far.any():
        return rows, shapes
    near = rows.filter(pa.array(~far))
    found = _shapes(near)
    return near, _Shapes(**{**vars(found), "far": rows.filter(pa.array(far))})


def _shapes(rows: pa.RecordBatch) -> _Shapes:
    scale = np.where(_flags(rows["unit"])[:, None], _size(rows), 1.0)
    has_box = rows["bbox"].is_valid().to_numpy(zero_copy_only=False)
    boxes = np.zeros((rows.num_rows, 4))
    boxes[has_box] = _numbers(rows["bbox"].flatten()).reshape(-1, 4)
    boxes *= np.tile(scale, 2)
    polygons = _counts(rows["polygons"])
    parts = rows["polygons"].flatten()
    points = _numbers(parts.flatten()).reshape(-1, 2)
    counts = _counts(parts) // 2
    row_points = np.bincount(np.repeat(np.arange(rows.num_rows), polygons), counts, rows.num_rows).astype(np.int64)
    points = points * np.repeat(scale, row_points, axis=0)
    return _Shapes(boxes, has_box, points, counts, polygons, _bounds(points, row_points), rows.slice(0, 0))


def _bounds(points: Array, counts: Array) -> Array:
    """The box x, y, w, h around the points of each row; zeros for a row without."""
    bounds = np.zeros((len(counts), 4))
    some = counts > 0
    if some.any():
        starts = (np.cumsum(counts) - counts)[some]
        least = np.minimum.reduceat(points, starts, axis=0)
        bounds[some] = np.hstack((least, np.maximum.reduceat(points, starts, axis=0) - least))
    return bounds


def _is_off(boxes: Array, size: Array) -> Array:
    """Whether a box shares no pixel with its image, or reaches further away than boxes may."""
    start, end = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    limit = FAR * size.max(axis=1, keepdims=True)
    is_far = ((np.abs(start) > limit) | (np.abs(end) > limit)).any(axis=1)
    outside = ((start >= size) | (end <= 0)).any(axis=1)
    off: Array = is_far | outside
    return off


def _measured(rows: pa.RecordBatch, shapes: _Shapes) -> dict[str, pa.Array]:
    """The columns `rows.ADDED` of plain rows."""
    clipped = _clipped(shapes.boxes, _size(rows))
    polygons = rows["polygons"]
    if pc.any(rows["unit"]).as_py():
        polygons = _scaled(polygons, shapes.points)
    nulls = {name: pa.nulls(rows.num_rows, _type(name)) for name in ("rle_size", "rle_counts", "as_box", "record")}
    columns = {
        **nulls,
        "bbox": _struct(shapes.boxes, shapes.has_box, _type("bbox")),
        "clipped": _struct(clipped, shapes.has_box, _type("clipped")),
        "polygons": polygons.cast(_type("polygons")),
        "final_area": _area(rows["area"], clipped, shapes, polygons),
        "flags": _with_odd_outlines(rows["flags"], shapes).cast(_type("flags")),
    }
    names = ("image_key", "kind", "category", "is_crowd", "keypoints", "attributes")
    label = {name: rows[name] for name in names}
    canonical = geometry_column({**label, **columns, "bbox": columns["clipped"]})
    columns["row_hash"] = pa.array(annotation_hashes(label, canonical), pa.binary())
    columns["geometry_hash"] = pa.array(hashes(canonical), pa.binary())
    return columns


def _clipped(boxes: Array, size: Array) -> Array:
    """`boxes.clip` of each box: the part inside its image."""
    start, sides = boxes[:, :2], boxes[:, 2:]
    first = np.where(start < 0.0, 0.0, start)
    end = start + sides
    inside = np.where(first == start, sides, end - first)
    return np.hstack((first, np.where(end > size, size - first, inside)))


def _scaled(polygons: pa.ListArray, points: Array) -> pa.ListArray:
    """The polygons with other points."""
    lengths = [0 if count is None else count for count in polygons.value_lengths().to_pylist()]
    parts = polygons.flatten()
    inner = pa.ListArray.from_arrays(_offsets(_counts(parts)), pa.array(points.reshape(-1)))
    return pa.ListArray.from_arrays(_offsets(lengths), inner, mask=polygons.is_null())


def _area(areas: pa.Array, clipped: Array, shapes: _Shapes, polygons: pa.ListArray) -> pa.Array:
    """The area as delivered when it is positive; else that of polygons or box."""
    delivered = _numbers(areas)
    positive = delivered > 0
    area = np.where(positive, delivered, clipped[:, 2] * clipped[:, 3])
    missing = ~positive & ~shapes.has_box
    for index in np.flatnonzero(~positive & (shapes.polygons > 0)).tolist():
        area[index] = float(sum(polygon_area(part) for part in polygons[index].as_py()))
    return pa.array(area, mask=missing)


def _with_odd_outlines(flags: pa.ListArray, shapes: _Shapes) -> pa.Array:
    """The flags of each row, sorted, and those that polygons break by themselves or beside their box."""
    has_polygons = shapes.polygons > 0
    disagrees = has_polygons & _disagree(shapes.boxes, shapes.bounds)
    crossed = np.zeros(len(flags), bool)
    rows = np.repeat(np.arange(len(flags)), shapes.polygons)
    crossed[rows[crossings.crossing(shapes.points, shapes.parts)]] = True
    several = _counts(flags) > 1
    changed = disagrees | crossed | several
    if not changed.any():
        return flags
    values = flags.to_pylist()
    for index in np.flatnonzero(changed).tolist():
        broken = (("annotation.box_disagrees", disagrees), ("annotation.self_intersecting", crossed))
        values[index] = sorted({*values[index], *(rule for rule, breaks in broken if breaks[index])})
    return pa.array(values, flags.type)


def _disagree(boxes: Array, bounds: Array) -> Array:
    """Whether an edge of a box is off that of its outline, by pixels and by a share of the box's side."""
    least = np.maximum(OFF_PIXELS, OFF_SHARE * boxes[:, 2:])
    start = np.abs(boxes[:, :2] - bounds[:, :2])
    end = np.abs((boxes[:, :2] + boxes[:, 2:]) - (bounds[:, :2] + bounds[:, 2:]))
    disagrees: Array = ((start > least) | (end > least)).any(axis=1)
    return disagrees


def _type(name: str) -> pa.DataType:
    return ADDED.field(name).type


def _struct(boxes: Array, has_box: Array, kind: pa.DataType) -> pa.StructArray:
    sides = [pa.array(np.ascontiguousarray(boxes[:, place])) for place in range(4)]
    return pa.StructArray.from_arrays(sides, fields=list(kind), mask=pa.array(~has_box))


def _size(rows: pa.RecordBatch) -> Array:
    """Width and height of each row's image."""
    sides = [rows[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in ("width", "height")]
    return np.stack(sides, axis=1)


def _flags(column: pa.Array) -> Array:
    return pc.fill_null(column, False).to_numpy(zero_copy_only=False)


def _numbers(column: pa.Array) -> Array:
    """float64, null as NaN; a copy that may be written to."""
    return np.array(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _counts(column: pa.ListArray) -> Array:
    """How many items each list has; 0 for null."""
    return pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)


def _offsets(counts: Array | Sequence[int]) -> pa.Array:
    return pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
