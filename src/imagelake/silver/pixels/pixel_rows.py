"""Coordinates in pixels of the raw image, clipped box, area and hashes: one Python pass over a row.

The EXIF orientations are those of the EXIF 2.3 standard, tag 0x0112: `o` says how raw pixels are turned to be shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from imagelake.core import digest
from imagelake.geometry import crossings, masks
from imagelake.geometry.boxes import Box, clip
from imagelake.geometry.orientation import EXCHANGING, raw_box, raw_points
from imagelake.geometry.polygons import polygon_area, polygon_bounds
from imagelake.quality.catalogue import FAR, WAITING
from imagelake.silver.upload.parsed_records import as_json
from imagelake.silver.upload.space import ORIENTED

_BOX = pa.struct([(side, pa.float64()) for side in "xywh"])
_HASHES = (("row_hash", pa.binary()), ("geometry_hash", pa.binary()))

ADDED = pa.schema(
    [
        ("bbox", _BOX),
        ("clipped", _BOX),
        ("polygons", pa.list_(pa.list_(pa.float64()))),
        ("rle_size", pa.list_(pa.int32())),
        ("rle_counts", pa.string()),
        ("final_area", pa.float64()),
        *_HASHES,
        ("as_box", pa.struct([("area", pa.float64()), *_HASHES])),
        ("flags", pa.list_(pa.string())),
        ("record", pa.string()),
    ]
)

OFF_PIXELS, OFF_SHARE = 2, 0.05
"""An edge of a box disagrees with its outline from so many pixels on, and from such a share of the box's side on."""

_OUTLINE = ("polygons", "rle_size", "rle_counts")
_LABEL = ("image_key", "kind", "category", "area", "is_crowd", "keypoints", "attributes")

Row = Mapping[str, Any]


def to_pixels(row: Row) -> Row:
    """The columns ADDED of a row. A row without image (already rejected) gets its box as it is, and no hashes.

    The box of an outline that is nowhere near the image is taken from the outline instead, and flagged. `as_box` is
    what the row is without its outline, where that may be refused and the row came with a box of its own.
    """
    if row["_reject"] is not None:
        return _untouched(row)
    shapes = _in_raw_pixels(row)
    box, flags, bounds = shapes["bbox"], row["flags"], _bounds(shapes)
    if bounds is not None and box is not None and _is_off(box, row):
        box, flags = bounds, sorted({*flags, "annotation.bbox_dropped"})
    flags = sorted({*flags, *_odd_outline(shapes, bounds, box)})
    clipped = None if box is None else clip(box, row["width"], row["height"])
    outline = {name: shapes[name] for name in _OUTLINE}
    whole = {"bbox": _struct(box), "clipped": _struct(clipped), **outline}
    label = {name: row[name] for name in _LABEL} | whole
    is_derived = bool({"annotation.bbox_derived", "annotation.bbox_dropped"}.intersection(flags))
    saves_box = not is_derived and _may_be_refused(shapes, bounds, row)
    as_box = {**label, **dict.fromkeys(_OUTLINE), "kind": "box"} if saves_box else None
    return {
        **whole,
        **_measured(label),
        "as_box": None if as_box is None else _renamed(_measured(as_box)),
        "flags": flags,
        "record": None,
    }


def _in_raw_pixels(row: Row) -> Row:
    """Box and outline in pixels of the raw image."""
    shown = _shown_size(row) if row["space"] == ORIENTED else (row["width"], row["height"])
    scale = shown if row["unit"] else (1, 1)
    box = _scaled_box(row["bbox"], scale)
    polygons = None if row["polygons"] is None else [_scaled(p, scale) for p in row["polygons"]]
    size, counts = row["rle_size"], row["rle_counts"]
    if row["space"] == ORIENTED:
        turn = (row["orientation"], row["width"], row["height"])
        box = None if box is None else raw_box(box, *turn)
        polygons = None if polygons is None else [raw_points(p, *turn) for p in polygons]
        if size is not None:
            size, counts = masks.rle_to_raw(size, counts, row["orientation"])
    return {"bbox": box, "polygons": polygons, "rle_size": size, "rle_counts": counts}


def _bounds(shapes: Row) -> Box | None:
    """The box around an outline; None where there is none, and of an empty mask."""
    if shapes["polygons"]:
        return polygon_bounds([value for polygon in shapes["polygons"] for value in polygon])
    if shapes["rle_size"] is not None:
        bounds = masks.rle_bounds(shapes["rle_counts"], *shapes["rle_size"])
        return bounds if bounds[2] > 0 else None
    return None


