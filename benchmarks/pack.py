"""How fast packages are written: python -m benchmarks pack --small|--full [--folder FOLDER]."""

from __future__ import annotations

import resource
import statistics
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.pictures import Pictures, make_objects, write_packages
from benchmarks.harness.process import RUNS
from imagelake.bronze.store.blob import SourceBlob
from imagelake.storage.blobs.local_writer import blob_path

_PIECE = 8 << 20


def measure_all(folder: Path, sets: tuple[Pictures, ...]) -> Iterator[Row]:
    """Copies, packages and zips of the same bytes, in turns."""
    for pictures in sets:
        root = folder / f"{pictures.count}-{pictures.size}"
        blobs = make_objects(root, pictures)
        whole = root / "whole"
        if not whole.exists():
            whole.write_bytes(b"".join((root / blob_path(blob.content_hash)).read_bytes() for blob in blobs))
        ways: dict[str, Callable[[], object]] = {
            "copy of one file of the same bytes (baseline)": partial(_copy, whole, root / "copy"),
            "packages, in one process": partial(write_packages, root, blobs),
            "zipfile, stored": partial(_zip, root, blobs),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(RUNS):
            for name, way in ways.items():
                seconds[name].append(_timed(way))
        base = statistics.median(next(iter(seconds.values())))
        for name, times in seconds.items():
            taken = statistics.median(times)
            figures = {"MB/s": f"{pictures.total / taken / 1e6:,.0f}", "s": f"{taken:.2f}", "peak MB": _peak()}
            what = f"{pictures.count:,} images of {pictures.size / 1000:,.0f} kB: {name}"
            yield Row(what, base / taken, "more", figures)


def _timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def _peak() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f}"


def _copy(source: Path, target: Path) -> None:
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        while data := reader.read(_PIECE):
            writer.write(data)


def _zip(root: Path, blobs: list[SourceBlob]) -> None:
    with zipfile.ZipFile(root / "all.zip", "w") as archive:
        for blob in blobs:
            archive.write(root / blob_path(blob.content_hash), blob.content_hash)


BENCHMARK = Benchmark(
    name="pack",
    measures="Bytes a second of writing images into packages and reading them back, with the package's sha256.",
    baseline="A buffered copy of one file of the same bytes.",
    runs=f"Medians of {RUNS}, in turns; everything in the page cache.",
    small=partial(measure_all, sets=(Pictures(1000, 100_000), Pictures(10_000, 10_000))),
    full=partial(
        measure_all,
        sets=(Pictures(1000, 100_000), Pictures(10_000, 100_000), Pictures(10_000, 10_000), Pictures(100_000, 10_000)),
    ),
)
