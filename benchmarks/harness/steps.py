"""Every step from an upload to a verified version, as command lines on a lake anywhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.coco import Labels, upload
from benchmarks.harness.process import Used, imagelake, measure

BOXES, NEW, DATASET = 5, 10, "big"
_HEAP = ("--set", "spark.driver_memory=2g")
_LOAD = "import sys, imagelake; s = imagelake.open(sys.argv[1]).load(sys.argv[2]); assert len(s) == int(sys.argv[3])"


@dataclass(frozen=True)
class Address:
    """The root of a lake, and the environment variables a program needs beside ours to reach it."""

    root: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def measure(self, command: tuple[str, ...]) -> Used:
        """What a command that uses this lake takes."""
        return measure(command, self.environment)

    def imagelake(self, *verb: str) -> tuple[str, ...]:
        """A command line of imagelake on this lake."""
        return imagelake(*verb, "--lake", self.root)


@dataclass(frozen=True)
class Uploads:
    """The zips of the steps: two images, `images` images, and NEW more."""

    images: int
    tiny: Path
    first: Path
    new: Path


@dataclass(frozen=True)
class Step:
    """A step as a table names it, and its command line."""

    name: str
    command: tuple[str, ...]


def uploads(folder: Path, images: int) -> Uploads:
    """The zips in a folder, made unless they are there."""
    return Uploads(
        images,
        upload(folder / "tiny.zip", Labels(range(2), BOXES, 0)),
        upload(folder / f"first-{images}.zip", Labels(range(images), BOXES, 1)),
        upload(folder / f"new-{images}.zip", Labels(range(images, images + NEW), BOXES, 2)),
    )


def prepare(lake: Address, zips: Uploads) -> None:
    """Make the lake, with a small dataset that is built."""
    lake.measure(lake.imagelake("ingest", str(zips.tiny), "--dataset", "tiny"))
    lake.measure(lake.imagelake("build", "tiny", *_HEAP))


def steps(lake: Address, zips: Uploads) -> tuple[Step, ...]:
    """The steps on a prepared lake, in order; the first is a build with nothing to do."""
    first, second = f"{DATASET}@v1", f"{DATASET}@v2"
    load = (sys.executable, "-c", _LOAD, lake.root, second, str(zips.images + NEW))
    return (
        Step("empty build", lake.imagelake("build", "tiny", *_HEAP)),
        Step("ingest", lake.imagelake("ingest", str(zips.first), "--dataset", DATASET, *_HEAP)),
        Step("build", lake.imagelake("build", DATASET, *_HEAP)),
        Step("publish", lake.imagelake("publish", DATASET, *_HEAP)),
        Step(f"run of {NEW} new images", lake.imagelake("run", str(zips.new), "--dataset", DATASET, *_HEAP)),
        Step("diff", lake.imagelake("diff", first, second)),
        Step("load", load),
        Step("verify, rows", lake.imagelake("verify", second, "--rows-only")),
        Step("verify, rows and bytes", lake.imagelake("verify", second)),
    )
