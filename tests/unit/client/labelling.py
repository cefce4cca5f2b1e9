"""Short words for labelling the draft of the pets, and for looking at what came of it."""

from __future__ import annotations

from typing import Any

from imagelake.client.labelling.label_pages import PageImage
from imagelake.client.lake import Lake
from imagelake.storage.label_paths import folder_of

REF = "pets@draft"
CAT = {"kind": "box", "category": "cat", "bbox": [1.0, 1.0, 3.0, 2.0]}
DOG = {"kind": "box", "category": "dog", "bbox": [0.0, 0.0, 8.0, 6.0]}


def image(lake: Lake, key: str = "a.png") -> PageImage:
    return next(i for i in lake.images(REF).images if i.key == key)


def put(lake: Lake, annotations: Any, by: str = "ann", key: str = "a.png", **options: Any) -> str:
    base = options.pop("base", None) or image(lake, key).etag
    return lake.save_labels(REF, key, annotations, by, base=base, **options)


def boxes(found: PageImage) -> list[tuple[str | None, Any]]:
    return sorted((a.category, a.bbox) for a in found.labels)


def files(lake: Lake, key: str = "a.png") -> list[str]:
    return [s.path for s in lake.storage.list(folder_of("pets", key))]
