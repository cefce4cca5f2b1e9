"""Every step at 10^4, 10^5 and 10^6 images: python -m benchmarks scale --small|--full [--folder FOLDER]."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.harness.coco import Labels, upload
from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.process import Used, imagelake, measure

BOXES, NEW, DATASET = 5, 10, "big"
HEAP = ("--set", "spark.driver_memory=2g")
LOAD = "import sys, imagelake; s = imagelake.open(sys.argv[1]).load(sys.argv[2]); assert len(s) == int(sys.argv[3])"


def measure_all(folder: Path, counts: Sequence[int]) -> Iterator[Row]:
    """Each step at each number of images."""
    smallest: dict[str, Used] = {}
    for images in counts:
        base: Used | None = None
        for step, used in _steps(folder, images):
            first = smallest.setdefault(step, used)
            base = base or used
            growth = {"growth of CPU": f"{used.cpu / first.cpu:.1f}"} if images != counts[0] else {}
            yield Row(
                f"{step}, {images:,} images", used.cpu / base.cpu, "less", used.figures() | used.memory() | growth
            )


def _steps(folder: Path, images: int) -> Iterator[tuple[str, Used]]:
    """The steps in order; the first, a build with nothing to do, is the baseline."""
    lake = folder / f"lake-{images}"
    shutil.rmtree(lake, ignore_errors=True)
    at = ("--lake", str(lake))
    tiny = upload(folder / "tiny.zip", Labels(range(2), BOXES, 0))
    measure(imagelake("ingest", str(tiny), "--dataset", "tiny", *at))
    measure(imagelake("build", "tiny", *at, *HEAP))
    yield "empty build", measure(imagelake("build", "tiny", *at, *HEAP))
    whole = upload(folder / f"first-{images}.zip", Labels(range(images), BOXES, 1))
    yield "ingest", measure(imagelake("ingest", str(whole), "--dataset", DATASET, *at, *HEAP))
    yield "build", measure(imagelake("build", DATASET, *at, *HEAP))
    yield "publish", measure(imagelake("publish", DATASET, *at, *HEAP))
    more = upload(folder / f"new-{images}.zip", Labels(range(images, images + NEW), BOXES, 2))
    yield f"run of {NEW} new images", measure(imagelake("run", str(more), "--dataset", DATASET, *at, *HEAP))
    yield "diff", measure(imagelake("diff", f"{DATASET}@v1", f"{DATASET}@v2", *at))
    yield "load", measure((sys.executable, "-c", LOAD, str(lake), f"{DATASET}@v2", str(images + NEW)))
    yield "verify, rows", measure(imagelake("verify", f"{DATASET}@v2", "--rows-only", *at))
    yield "verify, rows and bytes", measure(imagelake("verify", f"{DATASET}@v2", *at))
    shutil.rmtree(lake)


BENCHMARK = Benchmark(
    name="scale",
    measures=f"CPU seconds and peak memory of each step with {BOXES} boxes an image and 2 GB of Java heap.",
    baseline="a build with nothing to do, in the same lake.",
    runs="Once: a step takes minutes.",
    small=partial(measure_all, counts=(10_000,)),
    full=partial(measure_all, counts=(10_000, 100_000, 1_000_000)),
)
