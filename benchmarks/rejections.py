"""A million rejections, filtered and exported: python benchmarks/rejections.py [--rows N] [--lake FOLDER]

One dataset of five COCO documents is made without Spark, every fourth of whose annotations is refused. Prints wall
seconds and peak memory of each command line as a process of its own, with the ratio of both to the baseline: a process
that reads the same rows, all columns, into Python with DuckDB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from imagelake.tables import bronze, silver  # noqa: E402
from lake_tables import arrow_schema  # noqa: E402
from lakes import LakeMaker  # noqa: E402

DOCUMENTS, EVERY, PER_IMAGE = 5, 4, 8
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
PEAK = "[line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1]"
"""Of this program alone: what getrusage says begins with the parent's."""

WATCHED = f"{{}}\nprint({PEAK})"
VERB = (
    "from imagelake.cli.main import main; import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()): main()"
)


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


def measure(code: str, *argv: str) -> tuple[float, float]:
    """(wall seconds, peak MB) of a process."""
    start = time.perf_counter()
    command = [sys.executable, "-c", WATCHED.format(code), *argv]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return time.perf_counter() - start, int(done.stdout.split()[-1]) / 1024


def run(root: Path, out: Path) -> None:
    """Print the table."""
    base = measure(BASELINE, str(root))
    print(f"{'s':>7}{'ratio':>8}{'MB':>8}{'ratio':>8}  command")
    print(f"{base[0]:7.2f}{1:8.2f}{base[1]:8.0f}{1:8.2f}  baseline: every row into Python")
    lines: Sequence[tuple[str, ...]] = (
        ("rejections", "pets"),
        ("rejections", "pets", "--rule", "*.bbox_*", "--path", "3*"),
        ("rejections", "pets", "--limit", "10000"),
        ("rejections", "pets", "--export", str(out)),
    )
    for line in lines:
        wall, memory = measure(VERB, *line, "--json", "--lake", str(root))
        shown = " ".join(line).replace(str(out), "FOLDER")
        print(f"{wall:7.2f}{wall / base[0]:8.2f}{memory:8.0f}{memory / base[1]:8.2f}  {shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rejections")
    parser.add_argument("--lake", type=Path, help="where the lake is, or is to be made and kept")
    arguments = parser.parse_args()
    temporary = Path(tempfile.mkdtemp())
    try:
        root = arguments.lake or temporary / "lake"
        if not root.exists():
            make(root, arguments.rows)
        run(root, temporary / "out")
    finally:
        shutil.rmtree(temporary)


if __name__ == "__main__":
    main()
