"""An image with its annotations, as trainers and tools get it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imagelake.core import heif
from imagelake.errors import ConfigError
from imagelake.geometry.boxes import Box
from imagelake.geometry.orientation import Orientation

if TYPE_CHECKING:
    from PIL import Image

_METADATA = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
"""Where Pillow looks for an orientation."""


@dataclass(frozen=True)
class Annotation:
    """One annotation, in pixels of the sample's image from its top left corner.

    `bbox` is x, y, w, h; `class_index` the category's training index, None for a root category; `rle` is
    (height, width, COCO's compressed run lengths).
    """

    kind: str
    category: str | None
    class_index: int | None
    bbox: Box | None
    polygons: tuple[tuple[float, ...], ...] | None
    rle: tuple[int, int, str] | None
    keypoints: tuple[float, ...] | None
    area: float | None
    is_crowd: bool
    attributes: Mapping[str, Any]
    source_id: str | None


@dataclass(frozen=True)
class Sample:
    """An image: its bytes as they were delivered, and its annotations in the space of `image()`.

    `width` and `height` are those of `image()`; `labelled` names the kinds it was labelled for.
    """

    key: str
    bytes: bytes = field(repr=False)
    annotations: tuple[Annotation, ...]
    split: str | None
    width: int
    height: int
    labelled: tuple[str, ...]
    attributes: Mapping[str, Any]
    turn: Orientation
    oriented: bool

    def image(self) -> Image.Image:
        """The first frame, decoded by Pillow, in the mode it has: raw, or as it is shown when loaded `oriented`."""
        from PIL import Image, UnidentifiedImageError

        can_heif = heif.register()
        try:
            image = Image.open(io.BytesIO(self.bytes))
        except UnidentifiedImageError:
            if can_heif or heif.heif_type(self.bytes) not in ("image/heic", "image/heif"):
                raise
            raise ConfigError(f"{self.key} is HEIC, which Pillow alone cannot open", hint=heif.INSTALL) from None
        image.load()
        shown = image.format == "TIFF"  # Pillow turns TIFFs by itself while loading
        if shown == self.oriented:
            return image
        turned = (self.turn if self.oriented else self.turn.back).image(image)
        if self.oriented and self.turn.tag != 1:
            for key in _METADATA:  # turned now: nobody may turn it again
                turned.info.pop(key, None)
        return turned


def annotation(row: Mapping[str, Any], class_index: int | None) -> Annotation:
    """A row of silver or gold as trainers and tools see it, in pixels of the raw image."""
    box, size = row["bbox"], row["rle_size"]
    return Annotation(
        kind=row["kind"],
        category=row["category"],
        class_index=class_index,
        bbox=None if box is None else (box["x"], box["y"], box["w"], box["h"]),
        polygons=None if row["polygons"] is None else tuple(tuple(p) for p in row["polygons"]),
        rle=None if size is None else (size[0], size[1], row["rle_counts"]),
        keypoints=None if row["keypoints"] is None else tuple(row["keypoints"]),
        area=row["area"],
        is_crowd=bool(row["is_crowd"]),
        attributes=parse_object(row["attributes"]),
        source_id=row["source_id"],
    )


def parse_object(text: str | None) -> dict[str, Any]:
    """The attributes of a row, which are JSON there."""
    return dict(json.loads(text)) if text else {}
