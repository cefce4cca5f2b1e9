"""One writer a dataset: the lease every stage works under."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imagelake.runs.context import Context
from imagelake.storage.leases.lease import Lease, acquire


@contextmanager
def writing(ctx: Context, dataset: str) -> Iterator[Lease]:
    """Hold the dataset's lease; Locked when another writer has it for longer than the settings let us wait."""
    with acquire(ctx.storage, dataset, ctx.holder, ctx.settings.lease, ctx.clock) as lease:
        yield lease
