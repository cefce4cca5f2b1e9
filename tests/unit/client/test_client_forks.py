"""A process that loads samples may fork workers: what it left of its tables does not harm them."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from imagelake.client.delta.tables import Tables
from pet_lake import Pets

SECONDS = 20


@contextmanager
def _left_to_the_collector() -> Iterator[None]:
    """Garbage stays where it is, as between two collections, until the fork has happened."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _answered(pets: Pets) -> Tables:
    tables = Tables(pets.lake.storage)
    tables.query("SELECT sum(i) FROM range(1000000) AS t(i)")
    return tables


def _half_read(pets: Pets) -> Iterator[object]:
    batches = Tables(pets.lake.storage).batches("SELECT i FROM range(10000000) AS t(i)")
    next(batches)
    return batches


@pytest.mark.parametrize("leave", [_answered, _half_read], ids=["answered", "half-read"])
def test_a_forked_worker_may_collect_what_its_parent_left(pets: Pets, leave: Callable[[Pets], object]) -> None:
    with _left_to_the_collector():
        for _ in range(5):
            ring: list[object] = [leave(pets)]
            ring.append(ring)
            del ring
            pid = os.fork()
            if pid == 0:
                signal.alarm(SECONDS)
                gc.collect()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
