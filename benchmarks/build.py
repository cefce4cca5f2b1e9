"""What a build takes from COCO documents: python -m benchmarks build --small|--full."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.lakes import fresh_copy
from benchmarks.harness.process import Used, imagelake, measure, middle

WIDTH, HEIGHT, CLASSES, DATASET = 640, 480, 80, "pets"
PARSE = """
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    document = json.loads(archive.read("annotations.json"))
columns = ("id", "image_id", "category_id", "bbox", "segmentation", "area")
rows = [tuple(map(annotation.get, columns)) for annotation in document["annotations"]]
print(len(rows))
"""


@dataclass(frozen=True)
class Upload:
    """A made upload: every annotation has a box, `outlined` of ten also a polygon of `points` points."""

    name: str
    images: int
    annotations: int
    outlined: int
    points: int = 12


SMALL = (Upload("boxes", 2_000, 10_000, 0), Upload("mixed", 2_000, 10_000, 5))
FULL = (
    Upload("boxes", 20_000, 100_000, 0),
    Upload("polygons", 20_000, 100_000, 10),
    Upload("mixed", 20_000, 100_000, 5),
    Upload("large", 118_287, 860_001, 9, 34),
)


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


def measure_all(folder: Path, uploads: Sequence[Upload], runs: int) -> Iterator[Row]:
    """For each upload a bare parse of its document, and a build of it less one with nothing to do."""
    for upload in uploads:
        archive = folder / f"{upload.name}-{upload.annotations}.zip"
        if not archive.exists():
            make(upload, archive)
        bare = middle([measure((sys.executable, "-c", PARSE, str(archive))) for _ in range(runs)])
        yield Row(f"{upload.name}: bare parse (baseline)", 1.0, "less", _figures(upload, bare, bare.cpu))
        lake = folder / f"lake-{upload.name}-{upload.annotations}"
        if not lake.exists():
            settings = ("--lake", str(lake), "--set", "ingest.decode=false")
            measure(imagelake("ingest", str(archive), "--dataset", DATASET, *settings))
        copy = folder / "copy"
        build = imagelake("build", DATASET, "--lake", str(copy))
        built = []
        for _ in range(runs):
            fresh_copy(lake, copy)
            built.append(measure(build))
        used, idle = middle(built), measure(build)
        beyond = max(used.cpu - idle.cpu, 1e-9)
        yield Row(f"{upload.name}: build", beyond / bare.cpu, "less", _figures(upload, used, beyond) | used.memory())


def _figures(upload: Upload, used: Used, beyond: float) -> dict[str, str]:
    """beyond: CPU seconds beyond those of a build with nothing to do."""
    return used.figures() | {
        "annotations": f"{upload.annotations:,}",
        "per CPU s": f"{upload.annotations / beyond:,.0f}",
    }


BENCHMARK = Benchmark(
    name="build",
    measures="CPU seconds of a build of COCO documents beyond those of a build with nothing to do.",
    baseline="one process that reads the document with json.loads and makes a tuple of each annotation.",
    runs="Medians of three (small) or single runs (full): a build takes a minute and more.",
    small=partial(measure_all, uploads=SMALL, runs=3),
    full=partial(measure_all, uploads=FULL, runs=1),
)
