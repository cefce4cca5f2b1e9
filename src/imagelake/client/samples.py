"""Images with their annotations, one by one: what a trainer iterates over."""

from __future__ import annotations

import io
import json
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from imagelake import heif
from imagelake.client.blobs import Blob, blobs, read_blob
from imagelake.client.boxes import Boxes
from imagelake.client.catalog import Target
from imagelake.client.sample_tables import (
    choose,
    turned_boxes,
    turned_images,
    turned_row,
    whole_annotations,
    whole_images,
)
from imagelake.client.tables import Tables
from imagelake.client.turn import Box, Turn
from imagelake.errors import ConfigError, IntegrityError, NotFound
from imagelake.storage.base import Storage
from imagelake.storage.places import Place

if TYPE_CHECKING:
    import pyarrow as pa
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
    turn: Turn
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
        if self.oriented and self.turn.orientation != 1:
            for key in _METADATA:  # turned now: nobody may turn it again
                turned.info.pop(key, None)
        return turned


@dataclass(frozen=True, eq=False)
class WholeTables:
    """Every column of samples' images and of their annotations, in the order of the samples."""

    images: pa.Table
    annotations: pa.Table


@dataclass(frozen=True, eq=False, repr=False)
class Samples:
    """A selection of a version as a map-style data set: `len`, `[i]`, iteration; workers may pickle it.

    `images` and `annotations` are Arrow tables in the order of the samples, in the space of their images; `classes`
    are category names by training index (None where an index names none). `ref` names exactly these samples.
    `unlabelled` counts selected images that nobody labelled: left out unless asked for.

    `rows`, `boxes` and `places` hold what samples are made of, and no more: both whole tables are read when they are
    first asked for. Those of a version never change; of a draft they are there from the beginning (`whole`).
    """

    ref: str
    class_indexes: Mapping[str, int]
    unlabelled: int
    oriented: bool
    rows: pa.Table
    boxes: Boxes
    places: pa.Table
    storage: Storage
    target: Target
    whole: WholeTables | None

    @property
    def classes(self) -> tuple[str | None, ...]:
        """Category names by training index."""
        names = {index: category for category, index in self.class_indexes.items()}
        return tuple(names.get(i) for i in range(max(names, default=-1) + 1))

    @cached_property
    def images(self) -> pa.Table:
        """Every column of the images, and `raw_width` and `raw_height`; `width` and `height` are those shown."""
        images = self.whole.images if self.whole else self._read_whole(whole_images, self.rows.num_rows)
        return turned_images(images) if self.oriented else images

    @cached_property
    def annotations(self) -> pa.Table:
        """Every column of the annotations, and `train_index`."""
        import pyarrow.compute as pc

        count = self.boxes.rows.num_rows
        boxes = self.whole.annotations if self.whole else self._read_whole(whole_annotations, count)
        if not self.oriented:
            return boxes
        of = pc.index_in(boxes.column("image_key"), value_set=self.rows.column("image_key"))
        return turned_boxes(self.rows, boxes, of)

    def _read_whole(self, read: Callable[[Tables, Target, str], pa.Table], count: int) -> pa.Table:
        tables = Tables(self.storage)
        table = read(tables, self.target, choose(tables, self.rows.column("image_key")))
        if table.num_rows != count:
            raise IntegrityError(f"{self.target.name}: {count} rows were loaded, now there are {table.num_rows}")
        return table

    def __repr__(self) -> str:
        """The reference and how many there are."""
        return f"<{len(self)} samples of {self.ref}>"

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        """The sample at a place; its bytes are read now. IntegrityError when they are not what was published."""
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        i %= len(self)
        row: dict[str, Any] = self.rows.slice(i, 1).to_pylist()[0]
        start, end = self.boxes.starts[i].as_py(), self.boxes.starts[i + 1].as_py()
        boxes = self.boxes.rows.slice(start, end - start).to_pylist()
        turn = Turn(row["orientation"] or 1, row["width"], row["height"])
        is_turned = self.oriented and turn.orientation > 1
        width, height = turn.size if is_turned else (turn.width, turn.height)
        if is_turned:
            boxes = [turned_row(box, turn) for box in boxes]
        return Sample(
            key=row["image_key"],
            bytes=self._read(i, row["content_hash"]),
            annotations=tuple(annotation(b, self.class_indexes.get(b["category"])) for b in boxes),
            split=row["split"],
            width=width,
            height=height,
            labelled=tuple(row["labelled"] or ()),
            attributes=_object(row["attributes"]),
            turn=turn,
            oriented=self.oriented,
        )

    def _read(self, i: int, content_hash: str) -> bytes:
        place: dict[str, Any] = self.places.slice(i, 1).to_pylist()[0]
        crc32 = place.pop("crc32")
        try:
            return read_blob(self.storage, content_hash, (Blob(Place(**place), crc32),))
        except NotFound:
            # bytes may move while a training runs: look again where they are
            dataset = self.ref.partition("@")[0]
            found = blobs(Tables(self.storage), dataset, (content_hash,))
            return read_blob(self.storage, content_hash, found.get(content_hash, ()))


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
        attributes=_object(row["attributes"]),
        source_id=row["source_id"],
    )


def _object(text: str | None) -> dict[str, Any]:
    return dict(json.loads(text)) if text else {}
