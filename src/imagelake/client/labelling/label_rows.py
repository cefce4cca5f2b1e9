"""Labels as rows of the draft would hold them, and what tells that they have changed: the etag."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from imagelake.client.labelling.label_check import Entry
from imagelake.client.labelling.saves import Save
from imagelake.core.digest import annotation_hash, canonical_json, set_digest
from imagelake.geometry.boxes import Box, clip
from imagelake.geometry.polygons import polygon_area
from imagelake.geometry.run_lengths import read_runs

Row = dict[str, Any]

COLUMNS = (
    "image_key",
    "kind",
    "category",
    "bbox",
    "polygons",
    "rle_size",
    "rle_counts",
    "keypoints",
    "area",
    "is_crowd",
    "attributes",
    "source_id",
    "delivery",
    "row_hash",
)
"""The columns of silver.annotations that labels are made of."""


def effective(rows: Sequence[Row], labelled: Sequence[str], save: Save | None) -> tuple[list[Row], tuple[str, ...]]:
    """Rows and labelled kinds of an image as they are once its waiting save is built."""
    if save is None:
        return list(rows), tuple(sorted(labelled))
    others = [row for row in rows if row["kind"] not in save.kinds]
    return [*others, *saved_rows(save)], tuple(sorted({*labelled, *save.kinds}))


def saved_rows(save: Save) -> list[Row]:
    """The rows the build makes of a save: boxes cut to the image, areas computed, hashes as in silver."""
    return [_row(entry, save) for entry in save.entries]


def etag_of(rows: Iterable[Mapping[str, Any]], labelled: Sequence[str]) -> str:
    """A hash of an image's labels: equal labels have equal ones, wherever and in whatever order they are kept."""
    data = b"imagelake/labels\n" + set_digest(row["row_hash"] for row in rows).to_bytes()
    return hashlib.sha256(data + "\n".join(sorted(labelled)).encode()).hexdigest()[:32]


def _row(entry: Entry, save: Save) -> Row:
    box = None if "bbox" not in entry else clip(tuple(entry["bbox"]), save.width, save.height)
    mask = entry.get("rle", {})
    row: Row = {
        "image_key": save.image_key,
        "kind": entry["kind"],
        "category": entry["category"],
        "bbox": None if box is None else dict(zip("xywh", box, strict=True)),
        "polygons": entry.get("polygons"),
        "rle_size": mask.get("size"),
        "rle_counts": mask.get("counts"),
        "keypoints": None,
        "area": _area(entry, box),
        "is_crowd": entry.get("is_crowd", False),
        "attributes": canonical_json(entry.get("attributes", {})),
        "source_id": entry.get("source_id"),
    }
    return {**row, "row_hash": annotation_hash(row)}


def _area(entry: Entry, box: Box | None) -> float | None:
    if "rle" in entry:
        return float(sum(read_runs(entry["rle"]["counts"])[1::2]))
    if "polygons" in entry:
        return float(sum(polygon_area(part) for part in entry["polygons"]))
    return None if box is None else box[2] * box[3]
