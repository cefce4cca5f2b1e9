"""Samples as dictionaries of Arrow arrays, their images read when they are looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from imagelake.client.data.protocols import SampleSet
from imagelake.client.data.sample_tables import turned_boxes, turned_images
from imagelake.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL import Image


_SIDES = ("x", "y", "w", "h")


@dataclass(frozen=True, eq=False)
class LazyImages(Sequence["Image.Image"]):
    """The images of a batch: each is read and decoded when it is asked for."""

    samples: SampleSet
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...

    @overload
    def __getitem__(self, index: slice) -> list[Image.Image]: ...

    def __getitem__(self, index: int | slice) -> Image.Image | list[Image.Image]:
        numbers = range(self.start, self.end)[index]
        if isinstance(numbers, range):
            return [sample.image() for sample in self.samples.read(numbers)]
        return self.samples[numbers].image()

    def bytes(self) -> list[bytes]:
        """The images as they were uploaded."""
        return [bytes(data) for data in self.samples.read_bytes(range(self.start, self.end))]


def batches(samples: SampleSet, size: int) -> Iterator[dict[str, Any]]:
    """Batches of `size` samples, the last one smaller, as dictionaries; a value for each sample under each name.

    `keys` and `splits` are texts; `sizes` width and height of the image; `labelled` lists of kinds; `kinds`, `classes`
    (training indexes) and `boxes` (x, y, w, h in pixels of the image) lists of one value an annotation; `attributes` a
    struct with a field for each attribute that any sample has: numbers, truth values or texts, and JSON where its
    values are of several types or nested; `images` a sequence that reads when it is asked.
    """
    if size < 1:
        raise UsageError(f"batches of {size} samples", hint="at least 1")
    rows = turned_images(samples.rows) if samples.oriented else samples.rows
    features = _features(samples.rows["attributes"])
    for start in range(0, len(samples), size):
        end = min(start + size, len(samples))
        yield {
            "keys": _array(rows["image_key"].slice(start, end - start)),
            "splits": _array(rows["split"].slice(start, end - start)),
            "sizes": _sizes(rows.slice(start, end - start)),
            "labelled": _array(rows["labelled"].slice(start, end - start)),
            **_labels(samples, start, end),
            "attributes": features.slice(start, end - start),
            "images": LazyImages(samples, start, end),
        }


def _array(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return array.chunk(0) if hasattr(array, "chunk") else array


def _sizes(rows: pa.Table) -> pa.Array:
    import pyarrow as pa

    pairs = [value for row in zip(rows["width"].to_pylist(), rows["height"].to_pylist(), strict=True) for value in row]
    return pa.FixedSizeListArray.from_arrays(pa.array(pairs, pa.int32()), 2)


def _labels(samples: SampleSet, start: int, end: int) -> dict[str, pa.Array]:
    """Kinds, classes and boxes of the annotations of some samples, as lists."""
    import pyarrow as pa
    import pyarrow.compute as pc

    starts = samples.boxes.starts.slice(start, end - start + 1)
    first = starts[0].as_py()
    rows = samples.boxes.rows.slice(first, starts[len(starts) - 1].as_py() - first)
    offsets = pc.subtract(starts, first).cast(pa.int32())
    if samples.oriented:
        counts = pc.subtract(offsets[1:], offsets[:-1]).to_pylist()
        of = pa.chunked_array([pa.array([i for i, n in enumerate(counts) for _ in range(n)], pa.int32())])
        rows = turned_boxes(samples.rows.slice(start, end - start), rows, of)
    names = [None if name is None else samples.class_indexes.get(name) for name in rows["category"].to_pylist()]
    columns = {
        "kinds": _array(rows["kind"]).cast(pa.string()),
        "classes": pa.array(names, pa.int32()),
        "boxes": _boxes(rows["bbox"]),
    }
    return {name: pa.ListArray.from_arrays(offsets, column) for name, column in columns.items()}


def _boxes(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    boxes = [None if box is None else [box[side] for side in _SIDES] for box in column.to_pylist()]
    return pa.array(boxes, pa.list_(pa.float64(), 4))


def _features(column: pa.ChunkedArray) -> pa.StructArray:
    """The attributes of all samples as one struct, so that every batch has the same fields."""
    import pyarrow as pa

    objects: list[Mapping[str, Any]] = [json.loads(text) if text else {} for text in column.to_pylist()]
    names = sorted({name for each in objects for name in each})
    if not names:
        return pa.array([{}] * len(objects), pa.struct([]))
    return pa.StructArray.from_arrays([_feature([each.get(name) for each in objects]) for name in names], names)


def _feature(values: Sequence[Any]) -> pa.Array:
    """One attribute of all samples: as what it is, or as JSON where it is of several types."""
    import pyarrow as pa

    types = {type(value) for value in values if value is not None}
    if types in ({int}, {float}, {str}, {bool}):
        return pa.array(values)
    if types == {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else json.dumps(value, sort_keys=True) for value in values], pa.string())
