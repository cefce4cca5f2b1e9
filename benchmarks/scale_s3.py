"""Every step on a lake in a bucket against one on disk: python -m benchmarks scale_s3 --small|--full [--folder FOLDER].

The same uploads go through the steps of `scale` into a lake on local disk and into one in a bucket of a Ceph RGW that
is started for it (Debian: radosgw ceph-mon ceph-osd ceph-common), step by step in turn. The gateway's processor time is
not counted. Files that a program fetched from the bucket stay cached for the steps after it, as they do for a user.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.gateway import environment, figures, gateway, logged
from benchmarks.harness.process import Used
from benchmarks.harness.steps import BOXES, DATASET, Address, prepare, steps, uploads

_SHOWN = ("version", "digest", "images", "annotations", "splits", "categories")


def measure_all(folder: Path, images: int) -> Iterator[Row]:
    """Each step in a bucket; RuntimeError when a digest is not that of the lake on disk."""
    for name in ("lake", "rgw", "cache"):
        shutil.rmtree(folder / name, ignore_errors=True)
    zips = uploads(folder, images)
    with gateway(folder / "rgw") as bucket:
        disk = Address(str(folder / "lake"))
        s3 = Address(bucket.uri("lake"), environment(bucket, folder / "cache"))
        prepare(disk, zips)
        prepare(s3, zips)
        for local, remote in zip(steps(disk, zips), steps(s3, zips), strict=True):
            base, before = disk.measure(local.command), len(logged(bucket))
            used = s3.measure(remote.command)
            yield Row(
                f"{local.name}, {images:,} images",
                used.cpu / base.cpu,
                "less",
                _columns(base, used) | figures(logged(bucket)[before:]),
            )
        require_equal(digests(disk), digests(s3))


def digests(lake: Address) -> dict[str, Mapping[str, Any]]:
    """What `show` and `verify` say of the content of both versions, by command."""
    said: dict[str, Mapping[str, Any]] = {}
    for ref in (f"{DATASET}@v1", f"{DATASET}@v2"):
        shown = json.loads(lake.measure(lake.imagelake("show", ref, "--json")).out)
        said[f"show {ref}"] = {name: shown[name] for name in _SHOWN}
        said[f"verify {ref}"] = json.loads(lake.measure(lake.imagelake("verify", ref, "--json")).out)
    return said


def require_equal(disk: Mapping[str, Mapping[str, Any]], s3: Mapping[str, Mapping[str, Any]]) -> None:
    """RuntimeError that names every command which says one thing of the lake on disk, another of that in the bucket."""
    different = [f"{name}: {disk[name]} on disk, {s3[name]} in the bucket" for name in disk if disk[name] != s3[name]]
    if different:
        raise RuntimeError("\n".join(different))


def _columns(base: Used, used: Used) -> dict[str, str]:
    return used.figures() | {"CPU s on disk": f"{base.cpu:.2f}"} | used.memory()


BENCHMARK = Benchmark(
    name="scale_s3",
    measures=f"CPU seconds, memory and requests of each step on S3, with {BOXES} boxes an image and 2 GB of Java heap.",
    baseline="the CPU seconds of the same step on a lake on local disk; digests of both are equal, or the run fails.",
    runs="Once: a step takes minutes.",
    small=partial(measure_all, images=2_000),
    full=partial(measure_all, images=100_000),
)
