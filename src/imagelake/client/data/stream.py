"""Samples one after the other in an order that can be repeated and resumed, read ahead.

    stream = train.stream(rank=0, world=8, batch=32, shuffle=True, seed=7)
    for epoch in range(10):
        for samples in stream.at_epoch(epoch): ...

Workers of a loader share the items of a rank: of W workers the first yields items 0, W, 2W, …, so that a loader that
takes from them in turn gives the same items in the same order, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from imagelake.client.data.order import Part, Worker, members, shuffled
from imagelake.client.data.protocols import SampleSet
from imagelake.errors import UsageError

if TYPE_CHECKING:
    from torch.utils.data import IterableDataset


@dataclass(frozen=True)
class Plan:
    """How samples are gone through: whose part, in batches of how many (None: one by one), shuffled by what."""

    part: Part = field(default_factory=Part)
    batch: int | None = None
    shuffle: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch is not None and self.batch < 1:
            raise UsageError(f"batch = {self.batch}", hint="at least 1, or None for one sample at a time")


@dataclass(frozen=True, eq=False)
class Stream:
    """An iterable over samples, or over lists of them where the plan has a batch; workers may pickle it.

    `epoch` decides the shuffle, `start` is the item that the next iteration begins with. All ranks have equally many
    items, unless the plan says `even="none"`.
    """

    samples: SampleSet
    plan: Plan
    epoch: int = 0
    start: int = 0
    progress: list[int] = field(default_factory=lambda: [0], repr=False)

    @cached_property
    def indexes(self) -> list[int]:
        """The samples of this part in the order of this epoch."""
        own = members(self.samples.hash_order, self.plan.part)
        return shuffled(own, self.plan.seed, self.epoch) if self.plan.shuffle else own

    def __len__(self) -> int:
        """How many items an epoch has, from its first."""
        return -(-len(self.indexes) // (self.plan.batch or 1))

    def __iter__(self) -> Iterator[Any]:
        """The items from `start` on."""
        return self.items(Worker())

    def at_epoch(self, epoch: int) -> Stream:
        """The same stream in another epoch, from its first item."""
        return Stream(self.samples, self.plan, epoch)

    def items(self, worker: Worker) -> Iterator[Any]:
        """The items that one of several workers yields: every `of`-th."""
        size = self.plan.batch or 1
        numbers = range(self.start + worker.number, len(self), worker.of)
        slices = [self.indexes[number * size : (number + 1) * size] for number in numbers]
        rest = self.samples.read([index for some in slices for index in some])
        for number, some in zip(numbers, slices, strict=True):
            item = [next(rest) for _ in some]
            self.progress[0] = number + 1
            yield item if self.plan.batch else item[0]

    def state_dict(self, items: int | None = None) -> dict[str, Any]:
        """Where the stream stands: after the item it has yielded last, or after so many items of the epoch.

        With workers the process that takes from them says how many it has taken.
        """
        return {**self._identity(), "epoch": self.epoch, "items": self.progress[0] if items is None else items}

    def resumed(self, state: Mapping[str, Any]) -> Stream:
        """The stream from where a state says it stood; UsageError for the state of other samples, or another plan."""
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise UsageError(
                    f"the state is of {name} = {state.get(name)!r}, this stream has {value!r}",
                    hint="load the same reference with the same plan",
                )
        start = int(state["items"])
        return Stream(self.samples, self.plan, int(state["epoch"]), start, [start])

    @property
    def padding(self) -> int:
        """How many samples are repeated, over all ranks, so that these have equally many; negative: left out."""
        return self.plan.part.padding(len(self.samples))

    @property
    def ref(self) -> str:
        """The reference that names the samples, this part of them and the seed; `load` takes it.

        UsageError for a part of samples that are a part already, which no reference names.
        """
        whole, part = self.plan.part.world == 1, self.samples.selection.part
        if not whole and part is not None:
            raise UsageError(f"part {self.plan.part} of part {part} has no reference", hint="divide all samples once")
        seed = self.plan.seed if self.plan.shuffle else None
        named = replace(self.samples.selection, part=part if whole else self.plan.part, seed=seed)
        return f"{self.samples.ref.partition('?')[0]}{named}"

    def torch(self) -> IterableDataset[Any]:
        """As PyTorch's IterableDataset, for `DataLoader(stream.torch(), batch_size=None, num_workers=…)`."""
        from imagelake.client.data.torch_dataset import StreamDataset

        return StreamDataset(self)

    def _identity(self) -> dict[str, Any]:
        plan, part = self.plan, self.plan.part
        return {
            "ref": self.samples.ref,
            "part": [part.rank, part.world, part.even],
            "batch": plan.batch,
            "shuffle": plan.shuffle,
            "seed": plan.seed,
        }
