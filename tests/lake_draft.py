"""A dataset's draft in memory: rows as the silver tables hold them, and the gold rows that live."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from imagelake.core import digest
from lake_tables import Row


@dataclass
class Draft:
    """What silver holds of a dataset, which gold rows live, and the split every image ever had in recipe 1."""

    dataset: str
    images: dict[str, Row] = field(default_factory=dict)
    annotations: dict[str, Row] = field(default_factory=dict)
    categories: dict[str, Row] = field(default_factory=dict)
    live: dict[str, dict[str, Row]] = field(default_factory=lambda: {"image": {}, "annotation": {}, "category": {}})
    splits: dict[int, dict[str, Row]] = field(default_factory=lambda: {1: {}})
    placed: dict[str, Row] = field(default_factory=dict)
    uploads: dict[int, Row] = field(default_factory=dict)
    deliveries: int = 0
    sequence: int = 0
    alias_sequence: int = 0
    number: int = 0
    fresh_uploads: list[str] = field(default_factory=list)

    def rows(self, entity: str) -> dict[str, Row]:
        """The draft's rows of an entity by key."""
        return {"image": self.images, "annotation": self.annotations, "category": self.categories}[entity]

    def image(self, key: str, content: bytes | None = None, **values: Any) -> Row:
        """Put an image into the draft; its bytes are not stored by this."""
        data = content if content is not None else f"{self.dataset}/{key}".encode()
        row: Row = {
            "dataset": self.dataset,
            "image_key": key,
            "content_hash": hashlib.sha256(data).hexdigest(),
            "media_type": "image/png",
            "length": len(data),
            "width": 64,
            "height": 48,
            "orientation": 1,
            "mode": "RGB",
            "frames": 1,
            "split": None,
            "labelled": ["box"],
            "attributes": None,
            **values,
        }
        row["row_hash"] = digest.image_hash(row)
        self.images[key] = row
        return row

    def box(self, image_key: str, category: str, bbox: Sequence[float] | None, **values: Any) -> Row:
        """Put an annotation into the draft, and its category when it is new."""
        row: Row = {
            "dataset": self.dataset,
            "image_key": image_key,
            "kind": "box",
            "category": category,
            "bbox": None if bbox is None else dict(zip("xywh", map(float, bbox), strict=True)),
            "box_space": "same",
            "polygons": None,
            "rle_size": None,
            "rle_counts": None,
            "area": None if bbox is None else float(bbox[2] * bbox[3]),
            "is_crowd": False,
            "keypoints": None,
            "attributes": None,
            **values,
        }
        row["row_hash"] = digest.annotation_hash(row)
        ordinal = next(i for i in itertools.count() if _annotation_key(row, i) not in self.annotations)
        row["annotation_key"] = _annotation_key(row, ordinal)
        self.annotations[row["annotation_key"]] = row
        if category not in self.categories:
            self.category(category)
        return row

    def category(self, name: str, **values: Any) -> Row:
        """Put a category into the draft."""
        known = self.categories
        row: Row = {"dataset": self.dataset, "name": name, "supercategory": None, "train_index": len(known), **values}
        row["row_hash"] = digest.category_hash(row)
        known[name] = row
        return row

    def drop_image(self, key: str) -> None:
        """Take an image and its annotations out of the draft."""
        del self.images[key]
        self.annotations = {k: r for k, r in self.annotations.items() if r["image_key"] != key}

    def drop_box(self, row: Row) -> None:
        """Take an annotation out of the draft."""
        del self.annotations[row["annotation_key"]]

    def placement(self) -> dict[str, Row]:
        """The split row of every image in recipe 1; images with the same bytes lie together.

        The last split of the smallest key that has one, else the uploaded one, else one by the bytes.
        """
        groups: dict[str, list[str]] = {}
        for key in sorted(self.images):
            groups.setdefault(self.images[key]["content_hash"], []).append(key)
        rows = {}
        for content_hash, keys in groups.items():
            draw = int(content_hash[:4], 16) / 0xFFFF
            choices = [(self.placed[k]["split"], "kept") for k in keys if k in self.placed]
            choices += [(self.images[k]["split"], "uploaded") for k in keys if self.images[k]["split"]]
            choices.append(("train" if draw < 0.8 else "val" if draw < 0.9 else "test", "hashed"))
            split, origin = choices[0]
            for key in keys:
                row = {"dataset": self.dataset, "recipe": 1, "image_key": key, "split": split}
                rows[key] = row | {"group_key": content_hash, "origin": origin}
        return rows

    def class_stats(self) -> dict[str, dict[str, int]]:
        """Category to its number of images and annotations."""
        images: dict[str, set[str]] = {name: set() for name in self.categories}
        counts = dict.fromkeys(self.categories, 0)
        for row in self.annotations.values():
            images[row["category"]].add(row["image_key"])
            counts[row["category"]] += 1
        return {name: {"images": len(images[name]), "annotations": counts[name]} for name in self.categories}

    def split_stats(self, recipe: int) -> dict[str, dict[str, int]]:
        """Split to its number of images and annotations."""
        stats: dict[str, dict[str, int]] = {}
        of_image = {k: r["split"] for k, r in self.splits[recipe].items()}
        for split in of_image.values():
            stats.setdefault(split, {"images": 0, "annotations": 0})["images"] += 1
        for row in self.annotations.values():
            stats[of_image[row["image_key"]]]["annotations"] += 1
        return stats


def _annotation_key(row: Row, ordinal: int) -> str:
    parts = f"{row['image_key']}\n{row['kind']}\n{row['category']}\n{ordinal}\n".encode()
    return hashlib.sha256(parts + digest.geometry_bytes(row)).hexdigest()
