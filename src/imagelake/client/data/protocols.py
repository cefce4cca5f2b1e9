"""What reading, batches and loaders need of samples and streams: the seams between this package and its users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from imagelake.client.catalog import Target
from imagelake.client.data.box_rows import Boxes
from imagelake.client.data.order import Worker
from imagelake.client.data.sample import Sample
from imagelake.client.selection import Selection
from imagelake.storage.base import Storage

if TYPE_CHECKING:
    import pyarrow as pa


class SampleRows(Protocol):
    """The rows of samples, and where their bytes are; see imagelake.client.data.samples.Samples."""

    @property
    def rows(self) -> pa.Table:
        """A row a sample: keys, hashes, sizes, split."""
        ...

    @property
    def places(self) -> pa.Table:
        """Where the bytes of each sample are, and their CRC-32."""
        ...

    @property
    def storage(self) -> Storage:
        """The lake's storage."""
        ...

    @property
    def target(self) -> Target:
        """The version or draft."""
        ...

    def __len__(self) -> int: ...


class SampleSet(SampleRows, Protocol):
    """Samples as batches and streams use them."""

    @property
    def ref(self) -> str:
        """The reference that names exactly these samples."""
        ...

    @property
    def selection(self) -> Selection:
        """What the reference selects."""
        ...

    @property
    def oriented(self) -> bool:
        """Whether images and annotations are turned by EXIF."""
        ...

    @property
    def boxes(self) -> Boxes:
        """The annotations, in the order of the samples."""
        ...

    @property
    def class_indexes(self) -> Mapping[str, int]:
        """Training index by category."""
        ...

    @property
    def hash_order(self) -> list[int]:
        """The places of the samples in the order of their content hashes."""
        ...

    def __getitem__(self, index: int) -> Sample: ...

    def read(self, indexes: Sequence[int]) -> Iterator[Sample]:
        """The samples at these places, in this order."""
        ...

    def read_bytes(self, indexes: Sequence[int]) -> Iterator[bytes | memoryview]:
        """Their bytes alone."""
        ...

    def take(self, indexes: Sequence[int]) -> Self:
        """The samples at these places, as samples."""
        ...


class ItemSource(Protocol):
    """A stream as loaders use it."""

    @property
    def start(self) -> int:
        """The item that the next iteration begins with."""
        ...

    def __len__(self) -> int: ...

    def items(self, worker: Worker) -> Iterator[Any]:
        """The items that one of several workers yields."""
        ...

    def state_dict(self, items: int | None = None) -> dict[str, Any]:
        """Where it stands."""
        ...

    def resumed(self, state: Mapping[str, Any]) -> Self:
        """The stream from where a state says it stood."""
        ...
