"""Ingest against a bare loop and against Spark's binaryFile route: python benchmarks/ingest.py [--small]

For 20,000 images of 10 KB and 2,000 of 100 KB, as zip and as folder, header only and with full decode:

    ours      bronze.ingest in a warm session on a fresh lake, less that of one picture (the fixed cost)
    bare      two processes that read, hash (sha256, crc32) and probe the same files with the same decoder; they keep
              and write nothing
    binary    spark.read.format("binaryFile"), hashed and probed in mapInArrow, written to a Delta table with the bytes
              in it (folders only), less that of one picture

Prints one row a case: images/s of each, ours / bare, ours / binary, peak memory of ours (all processes). Each is the
better of two runs on one machine, files in the page cache.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import shutil
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import pyarrow as pa
from PIL import Image
from pyspark.sql import SparkSession

from imagelake import pipeline
from imagelake.bronze.request import IngestRequest
from imagelake.context import Context, system_clock
from imagelake.runtime import open_context
from imagelake.settings import Settings, load
from imagelake.storage.lake import create_lake

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
        for _ in range(2):
            lake = scratch / "lake"
            shutil.rmtree(lake, ignore_errors=True)
            limits = base.settings.ingest.model_copy(update={"decode": decode})
            settings = base.settings.model_copy(update={"lake": str(lake), "ingest": limits})
            ctx = open_context(settings, create_lake(str(lake), system_clock))
            pipeline.land_upload(ctx, IngestRequest("first", str(one)))  # makes the tables
            fixed.append(timed(partial(pipeline.land_upload, ctx, IngestRequest("fixed", str(one)))))
            big.append(timed(partial(pipeline.land_upload, ctx, IngestRequest("bench", str(source)))))
    return min(big), min(fixed), peak.megabytes


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
            found = [facts(d, decode) for d in data]
            yield batch.select(["path", "content"]).append_column("facts", pa.array(found))

    def route(source: Path) -> None:
        target = scratch / "binary"
        shutil.rmtree(target, ignore_errors=True)
        frame = spark.read.format("binaryFile").load(str(source))
        frame.mapInArrow(look, "path string, content binary, facts string").write.format("delta").save(str(target))

    one = one_picture(scratch, loose=True)
    route(one)
    fixed = timed(lambda: route(one))
    return min(timed(lambda: route(folder)) for _ in range(2)) - fixed


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


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
            self.megabytes = max(self.megabytes, sum(_pss(pid) for pid in _family(os.getpid())) / 1024)


def _family(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tenth of the files")
    few = parser.parse_args().small
    scratch = Path(tempfile.mkdtemp(prefix="imagelake-bench-"))
    settings: Settings = load(None, [f"lake={scratch / 'first'}"])
    base = open_context(settings, create_lake(str(scratch / "first"), system_clock))
    print(
        "| images | as | probe | ours /s | bare /s | binaryFile /s | ours/bare | ours/binaryFile | fixed s | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, (count, size, shape) in SETS.items():
        count = count // 10 if few else count
        folder = scratch / name.replace(" ", "")
        folder.mkdir()
        paths = pictures(folder, count, size, shape)
        archive = scratch / f"{folder.name}.zip"
        with zipfile.ZipFile(archive, "w") as out:
            for path in paths:
                out.write(path, path.name)
        for source in (archive, folder):
            for decode in (False, True):
                b = min(bare(source, decode) for _ in range(2))
                seconds, fixed, peak = ours(base, source, decode, scratch)
                own = max(seconds - fixed, 1e-9)
                kind, look = "folder" if source.is_dir() else "zip", "decode" if decode else "header"
                binary = binary_file(base.spark, folder, scratch, decode) if source.is_dir() else None
                route = f"{count / binary:,.0f}" if binary else ""
                gain = f"{binary / own:.1f}" if binary else ""
                rates = f"{count / own:,.0f} | {count / b:,.0f} | {route}"
                ratios = f"{b / own:.2f} | {gain} | {fixed:.1f} | {peak:,.0f}"
                print(f"| {count:,} x {name} | {kind} | {look} | {rates} | {ratios} |", flush=True)
        shutil.rmtree(folder)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
