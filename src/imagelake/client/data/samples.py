"""Images with their annotations, one by one: what a trainer iterates over."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from imagelake.client.catalog import Target
from imagelake.client.data.box_rows import Boxes, starts_of
from imagelake.client.data.order import Even, Part, hash_order, members
from imagelake.client.data.sample import Sample, annotation, parse_object
from imagelake.client.data.sample_tables import (
    choose,
    turned_boxes,
    turned_images,
    turned_row,
    whole_annotations,
    whole_images,
)
from imagelake.client.delta.arrow_columns import integers, one_array
from imagelake.client.delta.tables import Tables
from imagelake.client.selection import Selection
from imagelake.errors import IntegrityError
from imagelake.geometry.orientation import Orientation
from imagelake.storage.base import Storage

if TYPE_CHECKING:
    import pyarrow as pa

    from imagelake.client.data.read.sample_reader import SampleReader
    from imagelake.client.data.stream import Stream


@dataclass(frozen=True, eq=False)
class WholeTables:
    """Every column of samples' images and of their annotations, in the order of the samples."""

    images: pa.Table
    annotations: pa.Table

    def take(self, rows: pa.Table, chosen: pa.Table) -> WholeTables:
        """Those of chosen images, in their order, as often as they are chosen; `rows`: the images of these tables."""
        import pyarrow as pa
        import pyarrow.compute as pc

        at = pc.index_in(chosen["image_key"], value_set=self.images["image_key"])
        of = pc.index_in(self.annotations["image_key"], value_set=rows["image_key"])
        order = pc.sort_indices(of)
        boxes = Boxes(self.annotations.take(order), starts_of(of.take(order), rows.num_rows))
        numbers = pc.index_in(chosen["image_key"], value_set=rows["image_key"]).cast(pa.int64())
        return WholeTables(self.images.take(at), boxes.take(one_array(numbers)).rows)


