"""Which samples a rank gets, and in which order: the same on every machine, wherever the bytes lie.

Samples stand in the order of their content hashes, as members of packages do. A rank's part is a run of them, so that
few packages belong to two ranks, and any run is a random sample of the classes. A shuffle permutes runs of RUN samples,
and the samples within a few runs: what is read next lies close together, and no run stands where it stood.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from imagelake.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

Even = Literal["pad", "drop", "none"]
"""How parts become equally long: samples repeated, samples left out, or not at all."""

RUN = 512
"""Samples that stay together in a shuffle."""
POOL = 16
"""Runs whose samples are mixed."""


@dataclass(frozen=True)
class Part:
    """One of `world` parts of the samples; `even` says how they become equally long.

    Unequal ranks make distributed training wait for ever at the end of an epoch.
    """

    rank: int = 0
    world: int = 1
    even: Even = "pad"

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise UsageError(f"part {self.rank} of {self.world}", hint="ranks count from 0 to world - 1")
        if self.even not in ("pad", "drop", "none"):
            raise UsageError(f"even = {self.even!r}", hint="pad, drop or none")

    def __str__(self) -> str:
        """rank/world, and how it becomes even unless by padding: as in a reference."""
        return f"{self.rank}/{self.world}" + ("" if self.even == "pad" else f"/{self.even}")

    def bounds(self, count: int) -> tuple[int, int]:
        """First position and end of the part among `count` samples; beyond `count` they begin again from the first."""
        if self.even == "none":
            return count * self.rank // self.world, count * (self.rank + 1) // self.world
        size = count // self.world if self.even == "drop" else -(-count // self.world)
        return self.rank * size, (self.rank + 1) * size

    def padding(self, count: int) -> int:
        """How many of `count` samples are repeated over all parts; negative: how many are left out."""
        if self.even == "none":
            return 0
        start, end = self.bounds(count)
        return (end - start) * self.world - count


@dataclass(frozen=True)
class Worker:
    """One of the processes that share a rank's items."""

    number: int = 0
    of: int = 1


def parse_part(text: str) -> Part:
    """A part as a reference has it: 0/8, or 0/8/drop. UsageError otherwise."""
    rank, _, rest = text.partition("/")
    world, _, even = rest.partition("/")
    if not (rank.isdecimal() and world.isdecimal()):
        raise UsageError(f"part {text!r}", hint="0/8 is the first of eight parts; 0/8/drop and 0/8/none do not pad")
    return Part(int(rank), int(world), even or "pad")  # type: ignore[arg-type]  # checked by Part


def hash_order(rows: pa.Table) -> list[int]:
    """The indexes of samples in the order of their content hashes, those of equal bytes in key order."""
    import pyarrow.compute as pc

    order = pc.sort_indices(
        rows.select(["content_hash", "image_key"]),
        sort_keys=[("content_hash", "ascending"), ("image_key", "ascending")],
    )
    return list(order.to_pylist())


def members(order: Sequence[int], part: Part) -> list[int]:
    """The samples of a part, in this order."""
    start, end = part.bounds(len(order))
    return [order[position % len(order)] for position in range(start, end)] if order else []


def shuffled(order: Sequence[int], seed: int, epoch: int) -> list[int]:
    """The samples in another order, which seed and epoch decide."""
    chance = random.Random(f"imagelake/shuffle/{seed}/{epoch}")  # noqa: S311  not a secret
    shift = chance.randrange(RUN)  # runs begin elsewhere in each epoch
    cuts = [0, *range(shift or RUN, len(order), RUN), len(order)]
    runs = [order[start:end] for start, end in pairwise(cuts)]
    _mix(runs, chance)
    result: list[int] = []
    for first in range(0, len(runs), POOL):
        pool = [index for run in runs[first : first + POOL] for index in run]
        _mix(pool, chance)
        result += pool
    return result


def _mix(items: list[Any], chance: random.Random) -> None:
    """Put items in another order; `random` is the one method whose values no later Python changes."""
    keys = [chance.random() for _ in items]
    items[:] = [item for _, item in sorted(zip(keys, items, strict=True), key=lambda pair: pair[0])]
