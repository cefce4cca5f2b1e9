"""Build of COCO uploads against a bare parse: python benchmarks/build.py [--small | --large] [--source SRC]

A zip of pictures and one COCO document is ingested, then `build` runs as a process of its own:

    boxes, polygons, mixed    20,000 images and 100,000 annotations (a tenth of both with --small)
    large                     118,287 images and 860,001 annotations, mostly polygons, about 510 MB (only with --large)

CPU is that of the whole process tree (Python, Java, workers); `idle` is a build with nothing to do: the session.
The baseline is one Python process that reads the document with json.loads and makes a tuple of each annotation. Only
the command line is used, so --source with the `src` folder of another commit measures that one.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT, CLASSES = 640, 480, 80
VERB = "from imagelake.cli.main import main; main()"
PARSE = """
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    document = json.loads(archive.read("annotations.json"))
columns = ("id", "image_id", "category_id", "bbox", "segmentation", "area")
rows = [tuple(map(annotation.get, columns)) for annotation in document["annotations"]]
print(len(rows))
"""
ORPHANS_COME_HERE = 36
"""prctl's PR_SET_CHILD_SUBREAPER: Java and Python's workers outlive the process that started them."""


@dataclass(frozen=True)
class Upload:
    """A made upload: every annotation has a box, `outlined` of ten also a polygon of `points` points."""

    name: str
    images: int
    annotations: int
    outlined: int
    points: int = 12


UPLOADS = (
    Upload("boxes", 20_000, 100_000, 0),
    Upload("polygons", 20_000, 100_000, 10),
    Upload("mixed", 20_000, 100_000, 5),
)
LARGE = Upload("large", 118_287, 860_001, 9, 34)


@dataclass(frozen=True)
class Cost:
    """What a process and all its descendants took: wall and CPU seconds, and the most memory at once, in MB."""

    wall: float
    cpu: float
    memory: float


def annotations(upload: Upload) -> Iterator[dict[str, Any]]:
    """Annotations of different boxes; outlines are ellipses within them."""
    rng = np.random.default_rng(upload.annotations)
    angles = np.linspace(0, 2 * np.pi, upload.points, endpoint=False)
    circle = np.stack((np.cos(angles), np.sin(angles)), 1) / 2 + 0.5
    for number in range(upload.annotations):
        w, h = rng.integers(8, 120, 2).tolist()
        x, y = (round(v, 2) for v in (rng.random(2) * (WIDTH - w, HEIGHT - h)).tolist())
        segmentation: list[list[float]] = []
        if number % 10 < upload.outlined:
            segmentation = [np.round(circle * (w, h) + (x, y), 2).reshape(-1).tolist()]
        yield {
            "segmentation": segmentation,
            "area": w * h,
            "iscrowd": 0,
            "image_id": number * upload.images // upload.annotations + 1,
            "bbox": [x, y, w, h],
            "category_id": number % CLASSES + 1,
            "id": number + 1,
        }


def make(upload: Upload, target: Path) -> None:
    """One picture, each copy made unique by a comment, and the document."""
    picture = io.BytesIO()
    Image.new("L", (WIDTH, HEIGHT), 90).save(picture, "JPEG", quality=30)
    head, rest = picture.getvalue()[:2], picture.getvalue()[2:]
    listed = [
        {"id": n + 1, "file_name": f"{n:012d}.jpg", "width": WIDTH, "height": HEIGHT} for n in range(upload.images)
    ]
    named = [{"id": n + 1, "name": f"class {n}", "supercategory": "thing"} for n in range(CLASSES)]
    with zipfile.ZipFile(target, "w") as archive:
        for number, image in enumerate(listed):
            comment = f"{number:012d}".encode()
            data = head + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + rest
            archive.writestr(f"images/{image['file_name']}", data)
        with archive.open("annotations.json", "w", force_zip64=True) as out:
            out.write(b'{"images": ' + json.dumps(listed).encode() + b', "annotations": [')
            for place, record in enumerate(annotations(upload)):
                out.write((", " if place else "").encode() + json.dumps(record).encode())
            out.write(b'], "categories": ' + json.dumps(named).encode() + b"}")


def cost(command: Sequence[str], source: Path) -> Cost:
    """Run a command to its end, and to that of everything it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    with Peak() as peak:
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(source)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        errors = process.communicate()[1]
        wall = time.perf_counter() - started
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{errors.decode()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak.megabytes)


class Peak:
    """The most memory (proportional set size) that the descendants of this process have together, sampled."""

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
            self.megabytes = max(self.megabytes, sum(map(_pss, _descendants())) / 1024)


def _descendants() -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended
    family = [os.getpid()]
    for pid in family:
        family.extend(child for child, parent in parents.items() if parent == pid)
    return family[1:]


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def imagelake(source: Path, lake: Path, settings: Sequence[str], *words: str) -> Cost:
    """One command line of the commit in `source`."""
    options = [option for setting in settings for option in ("--set", setting)]
    return cost([sys.executable, "-c", VERB, *words, "--lake", str(lake), *options], source)


def measure(upload: Upload, archive: Path, scratch: Path, args: argparse.Namespace) -> Iterator[str]:
    """The table's rows of one upload: ours, and the baseline."""
    if not archive.exists():
        make(upload, archive)
    costs = []
    for number in range(args.runs):
        lake = scratch / f"{upload.name}-{number}"
        imagelake(args.source, lake, ["ingest.decode=false"], "ingest", str(archive), "--dataset", "bench")
        costs.append(imagelake(args.source, lake, args.settings, "build", "bench"))
        idle = imagelake(args.source, lake, args.settings, "build", "bench")
        shutil.rmtree(lake)
    rows = upload.annotations
    build = sorted(costs, key=lambda c: c.cpu)[len(costs) // 2]
    rate = f"{rows / build.cpu:,.0f} | {rows / max(build.cpu - idle.cpu, 1e-9):,.0f}"
    memory = f"{build.memory:,.0f} | {idle.memory:,.0f}"
    yield f"| {upload.name} | {rows:,} | {build.cpu:.1f} | {idle.cpu:.1f} | {rate} | {build.wall:.1f} | {memory} |"
    bare = cost([sys.executable, "-c", PARSE, str(archive)], args.source)
    rate = f"{rows / bare.cpu:,.0f}"
    yield f"| baseline | {rows:,} | {bare.cpu:.1f} | | {rate} | | {bare.wall:.1f} | {bare.memory:,.0f} | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tenth of the images and annotations")
    parser.add_argument("--large", action="store_true", help="the document of 510 MB instead")
    parser.add_argument("--only", help="one of boxes, polygons, mixed")
    parser.add_argument("--runs", type=int, default=1, help="builds of each; the median counts")
    parser.add_argument("--source", type=Path, default=ROOT / "src", help="the src folder of the commit to measure")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="a machine setting of the build")
    parser.add_argument("--cache", type=Path, help="a folder where made uploads stay")
    args = parser.parse_args()
    ctypes.CDLL(None).prctl(ORPHANS_COME_HERE, 1, 0, 0, 0)
    scratch = Path(tempfile.mkdtemp(prefix="imagelake-bench-"))
    print("| upload | annotations | CPU s | idle CPU s | per CPU s | without idle | wall s | peak MB | idle MB |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    part = 10 if args.small else 1
    for upload in (LARGE,) if args.large else UPLOADS:
        if args.only in (None, upload.name):
            fewer = replace(upload, images=upload.images // part, annotations=upload.annotations // part)
            archive = (args.cache or scratch) / f"{upload.name}-{fewer.annotations}.zip"
            for line in measure(fewer, archive, scratch, args):
                print(line, flush=True)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
