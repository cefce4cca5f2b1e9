"""The images of a selection with their annotations, some thousand at a time as Python objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagelake.client.data.sample import Annotation, annotation
from imagelake.client.data.sample_tables import turned_row
from imagelake.client.sql_text import Row
from imagelake.geometry.orientation import Orientation

if TYPE_CHECKING:
    from imagelake.client.data.samples import Samples
    from imagelake.exports.folder import Folder

_AT_ONCE = 1000


@dataclass(frozen=True)
class Entry:
    """An image with its annotations in key order, in the space of its samples.

    `width` and `height` are those of that space in pixels; `orientation` is the EXIF tag 0x0112, 1 where there is none.
    """

    index: int
    key: str
    content_hash: str
    split: str | None
    width: int
    height: int
    orientation: int
    labelled: tuple[str, ...]
    attributes: Mapping[str, Any]
    annotations: tuple[Annotation, ...]


def entries(samples: Samples) -> Iterator[Entry]:
    """Every image in the order of the samples."""
    for start in range(0, len(samples), _AT_ONCE):
        yield from _entries(samples, start, min(_AT_ONCE, len(samples) - start))


def entry(samples: Samples, index: int) -> Entry:
    """The image at an index: for formats with an order of their own."""
    return next(_entries(samples, index, 1))


def note_space(samples: Samples, folder: Folder) -> None:
    """Say in which space sizes and coordinates are, when EXIF turns some image."""
    import pyarrow.compute as pc

    turned = pc.sum(pc.greater(samples.rows.column("orientation"), 1), min_count=0).as_py()
    if turned and samples.oriented:
        folder.note(f"EXIF turns {turned} images: sizes and coordinates are those of the image as it is shown")
    elif turned:
        folder.note(f"EXIF turns {turned} images: sizes and coordinates are those of the stored pixels, not turned")


def note_renamed(folder: Folder, keys: Sequence[str], names: Sequence[str]) -> None:
    """Say how many images have another name than their key: they collide with others on some disk, or no disk can."""
    renamed = [key for key, name in zip(keys, names, strict=True) if key != name]
    if renamed:
        folder.note(f"{len(renamed)} images have another file name than their key, for example {renamed[0]!r}")


def _entries(samples: Samples, start: int, length: int) -> Iterator[Entry]:
    rows = samples.rows.slice(start, length).to_pylist()
    starts = samples.boxes.starts.slice(start, length + 1).to_pylist()
    boxes = samples.boxes.rows.slice(starts[0], starts[-1] - starts[0]).to_pylist()
    for place, row in enumerate(rows):
        own = boxes[starts[place] - starts[0] : starts[place + 1] - starts[0]]
        yield _entry(samples, start + place, row, own)


def _entry(samples: Samples, index: int, row: Row, boxes: list[Row]) -> Entry:
    turn = Orientation(row["orientation"] or 1, row["width"], row["height"])
    width, height = turn.width, turn.height
    if samples.oriented and turn.tag > 1:
        width, height = turn.size
        boxes = [turned_row(box, turn) for box in boxes]
    return Entry(
        index=index,
        key=row["image_key"],
        content_hash=row["content_hash"],
        split=row["split"],
        width=width,
        height=height,
        orientation=turn.tag,
        labelled=tuple(row["labelled"] or ()),
        attributes=json.loads(row["attributes"]) if row["attributes"] else {},
        annotations=tuple(annotation(box, samples.class_indexes.get(box["category"])) for box in boxes),
    )
