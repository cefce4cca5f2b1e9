"""A large dataset with two versions, made without Spark: rows as a publish writes them, with their true digests.

Version 2 moves and relabels the boxes of a share of the images. Rows lie in their files in no order, as after a
shuffle. Bytes of images are not there: places name one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from imagelake.core import digest
from imagelake.tables import bronze, gold
from imagelake.tables.spec import TableSpec
from lake_tables import arrow_schema
from lakes import LakeMaker

DATASET, UPLOAD, CLASSES = "big", "u" * 64, 40
_IMAGES_AT_ONCE = 20_000
_Row = dict[str, Any]


@dataclass(frozen=True)
class Bulk:
    """Number of images, boxes an image, and every which image has other boxes in version 2."""

    images: int
    boxes: int
    changed_every: int


@dataclass
class _Sets:
    sets: dict[str, digest.SetDigest] = field(
        default_factory=lambda: {e: digest.SetDigest() for e in ("image", "annotation", "category", "split")}
    )

    def add(self, entity: str, hashes: list[bytes]) -> None:
        self.sets[entity] += digest.set_digest(hashes)

    def values(self) -> _Row:
        """What the version row says of them."""
        content = digest.content_digest(*(self.sets[e] for e in ("image", "annotation", "category")))
        counts = {f"{e}s": self.sets[e].count for e in ("image", "annotation")}
        counts["categories"] = self.sets["category"].count
        whole = digest.version_digest(content, self.sets["split"])
        return counts | {"content_digest": content, "digest": whole}


def make(root: Path, bulk: Bulk) -> Path:
    """The lake, unless it is there."""
    done = root / "done"
    if done.exists():
        return root
    maker = LakeMaker(root)
    first, second = _Sets(), _Sets()
    categories = [maker.draft(DATASET).category(f"class {n:02d}") for n in range(CLASSES)]
    for sets in (first, second):
        sets.add("category", [c["row_hash"] for c in categories])
    maker.keep(DATASET, [b"bytes"])
    place = maker.pending[bronze.BLOBS.name].pop()
    maker.deliver(DATASET, upload_id=UPLOAD, format="coco", source="file:///uploads/big.zip")
    stride = _coprime(bulk.images)
    for start in range(0, bulk.images, _IMAGES_AT_ONCE):
        numbers = [n * stride % bulk.images for n in range(start, min(start + _IMAGES_AT_ONCE, bulk.images))]
        _write_images(root, numbers, place, (first, second))
        _write_boxes(root, numbers, bulk, (first, second))
    for number, sets in ((1, first), (2, second)):
        maker.draft(DATASET).number = number - 1
        maker.publish(DATASET, publish_id=f"p{number}", last_sequence=1, **sets.values())
        maker.pending[gold.CATEGORY_LOG.name] = [
            row | {"publish_id": "p1"} for row in maker.pending[gold.CATEGORY_LOG.name] if row["added_in"] == 1
        ]
    maker.flush()
    done.touch()
    return root


def key(number: int) -> str:
    """The key of an image by its number."""
    return f"{number:08d}.jpg"


def _coprime(images: int) -> int:
    return next(step for step in (7919, 104_729, 1_299_709) if images % step)


def _write_images(root: Path, numbers: list[int], place: _Row, versions: tuple[_Sets, _Sets]) -> None:
    images, splits, blobs = [], [], []
    for n in numbers:
        row: _Row = {"dataset": DATASET, "image_key": key(n), "content_hash": hashlib.sha256(b"%d" % n).hexdigest()}
        row |= {"width": 640, "height": 480, "orientation": 1, "labelled": ["box"], "attributes": None}
        row |= {"media_type": "image/jpeg", "length": 1_000, "mode": "RGB", "frames": 1, "flags": []}
        images.append(row | {"upload_id": UPLOAD, "delivery": 1, "row_hash": digest.image_hash(row)})
        split = {"dataset": DATASET, "recipe": 1, "image_key": key(n), "group_key": row["content_hash"]}
        splits.append(split | {"split": ("train", "train", "train", "val", "test")[n % 5], "origin": "hashed"})
        blobs.append(place | {"content_hash": row["content_hash"]})
    for sets in versions:
        sets.add("image", [row["row_hash"] for row in images])
        sets.add("split", [digest.split_hash(row) for row in splits])
    _append(root, gold.IMAGE_LOG, _added(images, 1, "i"))
    _append(root, gold.SPLIT_LOG, _added(splits, 1, "s"))
    _append(root, bronze.BLOBS, blobs)


def _write_boxes(root: Path, numbers: list[int], bulk: Bulk, versions: tuple[_Sets, _Sets]) -> None:
    old = [_box(n, j, n * bulk.boxes + j) for n in numbers for j in range(bulk.boxes)]
    changed = [row for row in old if int(row["image_key"][:8]) % bulk.changed_every == 0]
    new = [_moved(row) for row in changed]
    first, second = versions
    hashes = [row["row_hash"] for row in old]
    first.add("annotation", hashes)
    gone = {row["row_hash"] for row in changed}
    second.add("annotation", [h for h in hashes if h not in gone] + [row["row_hash"] for row in new])
    _append(root, gold.ANNOTATION_LOG, rows := _added(old, 1, "a"))
    if changed:
        ids = [row["row_id"] for row in rows if row["row_hash"] in gone]
        ends = {"dataset": DATASET, "entity": "annotation", "removed_in": 2, "publish_id": "p2"}
        _append(root, gold.CLOSINGS, [ends | {"row_id": one} for one in ids])
        _append(root, gold.ANNOTATION_LOG, _added(new, 2, "b"))


def _box(image: int, index: int, source: int) -> _Row:
    seed = (source * 2_654_435_761) % 2**32
    box = {"x": float(seed % 600), "y": float(seed // 7 % 440), "w": float(8 + seed % 31), "h": float(8 + seed % 29)}
    row: _Row = {"dataset": DATASET, "image_key": key(image), "kind": "box", "category": f"class {seed % CLASSES:02d}"}
    row |= {"bbox": box, "polygons": None, "rle_size": None, "rle_counts": None, "keypoints": None}
    row |= {"is_crowd": False, "attributes": None, "area": box["w"] * box["h"], "box_space": "same", "flags": []}
    row |= {"source_id": str(source), "source_document": "train.json", "upload_id": UPLOAD, "delivery": 1}
    return row | _keys(row, index)


def _moved(row: _Row) -> _Row:
    number = int(row["category"][-2:])
    moved = row | {"bbox": row["bbox"] | {"x": row["bbox"]["x"] + 1}}
    if number % 2:
        moved["category"] = f"class {(number + 1) % CLASSES:02d}"
    return moved | _keys(moved, 9)


def _keys(row: _Row, index: int) -> _Row:
    found = digest.annotation_hash(row)
    return {"row_hash": found, "annotation_key": hashlib.sha256(found + bytes([index])).hexdigest()}


def _added(rows: list[_Row], number: int, mark: str) -> list[_Row]:
    stamp = {"added_in": number, "publish_id": f"p{number}"}
    return [row | stamp | {"row_id": _row_id(f"{mark}{row['image_key']}{row.get('annotation_key')}")} for row in rows]


def _row_id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _append(root: Path, spec: TableSpec, rows: list[_Row]) -> None:
    table = pa.Table.from_pylist([{c.name: r.get(c.name) for c in spec.columns} for r in rows], arrow_schema(spec))
    write_deltalake(str(root / spec.path), table, mode="append")
