"""Coordinates in pixels of the raw image, clipped box, area and hashes: one Python pass over a row.

The EXIF orientations are those of the EXIF 2.3 standard, tag 0x0112: `o` says how raw pixels are turned to be shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from imagelake import digest
from imagelake.boxes import Box, clip
from imagelake.formats import geometry
from imagelake.quality.catalogue import WAITING
from imagelake.silver.records import as_json
from imagelake.silver.space import ORIENTED, TURNS_SIDES

ADDED = (
    "bbox struct<x:double,y:double,w:double,h:double>, clipped struct<x:double,y:double,w:double,h:double>, "
    "polygons array<array<double>>, rle_size array<int>, rle_counts string, final_area double, "
    "row_hash binary, geometry_hash binary, record string"
)

Row = dict[str, Any]


def to_pixels(row: Row) -> Row:
    """The columns ADDED of a row. A row without image (already rejected) gets its box as it is, and no hashes."""
    if row["_reject"] is not None:
        return _untouched(row)
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
            size, counts = geometry.rle_to_raw(size, counts, row["orientation"])
    clipped = None if box is None else clip(box, row["width"], row["height"])
    out = {
        "bbox": _struct(box),
        "clipped": _struct(clipped),
        "polygons": polygons,
        "rle_size": size,
        "rle_counts": counts,
        "final_area": _area(row["area"], clipped, polygons, size, counts),
    }
    canonical = {**row, **out, "bbox": out["clipped"]}
    return {
        **out,
        "record": None,
        "row_hash": digest.annotation_hash(canonical),
        "geometry_hash": hashlib.sha256(digest.geometry_bytes(canonical)).digest(),
    }


def raw_points(points: Sequence[float], orientation: int, width: int, height: int) -> list[float]:
    """Points x1, y1, x2, y2, … of the shown image as points of the raw image of that width and height."""
    out: list[float] = []
    for x, y in zip(points[::2], points[1::2], strict=True):
        out.extend(_raw_point(x, y, orientation, width, height))
    return out


def raw_box(box: Box, orientation: int, width: int, height: int) -> Box:
    """A box of the shown image as a box of the raw image of that width and height."""
    x, y, w, h = box
    x1, y1, x2, y2 = raw_points((x, y, x + w, y + h), orientation, width, height)
    turned = (h, w) if orientation >= TURNS_SIDES else (w, h)
    return (min(x1, x2), min(y1, y2), *turned)


def _raw_point(x: float, y: float, orientation: int, width: int, height: int) -> tuple[float, float]:
    return {
        1: (x, y),
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (y, height - x),
        7: (width - y, height - x),
        8: (width - y, x),
    }[orientation]


def _untouched(row: Row) -> Row:
    box = _struct(None if row["bbox"] is None else tuple(row["bbox"]))
    kept = {name: row[name] for name in ("polygons", "rle_size", "rle_counts")}
    record = as_json(row | _of_image(row)) if row["_reject"]["rule"] in WAITING else None
    none = {"final_area": None, "row_hash": None, "geometry_hash": None}
    return {**kept, **none, "bbox": box, "clipped": box, "record": record}


def _of_image(row: Row) -> Row:
    """What the record of the image says, for an annotation that waits for it: it will be read without its document."""
    sizes = {side: row[f"_declared_{side}"] for side in ("width", "height")}
    return {**sizes, "file": row["_file"], "by_stem": row["_by_stem"], "absolute": row["_absolute"]}


def _shown_size(row: Row) -> tuple[int, int]:
    turned = row["orientation"] >= TURNS_SIDES
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
        return float(geometry.rle_area(rle_counts))
    if polygons:
        return float(sum(geometry.polygon_area(p) for p in polygons))
    return None if box is None else box[2] * box[3]
