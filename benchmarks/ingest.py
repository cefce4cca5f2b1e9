"""Ingest against a bare loop and against Spark's binaryFile route: python benchmarks/ingest.py [--small]

For 20,000 images of 10 KB and 2,000 of 100 KB, as zip and as folder, header only and with full decode:

    ours      bronze.ingest in a warm session on a fresh lake, less that of one picture (the fixed cost)
    bare      two processes that read, hash (sha256, crc32) and probe the same files with the same decoder, nothing else
    binary    spark.read.format("binaryFile") written to a Delta table, bytes in the table (folders only)

Prints one row a case: images/s of each, ours / bare, ours / binary, peak memory of ours (all processes). Ratios are of
one run on one machine, files in the page cache.
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
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

from PIL import Image
from pyspark.sql import SparkSession

from imagelake.bronze import ingest
from imagelake.bronze.ingest import IngestRequest
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


def probe(data: bytes, decode: bool) -> None:
    hashlib.sha256(data).hexdigest()
    zlib.crc32(data)
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        if decode:
            image.load()


def bare_files(work: tuple[Sequence[str], bool]) -> None:
    for path in work[0]:
        probe(Path(path).read_bytes(), work[1])


def bare_zip(work: tuple[str, Sequence[str], bool]) -> None:
    with zipfile.ZipFile(work[0]) as archive:
        for name in work[1]:
            probe(archive.read(name), work[2])


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
    """(seconds for the upload, seconds for an upload of one picture, peak megabytes)."""
    lake = scratch / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    settings = base.settings.model_copy(
        update={"lake": str(lake), "ingest": base.settings.ingest.model_copy(update={"decode": decode})}
    )
    ctx = replace(open_context(settings, create_lake(str(lake), system_clock)))
    one = scratch / "one"
    one.mkdir(exist_ok=True)
    times = []
    for number in range(3):
        (one / "p.jpg").write_bytes(_jpeg(Image.new("RGB", (50, 50), (number, 0, 0)), 80))
        times.append(_timed(lambda: ingest.run(ctx, IngestRequest("fixed", str(one)))))
    with Peak() as peak:
        seconds = _timed(lambda: ingest.run(ctx, IngestRequest("bench", str(source))))
    return seconds, min(times), peak.megabytes


def binary_file(spark: SparkSession, folder: Path, scratch: Path) -> float:
    target = scratch / "binary"
    shutil.rmtree(target, ignore_errors=True)
    return _timed(lambda: spark.read.format("binaryFile").load(str(folder)).write.format("delta").save(str(target)))


def _timed(work: Callable[[], object]) -> float:
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
        binary = binary_file(base.spark, folder, scratch)
        for source in (archive, folder):
            for decode in (False, True):
                b = bare(source, decode)
                seconds, fixed, peak = ours(base, source, decode, scratch)
                own = max(seconds - fixed, 1e-9)
                route = count / binary if source.is_dir() else float("nan")
                kind, look = "folder" if source.is_dir() else "zip", "decode" if decode else "header"
                rates = f"{count / own:,.0f} | {count / b:,.0f} | {route:,.0f}"
                ratios = f"{b / own:.2f} | {binary / own:.1f} | {fixed:.1f} | {peak:,.0f}"
                print(f"| {count:,} x {name} | {kind} | {look} | {rates} | {ratios} |", flush=True)
        shutil.rmtree(folder)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
