"""Every step at 10^4, 10^5 and 10^6 images: python -m benchmarks scale --small|--full [--folder FOLDER]."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.process import Used
from benchmarks.harness.steps import BOXES, Address, prepare, steps, uploads


def measure_all(folder: Path, counts: Sequence[int]) -> Iterator[Row]:
    """Each step at each number of images."""
    smallest: dict[str, Used] = {}
    for images in counts:
        base: Used | None = None
        for step, used in _measured(folder, images):
            first = smallest.setdefault(step, used)
            base = base or used
            growth = {"growth of CPU": f"{used.cpu / first.cpu:.1f}"} if images != counts[0] else {}
            yield Row(
                f"{step}, {images:,} images", used.cpu / base.cpu, "less", used.figures() | used.memory() | growth
            )


def _measured(folder: Path, images: int) -> Iterator[tuple[str, Used]]:
    """The steps in order; the first, a build with nothing to do, is the baseline."""
    path = folder / f"lake-{images}"
    shutil.rmtree(path, ignore_errors=True)
    lake, zips = Address(str(path)), uploads(folder, images)
    prepare(lake, zips)
    for step in steps(lake, zips):
        yield step.name, lake.measure(step.command)
    shutil.rmtree(path)


BENCHMARK = Benchmark(
    name="scale",
    measures=f"CPU seconds and peak memory of each step with {BOXES} boxes an image and 2 GB of Java heap.",
    baseline="a build with nothing to do, in the same lake.",
    runs="Once: a step takes minutes.",
    small=partial(measure_all, counts=(10_000,)),
    full=partial(measure_all, counts=(10_000, 100_000, 1_000_000)),
)
