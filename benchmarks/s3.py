"""Uploads in a bucket against a bare loop, and saves against a bare put: python -m benchmarks s3 --small|--full.

On a Ceph RGW that is started for it (Debian:
radosgw ceph-mon ceph-osd ceph-common), over TLS. For a zip of 200 MB, as 20,000 images of 10 KB and as 2,000 of 100 KB,
header only and with full decode:

    ours      bronze.ingest of s3://…zip in a warm session into a fresh lake of the same bucket, less that of one
              picture (the fixed cost)
    bare      two processes that read the same object with boto3, in ranges of 8 MiB and as many at a time as ours,
              and hash them (sha256); they keep and write nothing
    requests  what RGW logged for the upload: reads, and copies made by the server; the goal for reads is
              bytes / 8 MiB + 1 listing + 20

Then, in a draft of 2,000 images with 5 boxes each: the median of 15 saves and pages of 100, and of a bare conditional
put of the same number of bytes.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import statistics
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.integration.buckets import Bucket, asked, settings, upload_folder
from tests.lakes import LakeMaker

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.gateway import gateway
from benchmarks.harness.process import seconds as timed
from benchmarks.ingest import SETS, one_picture, pictures
from imagelake.bronze.request import IngestRequest
from imagelake.client.lake import Lake
from imagelake.config.settings import S3Settings
from imagelake.runs import pipeline
from imagelake.runs.context import system_clock
from imagelake.runs.open_run import open_context
from imagelake.storage.open_lake import create_lake
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.ranges import RANGE

PROCESSES = 2
LAKES = 4  # two commits take 1.7 to 3 seconds, which is more than what is measured


def read_and_hash(work: tuple[str, S3Settings, str, int, int]) -> int:
    """One process: the bytes from start to end of an object, in ranges, so many at a time."""
    bucket, reached, key, start, end = work
    client = S3Storage(bucket, "", reached).client

    def one(at: int) -> int:
        asked_for = f"bytes={at}-{min(at + RANGE, end) - 1}"
        body = client.get_object(Bucket=bucket, Key=key, Range=asked_for)["Body"].read()
        hashlib.sha256(body).digest()
        return len(body)

    with ThreadPoolExecutor(reached.connections) as pool:
        return sum(pool.map(one, range(start, end, RANGE)))


def bare(bucket: Bucket, reached: S3Settings, key: str, size: int) -> float:
    half = math.ceil(size / RANGE / PROCESSES) * RANGE
    work = [(bucket.name, reached, key, at, min(at + half, size)) for at in range(0, size, half)]
    with get_context("spawn").Pool(PROCESSES) as pool:
        pool.map(read_and_hash, [(*w[:4], w[3] + 1) for w in work])  # imports, and a connection
        started = time.perf_counter()
        assert sum(pool.map(read_and_hash, work)) == size
        return time.perf_counter() - started


def ours(bucket: Bucket, key: str, one: str, decode: bool) -> tuple[float, float, int, int]:
    """(seconds for the upload, seconds for one picture, reads of the upload, copies)."""
    fixed, big, reads, copies = [], [], 0, 0
    for _ in range(LAKES):
        prefix = f"lake-{uuid.uuid4().hex[:8]}"
        chosen = settings(bucket, prefix, f"ingest.decode={str(decode).lower()}")
        ctx = open_context(chosen, create_lake(chosen.lake, system_clock, chosen.s3))
        pipeline.land_upload(ctx, IngestRequest("first", bucket.uri(one)))
        fixed += [
            timed(partial(pipeline.land_upload, ctx, IngestRequest(f"fixed{n}", bucket.uri(one)))) for n in range(2)
        ]
        before = len(asked(bucket.server))
        big.append(timed(partial(pipeline.land_upload, ctx, IngestRequest("bench", bucket.uri(key)))))
        seen = asked(bucket.server, before)
        reads = sum(1 for r in seen if r.method in ("GET", "HEAD") and f"/{key}" in r.path.partition("?")[0])
        copies = sum(1 for r in seen if r.method in ("PUT", "POST") and f"/{prefix}/blobs/" in r.path)
    return statistics.median(big), statistics.median(fixed), reads, copies


def uploads(bucket: Bucket, scratch: Path, share: int) -> Iterator[Row]:
    one = "drops/one.zip"
    bucket.storage().put_file(one_picture(scratch, loose=False), one)
    for name, (count, size, shape) in SETS.items():
        folder = scratch / name.replace(" ", "")
        folder.mkdir()
        key = f"drops/{folder.name}.zip"
        with zipfile.ZipFile(scratch / "up.zip", "w") as out:
            for path in pictures(folder, count // share, size, shape):
                out.write(path, path.name)
        total = (scratch / "up.zip").stat().st_size
        bucket.storage().put_file(scratch / "up.zip", key)
        for decode in (False, True):
            reached = settings(bucket, "x").s3
            loop = statistics.median(bare(bucket, reached, key, total) for _ in range(LAKES))
            whole, fixed, reads, copies = ours(bucket, key, one, decode)
            own = max(whole - fixed, 1e-9)
            goal = math.ceil(total / RANGE) + 1 + 20
            figures = {"ours MB/s": f"{total / own / 1e6:,.0f}", "bare MB/s": f"{total / loop / 1e6:,.0f}"}
            figures |= {"reads": str(reads), "goal": str(goal), "copies": str(copies), "fixed s": f"{fixed:.1f}"}
            look = "decode" if decode else "header"
            yield Row(f"{count // share:,} x {name}, {look}", loop / own, "more", figures)


def saves(bucket: Bucket, scratch: Path, share: int) -> Iterator[Row]:
    maker = LakeMaker(scratch / "served")
    for number in range(2000 // share):
        maker.image("pets", f"{number:04}.png", f"{number}".encode(), width=80, height=60)
        for box in range(5):
            maker.box("pets", f"{number:04}.png", "cat", (box, 0, 1 + number % 7, 2))
    maker.deliver("pets")
    maker.flush()
    upload_folder(bucket.storage("served"), maker.root)
    labels = [{"category": "cat", "bbox": [number, 1, 3, 2]} for number in range(5)]
    with Lake(bucket.storage("served")) as lake:
        images = lake.images("pets@draft").images
        page = _median(lambda _: lake.images("pets@draft"))
        save = _median(lambda n: lake.save_labels("pets@draft", images[n].key, labels, "ann", base=images[n].etag))
    written = next(bucket.storage("served").list("labels/"))
    own, data = bucket.storage("bare"), os.urandom(written.length)
    put = _median(lambda n: own.put(f"{n}", data, if_absent=True))
    for what, milliseconds in (("bare conditional put", put), ("save of labels", save), ("page of 100 images", page)):
        yield Row(what, milliseconds / put, "less", {"ms": f"{milliseconds:.0f}"})


def _median(work: Callable[[int], object]) -> float:
    return statistics.median(1000 * timed(partial(work, number)) for number in range(15))


def measure_all(folder: Path, share: int) -> Iterator[Row]:
    """Uploads of one file in `share`, over TLS; then saves and pages, without."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with gateway(folder / "rgw") as bucket:
        yield from uploads(bucket, folder, share)
        yield from saves(bucket, folder, share)


BENCHMARK = Benchmark(
    name="s3",
    measures="Bytes a second of an ingest of a zip in a bucket, less the fixed cost of one picture; saves and pages.",
    baseline="two processes that read and hash the same object; for saves and pages a bare conditional put.",
    runs=f"Medians of {LAKES} lakes, which take minutes, and of 15 saves.",
    small=partial(measure_all, share=10),
    full=partial(measure_all, share=1),
)