_ROWS = 256
"""Samples whose rows become Python objects at a time."""


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
    selection: Selection

    @property
    def classes(self) -> tuple[str | None, ...]:
        """Category names by training index."""
        names = {index: category for category, index in self.class_indexes.items()}
        return tuple(names.get(i) for i in range(max(names, default=-1) + 1))

    @cached_property
    def images(self) -> pa.Table:
        """Every column of the images, and `raw_width` and `raw_height`; `width` and `height` are those shown."""
        images = self._whole_tables.images
        return turned_images(images) if self.oriented else images

    @cached_property
    def annotations(self) -> pa.Table:
        """Every column of the annotations, and `train_index`."""
        import pyarrow.compute as pc

        boxes = self._whole_tables.annotations
        if not self.oriented:
            return boxes
        of = pc.index_in(boxes.column("image_key"), value_set=self.rows.column("image_key"))
        return turned_boxes(self.rows, boxes, of)

    @cached_property
    def _whole_tables(self) -> WholeTables:
        if self.whole is not None:
            return self.whole
        import pyarrow.compute as pc

        tables = Tables(self.storage)
        keys = pc.unique(self.rows["image_key"])
        chosen = choose(tables, keys)
        images = whole_images(tables, self.target, chosen)
        self._check_count(len(keys), images.num_rows)
        whole = WholeTables(images, whole_annotations(tables, self.target, chosen))
        if not images["image_key"].equals(self.rows["image_key"]):
            whole = whole.take(images, self.rows)
        self._check_count(self.boxes.rows.num_rows, whole.annotations.num_rows)
        return whole

    def _check_count(self, loaded: int, count: int) -> None:
        if loaded != count:
            raise IntegrityError(f"{self.target.name}: {loaded} rows were loaded, now there are {count}")

    def __repr__(self) -> str:
        """The reference, how many there are, and how many images are left out because nobody labelled them."""
        left_out = 0 if self.selection.unlabelled else self.unlabelled
        without = f", {left_out} unlabelled images left out" if left_out else ""
        return f"<{len(self)} samples of {self.ref}{without}>"

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def __iter__(self) -> Iterator[Sample]:
        return self.read(range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Samples: ...

    def __getitem__(self, index: int | slice) -> Sample | Samples:
        """The sample at a place, its bytes read now; of a slice the samples there, as `take` gives them.

        IntegrityError when the bytes are not what was published.
        """
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        i %= len(self)
        return self._sample(i, self.rows.slice(i, 1).to_pylist()[0], bytes(self._reader.read(i)))

    def read(self, indexes: Sequence[int]) -> Iterator[Sample]:
        """The samples at these places, in this order; what comes next is fetched meanwhile."""
        import pyarrow as pa

        contents = self._reader.read_all(indexes)
        for start in range(0, len(indexes), _ROWS):
            some = indexes[start : start + _ROWS]
            rows = self.rows.take(integers(some, pa.int64())).to_pylist()
            for index, row in zip(some, rows, strict=True):
                yield self._sample(index, row, bytes(next(contents)))

    def read_bytes(self, indexes: Sequence[int]) -> Iterator[bytes | memoryview]:
        """The bytes alone of the samples at these places, as views where they lie in a file; as `read`."""
        return self._reader.read_all(indexes)

    def take(self, indexes: Sequence[int]) -> Samples:
        """The samples at these places, in this order; one may be named more than once. `ref` stays that of all."""
        import pyarrow as pa

        chosen = integers(indexes, pa.int64())
        return replace(
            self,
            rows=self.rows.take(chosen),
            boxes=self.boxes.take(chosen),
            places=self.places.take(chosen),
            whole=None if self.whole is None else self.whole.take(self.rows, self.rows.take(chosen)),
        )

    def part(self, rank: int, world: int, even: Even = "pad") -> Samples:
        """One of `world` parts, in the order of content hashes; `ref` names it.

        The parts are equally long: pad repeats samples, drop leaves some out; none leaves them uneven.
        """
        part = Part(rank, world, even)
        indexes = members(self.hash_order, part)
        selection = replace(self.selection, part=part)
        return replace(self.take(indexes), selection=selection, ref=f"{self.ref.partition('?')[0]}{selection}")

    def stream(
        self,
        *,
        rank: int = 0,
        world: int = 1,
        even: Even = "pad",
        batch: int | None = None,
        shuffle: bool = False,
        seed: int | None = None,
    ) -> Stream:
        """An iterable over the samples of a rank, in an order that can be repeated and resumed, read ahead.

        `seed` is that of the reference by default, or 0.
        """
        from imagelake.client.data.stream import Plan, Stream

        chosen = self.selection.seed if seed is None else seed
        return Stream(self, Plan(Part(rank, world, even), batch, shuffle, chosen or 0))

    @cached_property
    def hash_order(self) -> list[int]:
        """The places of the samples in the order of their content hashes."""
        return hash_order(self.rows)

    def batches(self, size: int) -> Iterator[dict[str, Any]]:
        """Batches of so many samples as dictionaries of Arrow arrays; see imagelake.client.data.batches."""
        from imagelake.client.data.batches import batches

        return batches(self, size)

    def ray_source(self, batch_size: int) -> Any:
        """A Datasource for `ray.data.read_datasource`; see imagelake.client.data.ray_samples."""
        from imagelake.client.data.ray_samples import ray_source

        return ray_source(self, batch_size)

    @property
    def _reader(self) -> SampleReader:
        """Made when first needed, in every process anew."""
        from imagelake.client.data.read.object_cache import Cache
        from imagelake.client.data.read.sample_reader import SampleReader

        reader: SampleReader | None = self.__dict__.get("_open_reader")
        if reader is None or reader.pid != os.getpid():
            reader = self.__dict__["_open_reader"] = SampleReader(self, Cache.of_user())
        return reader

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_open_reader"}

    def _sample(self, i: int, row: Mapping[str, Any], data: bytes) -> Sample:
        start, end = self.boxes.starts[i].as_py(), self.boxes.starts[i + 1].as_py()
        boxes = self.boxes.rows.slice(start, end - start).to_pylist()
        turn = Orientation(row["orientation"] or 1, row["width"], row["height"])
        is_turned = self.oriented and turn.tag > 1
        width, height = turn.size if is_turned else (turn.width, turn.height)
        if is_turned:
            boxes = [turned_row(box, turn) for box in boxes]
        return Sample(
            key=row["image_key"],
            bytes=data,
            annotations=tuple(annotation(b, self.class_indexes.get(b["category"])) for b in boxes),
            split=row["split"],
            width=width,
            height=height,
            labelled=tuple(row["labelled"] or ()),
            attributes=parse_object(row["attributes"]),
            turn=turn,
            oriented=self.oriented,
        )
