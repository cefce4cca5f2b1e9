"""Reading a version for training, over a link and from disk: python -m benchmarks load --small|--full [--folder F]."""

from __future__ import annotations

import shutil
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.link import BUCKET, Link, link
from benchmarks.harness.pictures import Pictures, make_lake
from benchmarks.harness.process import Used, measure, middle

MILLISECONDS, MEGABYTES = 30.0, 125.0
"""Of the link: each request's answer begins so late; all answers together are no faster (1 Gb/s)."""
CONNECTIONS = (1, 10, 64)
RUNS = 5
FEW = 1

STREAM = """
import sys, time, imagelake
start = time.perf_counter()
samples = imagelake.open(sys.argv[1]).load("big@v1")
loaded = time.perf_counter()
stream = samples.stream(shuffle=sys.argv[2] == "shuffle")
for epoch in range(int(sys.argv[4])):
    begun, first, total = time.perf_counter(), None, 0
    for data in samples.read_bytes(stream.at_epoch(epoch).indexes):
        total += len(data)
        first = first or time.perf_counter()
    assert total == int(sys.argv[3]), total
print(loaded - start, first - begun, time.perf_counter() - begun)
"""
SINGLE = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import imagelake
lake = imagelake.open(sys.argv[1])
samples = lake.load("big@v1")
uris = samples.places["uri"].to_pylist()[: int(sys.argv[4])]
lake.storage.read(uris[0])
start = time.perf_counter()
with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    total = sum(map(len, pool.map(lake.storage.read, uris)))
seconds = time.perf_counter() - start
print(0, 0, seconds * len(samples) / len(uris))
"""
SEQUENTIAL = """
import os, sys, time, urllib.request, imagelake
paths = sorted(set(imagelake.open(sys.argv[1]).load("big@v1").places["uri"].to_pylist()))
start = time.perf_counter()
for path in paths:
    with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/bucket/{path}") as answer:
        while answer.read(1 << 20):
            pass
print(0, 0, time.perf_counter() - start)
"""
MAPPED = """
import mmap, struct, sys, time, zipfile
from pathlib import Path
start = time.perf_counter()
total = 0
for path in sorted((Path(sys.argv[1]) / "blobs" / "zip").iterdir()):
    members = zipfile.ZipFile(path).infolist()
    with path.open("rb") as stream:
        data = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
    for member in members:
        at = member.header_offset
        begin = at + 30 + sum(struct.unpack_from("<HH", data, at + 26))
        total += len(data[begin : begin + member.file_size])
print(0, 0, time.perf_counter() - start)
"""


def over_a_link(folder: Path, pictures: Pictures, singles: int) -> Iterator[Row]:
    """Packages through an empty cache, single files by many connections, one sequential read of the packages."""
    of = f"{pictures.count}-{pictures.size}"
    name = f"{pictures.count:,} images of {pictures.size / 1000:,.0f} kB over {MILLISECONDS:.0f} ms"
    packed, loose = (make_lake(folder / f"{kind}-{of}", pictures, kind == "packed") for kind in ("packed", "loose"))
    with link(packed, MILLISECONDS, MEGABYTES) as store:
        base = _remote(store, SEQUENTIAL, folder, FEW)
        yield _row(f"{name}: one sequential read of the packages (baseline)", base, base, pictures)
        for order in ("in order", "shuffle"):
            read = _remote(store, STREAM, folder, FEW, order, str(pictures.total), "1")
            yield _row(f"{name}: packages, {order}", read, base, pictures)
    with link(loose, MILLISECONDS, MEGABYTES) as store:
        for count in CONNECTIONS:
            some = min(pictures.count, singles * count)
            single = _remote(store, SINGLE, folder, FEW, str(count), str(pictures.total), str(some))
            yield _row(f"{name}: single files, {count} connections, from {some:,} of them", single, base, pictures)


def from_disk(folder: Path, pictures: Pictures) -> Iterator[Row]:
    """Samples of a lake on this disk against a plain loop over the packages."""
    name = f"{pictures.count:,} images of {pictures.size / 1000:,.0f} kB from disk"
    lake = make_lake(folder / f"packed-{pictures.count}-{pictures.size}", pictures, packed=True)
    base = _several((sys.executable, "-c", MAPPED, str(lake)), RUNS)
    yield _row(f"{name}: zipfile's directory, bytes by mmap (baseline)", base, base, pictures)
    for order, epoch in (("in order", 1), ("shuffle", 1), ("shuffle", 2)):
        command = (sys.executable, "-c", STREAM, str(lake), order, str(pictures.total), str(epoch))
        what = f"{name}: samples, {order}, epoch {epoch}{', CRC-32 checked' if epoch == 1 else ''}"
        yield _row(what, _several(command, RUNS), base, pictures)


def _remote(store: Link, code: str, folder: Path, runs: int, *arguments: str) -> tuple[Used, tuple[float, ...], int]:
    environment = {
        "AWS_ENDPOINT_URL": store.endpoint,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "IMAGELAKE_CACHE": str(folder / "cache"),
        "XDG_CACHE_HOME": str(folder / "tables"),
    }
    answers = []
    for _ in range(runs):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        store.requests()
        used = measure((sys.executable, "-c", code, f"s3://{BUCKET}", *(arguments or ("",))), environment)
        answers.append((used, store.requests("blobs/")))
    return middle([used for used, _ in answers]), _times([used for used, _ in answers]), answers[-1][1]


def _several(
    command: Sequence[str], runs: int, environment: Mapping[str, str] | None = None
) -> tuple[Used, tuple[float, ...], int]:
    used = [measure(command, environment) for _ in range(runs)]
    return middle(used), _times(used), 0


def _times(several: Sequence[Used]) -> tuple[float, ...]:
    """Medians of what the programs measured of themselves: to load, to the first window, to all bytes."""
    return tuple(
        statistics.median(values) for values in zip(*(map(float, used.out.split()) for used in several), strict=True)
    )


def _row(
    name: str,
    measured: tuple[Used, tuple[float, ...], int],
    base: tuple[Used, tuple[float, ...], int],
    pictures: Pictures,
) -> Row:
    used, (loading, first, seconds), requests = measured
    figures = {"MB/s": f"{pictures.total / seconds / 1e6:,.0f}", "s": f"{seconds:.2f}", "load s": f"{loading:.2f}"}
    figures |= {"first s": f"{first:.2f}", "requests": f"{requests:,}", "peak MB": f"{used.largest:,}"}
    return Row(name, base[1][2] / seconds, "more", figures)


def small(folder: Path) -> Iterator[Row]:
    """A thousand images of 100 kB and ten thousand of 10 kB."""
    for pictures in (Pictures(1000, 100_000), Pictures(10_000, 10_000)):
        yield from over_a_link(folder, pictures, singles=100)
        yield from from_disk(folder, pictures)


def full(folder: Path) -> Iterator[Row]:
    """And a hundred thousand."""
    yield from small(folder)
    yield from over_a_link(folder, Pictures(100_000, 10_000), singles=200)
    yield from from_disk(folder, Pictures(100_000, 10_000))


BENCHMARK = Benchmark(
    name="load",
    measures="Bytes a second of reading the images of a version as a trainer does, by a process with an empty cache.",
    baseline="Over the link one sequential read of the packages, from disk a loop over the members of the "
    "packages, whose places zipfile reads and whose bytes are mapped.",
    runs=f"Over the link ({MILLISECONDS:.0f} ms before each answer, {MEGABYTES:.0f} MB/s) once, from disk medians of "
    f"{RUNS}; everything in the page cache.",
    small=small,
    full=full,
)
