"""Streams for PyTorch; imported only where a stream is asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info

from imagelake.client.data.order import Worker
from imagelake.client.data.protocols import ItemSource


class StreamDataset(IterableDataset):  # type: ignore[misc, unused-ignore]  # torch is not installed where types are checked
    """A stream as PyTorch's loaders take it: each worker yields its share of the items."""

    def __init__(self, stream: ItemSource) -> None:
        super().__init__()
        self.stream = stream

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        return self.stream.items(Worker() if info is None else Worker(info.id, info.num_workers))

    def __len__(self) -> int:
        return len(self.stream) - self.stream.start

    def state_dict(self) -> dict[str, Any]:
        """As Stream.state_dict."""
        return self.stream.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where a state says it stood."""
        self.stream = self.stream.resumed(state)
