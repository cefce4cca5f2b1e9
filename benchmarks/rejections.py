"""A million rejections, filtered and exported: python -m benchmarks rejections --small|--full.

One dataset of five COCO documents is made without Spark, every fourth of whose annotations is refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.process import Used, imagelake, measure, median, middle
from imagelake.tables import bronze, silver
from lake_tables import arrow_schema
from lakes import LakeMaker

DOCUMENTS, EVERY, PER_IMAGE = 5, 4, 8
EXPORTS = 2
RULES = (
    "annotation.box_degenerate",
    "annotation.box_outside",
    "annotation.category_unknown",
    "annotation.bbox_invalid",
)
BASELINE = """
import sys, duckdb
duckdb.sql(f"select * from read_parquet('{sys.argv[1]}/tables/silver/rejections/**/*.parquet')").fetchall()
"""


def annotation(number: int) -> str:
    """A COCO annotation as text."""
    image = number // PER_IMAGE
    return (
        f'{{"id": {number}, "image_id": {image}, "category_id": 1, "bbox": [{number % 600}, 1, 20, 0], "iscrowd": 0}}'
    )


def make(root: Path, rows: int) -> None:
    """The lake: documents in bronze, refused rows in silver."""
    lake, each = LakeMaker(root), rows // DOCUMENTS
    upload = hashlib.sha256(b"upload").hexdigest()
    for place in range(DOCUMENTS):
        images = [{"id": i, "file_name": f"{place}/{i}.jpg"} for i in range(each * EVERY // PER_IMAGE + 1)]
        labels = ",\n".join(map(annotation, range(each * EVERY)))
        text = (
            f'{{"images": {json.dumps(images)}, "annotations": [{labels}], "categories": [{{"id": 1, "name": "cat"}}]}}'
        )
        data = text.encode()
        file = {
            "dataset": "pets",
            "attempt_id": "a",
            "path": f"{place}.json",
            "role": "annotation",
            "length": len(data),
        }
        lake.add(bronze.FILES, file | {"content_hash": hashlib.sha256(data).hexdigest()})
        lake.keep("pets", [data], "deflate")
        write(root, upload, place, each)
    lake.deliver("pets", upload_id=upload, attempt_id="a", format="coco", source="up.zip")
    lake.flush()


def write(root: Path, upload: str, place: int, count: int) -> None:
    """The refused rows of one document, as one file."""
    numbers = range(0, count * EVERY, EVERY)
    columns = {
        "dataset": ["pets"] * count,
        "rejection_id": [hashlib.sha256(f"{place}/{n}".encode()).hexdigest() for n in numbers],
        "entity": ["annotation"] * count,
        "image_key": [f"{place}/{n // PER_IMAGE}.jpg" for n in numbers],
        "kind": ["box"] * count,
        "path": [f"{place}.json"] * count,
        "locator": [f"annotations[{n}] id {n}" for n in numbers],
        "rule": [RULES[(n // EVERY) % len(RULES)] for n in numbers],
        "severity": ["reject"] * count,
        "message": [f"box x={n % 600} y=1 w=20 h=0: width and height must be positive" for n in numbers],
        "raw": [annotation(n) for n in numbers],
        "upload_id": [upload] * count,
        "delivery": [1] * count,
    }
    schema = arrow_schema(silver.REJECTIONS)
    arrays = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(count, f.type) for f in schema]
    write_deltalake(str(root / silver.REJECTIONS.path), pa.table(arrays, schema=schema), mode="append")


def measure_all(folder: Path, rows: int) -> Iterator[Row]:
    """Each command on a lake of so many rejections."""
    root = folder / f"lake-{rows}"
    if not (root / "done").exists():
        make(root, rows)
        (root / "done").touch()
    base = median((sys.executable, "-c", BASELINE, str(root)))
    yield from _rows("baseline: every row into Python", base, base)
    at = ("--json", "--lake", str(root))
    for line in (("pets",), ("pets", "--rule", "*.bbox_*", "--path", "3*"), ("pets", "--limit", "10000")):
        yield from _rows(f"rejections {' '.join(line)}", median(imagelake("rejections", *line, *at)), base)
    several = []
    for _ in range(EXPORTS):
        shutil.rmtree(folder / "out", ignore_errors=True)
        several.append(measure(imagelake("rejections", "pets", "--export", str(folder / "out"), *at)))
    yield from _rows("rejections pets --export FOLDER", middle(several), base)


def _rows(name: str, used: Used, base: Used) -> Iterator[Row]:
    yield Row(f"{name}: CPU", used.cpu / base.cpu, "less", used.figures())
    yield Row(f"{name}: peak memory", used.largest / base.largest, "less")


BENCHMARK = Benchmark(
    name="rejections",
    measures="CPU seconds and peak memory of the verbs that look at rejections, each as a whole process.",
    baseline="a process that reads the same rows, all columns, into Python with DuckDB.",
    runs=f"Medians of five; exports, which take most of a minute, of {EXPORTS}.",
    small=partial(measure_all, rows=50_000),
    full=partial(measure_all, rows=1_000_000),
)
