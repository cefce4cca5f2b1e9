"""Small deliveries into large datasets: python -m benchmarks incremental --small|--full [--folder FOLDER].

The large lakes are made by ingest, build and publish; --folder keeps them, also for another commit: the measured runs
work on copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.harness.coco import Labels, relabelling, upload
from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.lakes import fresh_copy, size
from benchmarks.harness.process import RUNS, Used, imagelake, measure, middle

BOXES, DATASET = 5, "big"
NEW, RELABELLED = 10, 100


@dataclass(frozen=True)
class Measured:
    """The medians of a series of deliveries, and the bytes each wrote."""

    used: Used
    written: float


def measure_all(folder: Path, small: int, large: int, deliveries: int) -> Iterator[Row]:
    """Both kinds of delivery into a dataset of `small` and one of `large` images, so many times in a row."""
    kinds: dict[str, Callable[[Path, int, int], Path]] = {
        f"run of {NEW} new images": _new_images,
        f"relabelling of {RELABELLED} images": _relabelled,
    }
    measured = {}
    for images in (small, large):
        copy = fresh_copy(big_lake(folder, images), folder / "copy")
        for kind, make in kinds.items():
            measured[kind, images] = _series(copy, [make(folder, images, n) for n in range(deliveries)])
    for kind in kinds:
        base, after = measured[kind, small], measured[kind, large]
        for images in (small, large):
            one = measured[kind, images]
            figures = one.used.figures() | one.used.memory() | {"KB written": f"{one.written / 1000:,.0f}"}
            ratio = one.used.cpu / base.used.cpu
            yield Row(f"{kind} into {images:,}: CPU", ratio, "less", figures)
        yield Row(f"{kind} into {large:,}: wall", after.used.wall / base.used.wall, "less")
        yield Row(f"{kind} into {large:,}: bytes written", after.written / base.written, "less")


def big_lake(folder: Path, images: int) -> Path:
    """A lake with one published dataset, unless it is there."""
    lake, done = folder / f"lake-{images}", folder / f"lake-{images}.done"
    if not done.exists():
        first = upload(folder / f"first-{images}.zip", Labels(range(images), BOXES, 1))
        measure(imagelake("run", str(first), "--dataset", DATASET, "--lake", str(lake)))
        done.touch()
    return lake


def _new_images(folder: Path, images: int, number: int) -> Path:
    start = images + NEW * number
    return upload(folder / f"new-{images}-{number}.zip", Labels(range(start, start + NEW), BOXES, 2 + number))


def _relabelled(folder: Path, images: int, number: int) -> Path:
    step = images // RELABELLED
    some = range(number % step, images, step)[:RELABELLED]
    return relabelling(folder / f"labels-{images}-{number}.zip", Labels(some, BOXES, 1_000 + number))


def _series(lake: Path, uploads: list[Path]) -> Measured:
    before, several = size(lake), []
    for path in uploads:
        several.append(measure(imagelake("run", str(path), "--dataset", DATASET, "--lake", str(lake))))
    return Measured(middle(several), (size(lake) - before) / len(uploads))


BENCHMARK = Benchmark(
    name="incremental",
    measures=f"A run, publish included, of {NEW} new images and of labels for {RELABELLED}, into two datasets.",
    baseline="the same delivery into the smaller dataset.",
    runs=f"Medians of a series of deliveries one after the other: {RUNS} small, 10 full.",
    small=partial(measure_all, small=2_000, large=20_000, deliveries=RUNS),
    full=partial(measure_all, small=10_000, large=500_000, deliveries=10),
)
