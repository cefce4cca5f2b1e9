"""Other tools on the same bytes over the same link: python -m benchmarks peers --small|--full [--folder FOLDER].

PEERS names a Python that has webdataset, mosaicml-streaming and dvc with dvc-s3; what it lacks is left out:

    python -m venv peers && peers/bin/pip install webdataset mosaicml-streaming 'dvc[s3]'
    PEERS=peers/bin/python python -m benchmarks peers --full
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import imagelake
from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.link import BUCKET, Link, link
from benchmarks.harness.pictures import Pictures, make_lake
from benchmarks.harness.process import Used, measure
from benchmarks.load import MEGABYTES, MILLISECONDS, STREAM

SHARDS = """
import sys, time, webdataset
start = time.perf_counter()
total = 0
for shard in sys.argv[2:]:
    for sample in webdataset.WebDataset(f"{sys.argv[1]}/{shard}", shardshuffle=False):
        total += sum(len(data) for name, data in sample.items() if name == "jpg")
print(total, time.perf_counter() - start)
"""

WRITE_MDS = """
import sys
from pathlib import Path
from streaming import MDSWriter
with MDSWriter(out=sys.argv[2], columns={"image": "bytes"}) as shards:
    for path in sorted(Path(sys.argv[1]).rglob("*.jpg")):
        shards.write({"image": path.read_bytes()})
"""
READ_MDS = """
import sys, time
from streaming import StreamingDataset
start = time.perf_counter()
samples = StreamingDataset(remote=sys.argv[1], local=sys.argv[2], shuffle=False, batch_size=1)
print(sum(len(sample["image"]) for sample in samples), time.perf_counter() - start)
"""


def measure_all(folder: Path, sets: tuple[Pictures, ...]) -> Iterator[Row]:
    """Whole processes that end with all images of a set on this machine, from an empty cache."""
    python = os.environ.get("PEERS", sys.executable)
    for pictures in sets:
        name = f"{pictures.count:,} images of {pictures.size / 1000:,.0f} kB"
        lake = make_lake(folder / f"packed-{pictures.count}-{pictures.size}", pictures, packed=True)
        with link(lake, MILLISECONDS, MEGABYTES) as store:
            base = _imagelake(store, folder, pictures)
            yield _row(f"{name}: imagelake, packages in order (baseline)", base, base, store)
        if _has(python, "webdataset"):
            yield _webdataset(python, folder, pictures, name, base)
        if _has(python, "streaming"):
            yield _mosaic(python, folder, pictures, name, base)
        if _has(python, "dvc"):
            yield _dvc(python, folder, pictures, name, base)


def _imagelake(store: Link, folder: Path, pictures: Pictures) -> Used:
    for cache in ("cache", "tables"):
        shutil.rmtree(folder / cache, ignore_errors=True)
    environment = _keys(store) | {"IMAGELAKE_CACHE": str(folder / "cache"), "XDG_CACHE_HOME": str(folder / "tables")}
    command = (sys.executable, "-c", STREAM, f"s3://{BUCKET}", "in order", str(pictures.total), "1")
    return measure(command, environment)


def _webdataset(python: str, folder: Path, pictures: Pictures, name: str, base: Used) -> Row:
    """Shards of the export, read one after the other, as a single worker does."""
    lake = folder / f"packed-{pictures.count}-{pictures.size}" / "lake"
    shards = folder / f"shards-{pictures.count}-{pictures.size}"
    imagelake.open(str(lake)).get("big@v1", shards, format="webdataset")
    names = sorted(path.name for path in shards.glob("*.tar"))
    with link(shards, MILLISECONDS, MEGABYTES) as store:
        used = measure((python, "-c", SHARDS, f"{store.endpoint}/{BUCKET}", *names))
        return _row(f"{name}: webdataset, shards in order", used, base, store)


def _mosaic(python: str, folder: Path, pictures: Pictures, name: str, base: Used) -> Row:
    """MDS shards of the same images, read in order by one process with an empty folder for them."""
    of = f"{pictures.count}-{pictures.size}"
    shards, local = folder / f"mds-{of}", folder / "mds-local"
    if not shards.exists():
        lake = folder / f"packed-{of}" / "lake"
        imagelake.open(str(lake)).get("big@v1", folder / f"mds-images-{of}", format="files")
        write = (python, "-c", WRITE_MDS, str(folder / f"mds-images-{of}"), str(shards))
        subprocess.run(write, check=True, capture_output=True)
    shutil.rmtree(local, ignore_errors=True)
    with link(shards, MILLISECONDS, MEGABYTES) as store:
        keys = {**_keys(store), "S3_ENDPOINT_URL": store.endpoint}
        used = measure((python, "-c", READ_MDS, f"s3://{BUCKET}", str(local)), keys)
        if int(used.out.split()[0]) != pictures.total:
            raise RuntimeError(f"{pictures.total} bytes were written, {used.out.split()[0]} were read")
        return _row(f"{name}: mosaicml-streaming, MDS shards in order", used, base, store)


def _dvc(python: str, folder: Path, pictures: Pictures, name: str, base: Used) -> Row:
    """A repository whose remote has every file; `dvc pull` brings them."""
    remote, work = (folder / f"dvc-{part}-{pictures.count}-{pictures.size}" for part in ("remote", "work"))
    dvc = (python, "-m", "dvc")
    if not remote.exists():
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        lake = folder / f"packed-{pictures.count}-{pictures.size}" / "lake"
        imagelake.open(str(lake)).get("big@v1", work / "data", format="files")
        for command in (
            ("init", "--no-scm", "-q"),
            ("add", "-q", "data"),
            ("remote", "add", "-q", "-d", "r", str(remote)),
            ("push", "-q"),
        ):
            subprocess.run((*dvc, *command), cwd=work, check=True, capture_output=True)
    shutil.rmtree(work / "data", ignore_errors=True)
    shutil.rmtree(work / ".dvc" / "cache", ignore_errors=True)
    with link(remote, MILLISECONDS, MEGABYTES) as store:
        for option in (("url", f"s3://{BUCKET}"), ("endpointurl", store.endpoint)):
            subprocess.run((*dvc, "remote", "modify", "r", *option), cwd=work, check=True, capture_output=True)
        used = measure((*dvc, "--cd", str(work), "pull", "-q"), _keys(store))
        return _row(f"{name}: dvc pull", used, base, store)


def _keys(store: Link) -> Mapping[str, str]:
    return {
        "AWS_ENDPOINT_URL": store.endpoint,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _has(python: str, package: str) -> bool:
    return subprocess.run((python, "-c", f"import {package}"), capture_output=True, check=False).returncode == 0


def _row(name: str, used: Used, base: Used, store: Link) -> Row:
    return Row(name, used.wall / base.wall, "less", used.figures() | {"requests": f"{store.requests():,}"})


BENCHMARK = Benchmark(
    name="peers",
    measures="Seconds until all images of a data set are on this machine, as whole processes with empty caches.",
    baseline="imagelake reads a version from packages, its tables included.",
    runs=f"Once each, over a link of {MILLISECONDS:.0f} ms and {MEGABYTES:.0f} MB/s.",
    small=partial(measure_all, sets=(Pictures(1000, 100_000),)),
    full=partial(measure_all, sets=(Pictures(1000, 100_000), Pictures(10_000, 10_000))),
)
