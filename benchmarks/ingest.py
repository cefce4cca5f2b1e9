"""Ingest against a bare loop and against Spark's binaryFile route: python -m benchmarks ingest --small|--full.

For 20,000 images of 10 KB and 2,000 of 100 KB, as zip and as folder, header only and with full decode:

    ours      bronze.ingest in a warm session on a fresh lake, less that of one picture (the fixed cost)
    bare      two processes that read, hash (sha256, crc32) and probe the same files with the same decoder; they keep
              and write nothing
    binary    spark.read.format("binaryFile"), hashed and probed in mapInArrow, written to a Delta table with the bytes
              in it (folders only), less that of one picture

Files are in the page cache; peak memory is that of ours, all processes.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import statistics
import threading
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import pyarrow as pa
from PIL import Image
from pyspark.sql import SparkSession

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.process import seconds as timed
from benchmarks.harness.tree import descendants, pss
from imagelake.bronze.request import IngestRequest
from imagelake.config.settings import Settings, load
from imagelake.runs import pipeline
from imagelake.runs.context import Context, system_clock
from imagelake.runs.open_run import open_context
from imagelake.storage.open_lake import create_lake

RUNS = 3
"""Of whole ingests, which take seconds to minutes each."""

SETS = {"10 KB": (20_000, 10_000, (160, 120)), "100 KB": (2_000, 100_000, (640, 480))}


def pictures(folder: Path, count: int, size: int, shape: tuple[int, int]) -> list[Path]:
    """`count` different JPEG files of about `size` bytes: one noisy picture, each copy made unique by a comment."""
    rng = random.Random(size)
    image = Image.frombytes("RGB", shape, bytes(rng.randrange(256) for _ in range(shape[0] * shape[1] * 3)))
    quality = next(q for q in range(95, 4, -3) if len(_jpeg(image, q)) <= size or q <= 6)
    data = _jpeg(image, quality)
    paths = []
    for number in range(count):
        comment = f"{number:08d}".encode() + bytes(max(0, min(60_000, size - len(data) - 12)))
        path = folder / f"{number:06d}.jpg"
        path.write_bytes(data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:])
        paths.append(path)
    return paths


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def facts(data: bytes, decode: bool) -> str:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        if decode:
            image.load()
        orientation = image.getexif().get(0x0112, 1)
        seen = (image.size, image.mode, orientation, getattr(image, "n_frames", 1))
    return f"{hashlib.sha256(data).hexdigest()} {zlib.crc32(data)} {seen}"


def bare_files(work: tuple[Sequence[str], bool]) -> None:
    for path in work[0]:
        facts(Path(path).read_bytes(), work[1])


def bare_zip(work: tuple[str, Sequence[str], bool]) -> None:
    with zipfile.ZipFile(work[0]) as archive:
        for name in work[1]:
            facts(archive.read(name), work[2])


def bare(source: Path, decode: bool) -> float:
    with Pool(2) as pool:
        pool.map(len, ["warm", "up"])
        started = time.perf_counter()
        if source.is_dir():
            names = sorted(str(p) for p in source.iterdir())
            pool.map(bare_files, [(names[k::2], decode) for k in range(2)])
        else:
            with zipfile.ZipFile(source) as archive:
                names = archive.namelist()
            half = len(names) // 2
            pool.map(bare_zip, [(str(source), part, decode) for part in (names[:half], names[half:])])
        return time.perf_counter() - started


def ours(base: Context, source: Path, decode: bool, scratch: Path) -> tuple[float, float, float]:
    """(seconds for the upload, seconds for an upload of one picture of the same kind, peak megabytes)."""
    one = one_picture(scratch, source.is_dir())
    fixed, big = [], []
    with Peak() as peak:
        for _ in range(RUNS):
            lake = scratch / "lake"
            shutil.rmtree(lake, ignore_errors=True)
            limits = base.settings.ingest.model_copy(update={"decode": decode})
            settings = base.settings.model_copy(update={"lake": str(lake), "ingest": limits})
            ctx = open_context(settings, create_lake(str(lake), system_clock))
            pipeline.land_upload(ctx, IngestRequest("first", str(one)))  # makes the tables
            fixed.append(timed(partial(pipeline.land_upload, ctx, IngestRequest("fixed", str(one)))))
            big.append(timed(partial(pipeline.land_upload, ctx, IngestRequest("bench", str(source)))))
    return statistics.median(big), statistics.median(fixed), peak.megabytes


def one_picture(scratch: Path, loose: bool) -> Path:
    folder = scratch / "one"
    folder.mkdir(exist_ok=True)
    (folder / "p.jpg").write_bytes(_jpeg(Image.new("RGB", (50, 50), "red"), 80))
    if loose:
        return folder
    with zipfile.ZipFile(scratch / "one.zip", "w") as out:
        out.write(folder / "p.jpg", "p.jpg")
    return scratch / "one.zip"


def binary_file(spark: SparkSession, folder: Path, scratch: Path, decode: bool) -> float:
    def look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            data = batch.column("content").to_pylist()
            described = [facts(d, decode) for d in data]
            yield batch.select(["path", "content"]).append_column("facts", pa.array(described))

    def route(source: Path) -> None:
        target = scratch / "binary"
        shutil.rmtree(target, ignore_errors=True)
        frame = spark.read.format("binaryFile").load(str(source))
        frame.mapInArrow(look, "path string, content binary, facts string").write.format("delta").save(str(target))

    one = one_picture(scratch, loose=True)
    route(one)
    fixed = timed(lambda: route(one))
    return statistics.median(timed(lambda: route(folder)) for _ in range(RUNS)) - fixed


class Peak:
    """The most memory (proportional set size) this process and its children have together, sampled."""

    def __enter__(self) -> Peak:
        self.megabytes = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            self.megabytes = max(
                self.megabytes, sum(pss(pid) for pid in (os.getpid(), *descendants(os.getpid()))) / 1024
            )


def measure_all(scratch: Path, share: int) -> Iterator[Row]:
    """Every set as zip and folder, of one file in `share`."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    settings: Settings = load(None, [f"lake={scratch / 'first'}"])
    base = open_context(settings, create_lake(str(scratch / "first"), system_clock))
    for name, (count, size, shape) in SETS.items():
        folder = scratch / name.replace(" ", "")
        folder.mkdir()
        paths = pictures(folder, count // share, size, shape)
        archive = scratch / f"{folder.name}.zip"
        with zipfile.ZipFile(archive, "w") as out:
            for path in paths:
                out.write(path, path.name)
        for source in (archive, folder):
            for decode in (False, True):
                kind, look = "folder" if source.is_dir() else "zip", "decode" if decode else "header"
                about = f"{count // share:,} x {name}, {kind}, {look}"
                yield from _compared(base, source, decode, (about, len(paths)))
        shutil.rmtree(folder)


def _compared(base: Context, source: Path, decode: bool, about: tuple[str, int]) -> Iterator[Row]:
    """A set against the bare loop, and a folder against binaryFile too; `about` is its name and number of images."""
    name, count = about
    scratch = source.parent
    loop = statistics.median(bare(source, decode) for _ in range(RUNS))
    whole, fixed, peak = ours(base, source, decode, scratch)
    own = max(whole - fixed, 1e-9)
    figures = {"ours /s": f"{count / own:,.0f}", "baseline /s": f"{count / loop:,.0f}"}
    more = {"fixed s": f"{fixed:.1f}", "peak MB": f"{peak:,.0f}"}
    yield Row(f"{name}: ours / bare", loop / own, "more", figures | more)
    if source.is_dir():
        binary = binary_file(base.spark, source, scratch, decode)
        figures["baseline /s"] = f"{count / binary:,.0f}"
        yield Row(f"{name}: ours / binaryFile", binary / own, "more", figures)


BENCHMARK = Benchmark(
    name="ingest",
    measures="Images a second of an ingest into a fresh lake in a warm session, less the fixed cost of one picture.",
    baseline="two processes that read, hash and probe the same files; and Spark's binaryFile into a Delta table.",
    runs=f"Medians of {RUNS}: each is a whole ingest.",
    small=partial(measure_all, share=10),
    full=partial(measure_all, share=1),
)
