"""What tests of drafts share: small COCO documents, and what a draft holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from imagelake.runs.context import Context
from imagelake.tables import silver
from imagelake.tables.spec import TableSpec

SIZE = (64, 48)


def coco(
    xs: Mapping[str, int | list[int] | None],
    *,
    size: tuple[int, int] = SIZE,
    width: float = 2,
    kind: str = "box",
    category: str = "cat",
) -> bytes:
    """A document with one label at each x of each image, so that the x tells which label it is; none for None.

    A negative x makes a label that is refused: a box without height, a polygon of two points.
    """
    annotations: list[dict[str, Any]] = []
    for number, places in enumerate(xs.values(), start=1):
        for x in [] if places is None else [places] if isinstance(places, int) else places:
            good = x >= 0
            box = [abs(x), 1, width, 2 if good else 0]
            outline = [[abs(x), 1, abs(x) + width, 1, abs(x), 3]] if good else [[1, 1, 2, 2]]
            shape = {"bbox": box} if kind == "box" else {"segmentation": outline}
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": 1, **shape})
    listed = [{"id": n, "file_name": f, "width": size[0], "height": size[1]} for n, f in enumerate(xs, start=1)]
    document = {"images": listed, "annotations": annotations, "categories": [{"id": 1, "name": category}]}
    return json.dumps(document).encode()


def rows(ctx: Context, spec: TableSpec, dataset: str = "pets") -> list[dict[str, Any]]:
    return sorted(ctx.tables.collect(spec, dataset), key=lambda row: str(row[spec.key[-1]]))


def images(ctx: Context, dataset: str = "pets") -> list[dict[str, Any]]:
    return rows(ctx, silver.IMAGES, dataset)


def annotations(ctx: Context, dataset: str = "pets") -> list[dict[str, Any]]:
    return rows(ctx, silver.ANNOTATIONS, dataset)


def boxes(ctx: Context, kind: str = "box", dataset: str = "pets") -> dict[str, list[float]]:
    """The x of each label of that kind, by image."""
    found: dict[str, list[float]] = {}
    for row in annotations(ctx, dataset):
        if row["kind"] == kind:
            found.setdefault(row["image_key"], []).append(row["bbox"]["x"])
    return {key: sorted(xs) for key, xs in sorted(found.items())}


def labelled(ctx: Context, dataset: str = "pets") -> dict[str, list[str]]:
    return {row["image_key"]: row["labelled"] for row in images(ctx, dataset)}


def flags(ctx: Context, flag: str, dataset: str = "pets") -> list[str]:
    """The images with that flag."""
    return [row["image_key"] for row in images(ctx, dataset) if flag in row["flags"]]


def rejections(ctx: Context, dataset: str = "pets") -> list[dict[str, Any]]:
    """The open ones."""
    return [row for row in rows(ctx, silver.REJECTIONS, dataset) if row["closed_at"] is None]


def open_rules(ctx: Context, dataset: str = "pets") -> dict[str, int]:
    return dict(Counter(row["rule"] for row in rejections(ctx, dataset)))