def _is_off(box: Box, row: Row) -> bool:
    """Whether a box shares no pixel with its image, or reaches further away than boxes may."""
    x, y, w, h = box
    limit = FAR * max(row["width"], row["height"])
    is_far = any(abs(edge) > limit for edge in (x, y, x + w, y + h))
    return is_far or x >= row["width"] or y >= row["height"] or x + w <= 0 or y + h <= 0


def _may_be_refused(shapes: Row, bounds: Box | None, row: Row) -> bool:
    """Whether polygons are nowhere near their image, or a mask is of another size."""
    if shapes["rle_size"] is not None:
        return list(shapes["rle_size"]) != [row["height"], row["width"]]
    return bounds is not None and _is_off(bounds, row)


def _odd_outline(shapes: Row, bounds: Box | None, box: Box | None) -> list[str]:
    """The rules that an outline breaks by itself, or beside its box; none of them refuses a row by default."""
    odd = ["annotation.box_disagrees"] if box is not None and bounds is not None and _disagree(box, bounds) else []
    if any(map(crossings.crosses_itself, shapes["polygons"] or ())):
        odd.append("annotation.self_intersecting")
    return odd


def _disagree(box: Box, bounds: Box) -> bool:
    """Whether an edge of a box is off that of its outline, by pixels and by a share of the box's side."""
    for place in (0, 1):
        least = max(OFF_PIXELS, OFF_SHARE * box[place + 2])
        ends = box[place] + box[place + 2], bounds[place] + bounds[place + 2]
        if abs(box[place] - bounds[place]) > least or abs(ends[0] - ends[1]) > least:
            return True
    return False


def _measured(row: Row) -> Row:
    """Area and hashes of a row with its shapes in raw pixels."""
    clipped = None if row["clipped"] is None else tuple(row["clipped"][side] for side in "xywh")
    canonical = {**row, "bbox": row["clipped"]}
    return {
        "final_area": _area(row["area"], clipped, row["polygons"], row["rle_size"], row["rle_counts"]),
        "row_hash": digest.annotation_hash(canonical),
        "geometry_hash": hashlib.sha256(digest.geometry_bytes(canonical)).digest(),
    }


def _renamed(measures: Row) -> Row:
    return {"area" if name == "final_area" else name: value for name, value in measures.items()}


def _untouched(row: Row) -> Row:
    box = _struct(None if row["bbox"] is None else tuple(row["bbox"]))
    kept = {name: row[name] for name in _OUTLINE}
    record = as_json({**row, **_of_image(row)}) if row["_reject"]["rule"] in WAITING else None
    none = dict.fromkeys(("final_area", "row_hash", "geometry_hash", "as_box"))
    return {**kept, **none, "bbox": box, "clipped": box, "flags": row["flags"], "record": record}


def _of_image(row: Row) -> Row:
    """What the record of the image says, for an annotation that waits for it: it will be read without its document."""
    sizes = {side: row[f"_declared_{side}"] for side in ("width", "height")}
    return {**sizes, "file": row["_file"], "by_stem": row["_by_stem"], "absolute": row["_absolute"]}


def _shown_size(row: Row) -> tuple[int, int]:
    turned = row["orientation"] >= EXCHANGING
    return (row["height"], row["width"]) if turned else (row["width"], row["height"])


def _scaled(points: Sequence[float], scale: tuple[int, int]) -> list[float]:
    return [v * scale[i % 2] for i, v in enumerate(points)]


def _scaled_box(box: Sequence[float] | None, scale: tuple[int, int]) -> Box | None:
    return None if box is None else (box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1])


def _struct(box: Box | None) -> dict[str, float] | None:
    return None if box is None else dict(zip("xywh", box, strict=True))


def _area(
    given: float | None,
    box: Box | None,
    polygons: Sequence[Sequence[float]] | None,
    rle_size: Sequence[int] | None,
    rle_counts: str | None,
) -> float | None:
    """The given area when it is positive; else that of mask, polygons or box."""
    if given is not None and given > 0:
        return given
    if rle_size is not None and rle_counts is not None:
        return float(masks.rle_area(rle_counts))
    if polygons:
        return float(sum(polygon_area(p) for p in polygons))
    return None if box is None else box[2] * box[3]
