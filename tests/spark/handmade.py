"""Drafts written straight into silver: tests of publish need no upload, which takes seconds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.spark import helpers

from imagelake.core import digest
from imagelake.gold.plan import PublishRequest
from imagelake.runs import pipeline
from imagelake.runs.context import Context, RunReport
from imagelake.tables import bronze, gold, silver, upload_rows


@dataclass(frozen=True)
class Picture:
    """An image of a draft: its key, what its bytes are (the key by default), its uploaded split, its labels."""

    key: str
    data: str | None = None
    split: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()


def image_row(dataset: str, picture: Picture) -> dict[str, Any]:
    """The row of silver.images."""
    row = {
        "dataset": dataset,
        "image_key": picture.key,
        "content_hash": content_hash(picture),
        "media_type": "image/png",
        "length": 1,
        "width": 64,
        "height": 48,
        "orientation": 1,
        "split": picture.split,
        "labelled": ["box"],
        "attributes": json.dumps(picture.attributes, sort_keys=True) if picture.attributes else None,
        "flags": [],
    }
    return {**row, "row_hash": digest.image_hash(row)}


def content_hash(picture: Picture) -> str:
    """The sha256 of its bytes."""
    return hashlib.sha256((picture.data or picture.key).encode()).hexdigest()


def annotation_rows(dataset: str, picture: Picture) -> list[dict[str, Any]]:
    """Its rows of silver.annotations: a box a class."""
    rows = []
    for number, category in enumerate(picture.classes):
        row = {
            **dict.fromkeys(silver.ANNOTATIONS.names),
            "dataset": dataset,
            "annotation_key": f"{picture.key} {number}",
            "image_key": picture.key,
            "kind": "box",
            "category": category,
            "bbox": {"x": 1.0, "y": 1.0, "w": 2.0 + number, "h": 2.0},
            "is_crowd": False,
            "flags": [],
        }
        rows.append({**row, "row_hash": digest.annotation_hash(row)})
    return rows


def add(ctx: Context, dataset: str, pictures: Sequence[Picture], **upload: Any) -> int:
    """Add images to the draft as an upload that has been built would; its sequence."""
    images = [image_row(dataset, picture) for picture in pictures]
    annotations = [row for picture in pictures for row in annotation_rows(dataset, picture)]
    for spec, rows in ((silver.IMAGES, images), (silver.ANNOTATIONS, annotations)):
        if rows:
            ctx.tables.append(spec, ctx.tables.frame(spec, rows))
    return upload_row(ctx, dataset, images=len(images), annotations=len(annotations), **upload)


def upload_row(ctx: Context, dataset: str, *, images: int = 0, annotations: int = 0, **given: Any) -> int:
    """A row of bronze.uploads under the next sequence, built unless said otherwise; its sequence."""
    sequence = max((row["sequence"] for row in upload_rows.newest(ctx.tables, dataset)), default=0) + 1
    none = dict.fromkeys(("read", "accepted", "unchanged", "rejected", "ignored", "removed"), 0)
    row = {
        "dataset": dataset,
        "sequence": sequence,
        "upload_id": f"upload-{sequence}",
        "state": "built",
        "mode": "append",
        "source": f"file:///uploads/{sequence}.zip",
        "files": none,
        "images": {**none, "read": images, "accepted": images},
        "annotations": {**none, "read": annotations, "accepted": annotations},
        "at": ctx.clock(),
        **given,
    }
    ctx.tables.append(bronze.UPLOADS, ctx.tables.frame(bronze.UPLOADS, [row]))
    return sequence


def released(ctx: Context, dataset: str, **options: Any) -> RunReport:
    """The verb publish, as a run of its own."""
    return pipeline.publish_draft(helpers.again(ctx), PublishRequest(dataset, **options))


def version(ctx: Context, dataset: str, number: int, recipe: int = 1) -> dict[str, Any]:
    """The row of a version."""
    rows = ctx.tables.collect(gold.VERSIONS, dataset)
    return next(row for row in rows if (row["number"], row["recipe"]) == (number, recipe))


def splits(ctx: Context, dataset: str, recipe: int = 1) -> dict[str, str]:
    """Image key to the split it was last put into."""
    rows = sorted(ctx.tables.collect(gold.SPLIT_LOG, dataset), key=lambda row: int(row["added_in"]))
    return {row["image_key"]: row["split"] for row in rows if row["recipe"] == recipe}
