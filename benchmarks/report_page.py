"""How long a report takes and how large it is: python benchmarks/report_page.py [--lakes FOLDER] [--images N]

Makes a lake without Spark (a minute for 1,000,000 images; --lakes keeps it for the next run): N images of Full HD, five
boxes each in 40 classes, N / 10 refused rows, N / 20 flagged images, N / 4 flagged boxes, N / 200 pairs of equal bytes,
three splits; v2 replaces a hundredth of the images and of the boxes, and the draft is v2. Bytes are those of 400
different JPEG files.

Prints for every reference the seconds of the whole process (best of three), its CPU time with that of its decoders, its
peak memory, the size of the page, how many pictures it has, and the load of the machine (of 2 cores more than 2 means
that others worked too); the baseline is `sql` with one count over images and one over annotations of the same version.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import write_deltalake
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from imagelake.tables import bronze, gold, silver  # noqa: E402
from imagelake.tables.spec import TableSpec  # noqa: E402
from lake_tables import arrow_schema  # noqa: E402
from lakes import LakeMaker  # noqa: E402

RUNS, FILES, BOXES, CLASSES = 3, 400, 5, 40
GOAL_SECONDS, GOAL_BYTES = 10, 20_000_000
REFS = ("big@v1", "big@v2", "big@v1..big@v2", "big@draft")
CLASS = f"format('class {{:02d}}', (hash(j) % {CLASSES})::INTEGER)"
SPLIT = "CASE i % 10 WHEN 8 THEN 'val' WHEN 9 THEN 'test' ELSE 'train' END"
COUNT = "select (select count(*) from images) as images, (select count(*) from annotations) as annotations"


def jpeg(seed: int) -> bytes:
    """A picture of 1920 x 1080 with soft shapes and grain, about 300 KB."""
    draw = hashlib.shake_256(str(seed).encode())
    soft = Image.frombytes("RGB", (16, 9), draw.digest(16 * 9 * 3)).resize((1920, 1080), Image.Resampling.BICUBIC)
    grain = Image.effect_noise((1920, 1080), 24).convert("RGB")
    out = io.BytesIO()
    Image.blend(soft, grain, 0.25).save(out, "JPEG", quality=80)
    return out.getvalue()


def make(root: Path, images: int) -> None:
    """The lake."""
    maker, con = LakeMaker(root), duckdb.connect()
    for n in range(CLASSES):
        maker.draft("big").category(f"class {n:02d}")
    maker.keep("big", [jpeg(n) for n in range(FILES)])
    maker.deliver("big", source="file:///uploads/big.zip", format="coco")
    places = maker.pending.pop(bronze.BLOBS.name)
    con.execute(
        "CREATE TABLE places AS SELECT unnest($1::BIGINT[]) AS o, unnest($2::BIGINT[]) AS l, unnest($3::BIGINT[]) AS c",
        [[p[k] for p in places] for k in ("offset", "length", "crc32")],
    )
    con.execute("CREATE TABLE numbered AS SELECT row_number() OVER () - 1 AS p, * FROM places")
    quality = json.dumps({"passed": True, "problems": []})
    for number in (1, 2):
        maker.draft("big").number = number - 1
        counts = {"images": images, "annotations": images * BOXES, "categories": CLASSES}
        stats = _stats(con, images, 0 if number == 1 else images // 100)
        maker.publish("big", publish_id=f"p{number}", quality=quality, last_sequence=1, **counts, **stats)
    maker.pending[gold.CATEGORY_LOG.name] = [
        row | {"publish_id": "p1"} for row in maker.pending[gold.CATEGORY_LOG.name] if row["added_in"] == 1
    ]
    maker.flush()
    _rows(con, root, images, str(places[0]["uri"]))


def _stats(con: duckdb.DuckDBPyConnection, images: int, first: int) -> dict[str, str]:
    """What the row of a version says of classes and splits, whose images are numbered from `first` on."""
    of_class = con.execute(
        f"SELECT {CLASS}, count(*) FROM range({first * BOXES}, {(first + images) * BOXES}) AS t(j) GROUP BY ALL"
    ).fetchall()
    of_split = con.execute(f"SELECT {SPLIT}, count(*) FROM range({first}, {first + images}) AS t(i) GROUP BY ALL")
    return {
        "class_stats": json.dumps({name: {"images": 0, "annotations": n} for name, n in of_class}),
        "split_stats": json.dumps({name: {"images": n, "annotations": 0} for name, n in of_split.fetchall()}),
    }


def _rows(con: duckdb.DuckDBPyConnection, root: Path, images: int, uri: str) -> None:
    """The logs of two versions, the draft, blobs and rejections: `i` numbers images, from `images` on those of v2."""
    changed = images // 100
    span = images + changed
    stamp = (
        f"CASE WHEN i < {images} THEN 1 ELSE 2 END AS added_in, "
        f"CASE WHEN i < {images} THEN 'p1' ELSE 'p2' END AS publish_id"
    )
    key, same = "format('{:08d}.jpg', i)", "sha256((i - (i % 200 = 1)::INTEGER)::VARCHAR)"
    image = (
        f"SELECT 'big' AS dataset, {key} AS image_key, {same} AS content_hash, 1920 AS width, "
        "1080 AS height, 1 AS orientation, CASE WHEN i % 50 = 7 THEN [] ELSE ['box'] END AS labelled, "
        "CASE WHEN i % 20 = 3 THEN ['image.suffix'] ELSE [] END AS flags, unhex(sha256('i' || i)) AS row_hash, "
        f"uuid()::VARCHAR AS row_id, {stamp} FROM range({span}) AS t(i)"
    )
    box = (
        f"SELECT 'big' AS dataset, sha256('a' || j) AS annotation_key, {key} AS image_key, 'box' AS kind, "
        f"{CLASS} AS category, "
        "{'x': (hash(j) % 1500)::DOUBLE, 'y': (hash(j + 1) % 800)::DOUBLE, 'w': (8 + hash(j + 2) % 400)::DOUBLE, "
        "'h': (8 + hash(j + 3) % 270)::DOUBLE} AS bbox, "
        "CASE WHEN j % 20 = 3 THEN ['annotation.box_clipped'] ELSE [] END AS flags, "
        "unhex(sha256('b' || j)) AS row_hash, "
        f"'a' || j AS row_id, {stamp} FROM (SELECT j, j // {BOXES} AS i FROM range({span * BOXES}) AS t(j))"
    )
    con.execute(f"CREATE TABLE image AS {image}")
    con.execute(f"CREATE TABLE box AS {box}")
    _append(con, root, gold.IMAGE_LOG, "SELECT * FROM image")
    _append(con, root, gold.ANNOTATION_LOG, "SELECT * FROM box")
    for entity, table, count in (("image", "image", changed), ("annotation", "box", changed * BOXES)):
        _append(
            con, root, gold.CLOSINGS,
            f"SELECT 'big' AS dataset, '{entity}' AS entity, row_id, 2 AS removed_in, 'p2' AS publish_id FROM {table} "
            f"LIMIT {count}",
        )  # fmt: skip
    _append(
        con, root, gold.SPLIT_LOG,
        f"SELECT 'big' AS dataset, 1 AS recipe, {key} AS image_key, {SPLIT} AS split, uuid()::VARCHAR AS row_id, "
        f"{stamp} FROM range({span}) AS t(i)",
    )  # fmt: skip
    _append(con, root, silver.IMAGES, f"SELECT * EXCLUDE (row_id, added_in, publish_id) FROM image OFFSET {changed}")
    gone = f"OFFSET {changed * BOXES}"
    _append(con, root, silver.ANNOTATIONS, f"SELECT * EXCLUDE (row_id, added_in, publish_id) FROM box {gone}")
    _append(
        con, root, bronze.BLOBS,
        f"SELECT 'big' AS dataset, sha256(i::VARCHAR) AS content_hash, '{uri}' AS uri, o AS \"offset\", l AS length, "
        f"l AS size, 'stored' AS codec, c AS crc32, 'live' AS state, now() AS at FROM range({span}) AS t(i) "
        f"JOIN numbered ON p = i % {FILES}",
    )  # fmt: skip
    _append(
        con, root, silver.REJECTIONS,
        "SELECT 'big' AS dataset, uuid()::VARCHAR AS rejection_id, 'annotation' AS entity, "
        f"format('{{:08d}}.jpg', i * 7 % {images}) AS image_key, 'train.json' AS path, "
        "'annotations[' || i || ']' AS locator, "
        "CASE i % 3 WHEN 0 THEN 'annotation.box_degenerate' ELSE 'annotation.box_outside' END AS rule, "
        "'box x=1910.0 y=40.0 w=0.0 h=90.0: width and height must be positive' AS message, '{}' AS raw, "
        f"1 AS delivery, '2026-01-01 00:00:01+00'::TIMESTAMPTZ AS opened_at FROM range({images // 10}) AS t(i)",
    )  # fmt: skip


def _append(con: duckdb.DuckDBPyConnection, root: Path, spec: TableSpec, query: str) -> None:
    source = con.sql(query).to_arrow_table()
    schema = arrow_schema(spec)
    columns = [source.column(c).cast(schema.field(c).type) if c in source.column_names else None for c in schema.names]
    filled = [pa.nulls(source.num_rows, f.type) if c is None else c for c, f in zip(columns, schema, strict=True)]
    write_deltalake(str(root / spec.path), pa.table(filled, schema=schema), mode="append")


PEAK = """
import re, sys
from pathlib import Path
from imagelake.cli.main import main
code = main(sys.argv[1:])
print(int(re.search("VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1]) // 1024, file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Measured:
    """The fastest of RUNS processes: wall time, CPU time with its decoders, own peak memory in MB, what it printed."""

    seconds: float
    cpu: float
    peak: int
    out: str


def measure(line: Sequence[str]) -> Measured:
    runs = []
    for _ in range(RUNS):
        start, before = time.perf_counter(), _cpu()
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *line], check=True, capture_output=True, text=True, env=os.environ
        )
        seconds = time.perf_counter() - start
        runs.append(Measured(seconds, _cpu() - before, int(done.stderr.split()[-1]), done.stdout))
    return min(runs, key=lambda run: run.seconds)


def _cpu() -> float:
    """Seconds of CPU that all processes have taken that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(folder: Path, images: int) -> None:
    """Make the lake and print the table."""
    root = folder / f"report-{images}"
    if not (root / "done").exists():
        make(root, images)
        (root / "done").touch()
    lake = ("--lake", str(root), "--json")
    base = measure(("sql", COUNT, "--at", "big@v1", *lake))
    print(f"{'reference':16}{'s':>7}{'ratio':>7}{'CPU s':>7}{'peak MB':>9}{'page MB':>9}{'pictures':>10}{'load':>7}")
    print(f"{'baseline: sql':16}{base.seconds:7.2f}{1:7.2f}{base.cpu:7.2f}{base.peak:9,}")
    with tempfile.TemporaryDirectory() as out:
        for ref in REFS:
            taken = measure(("report", ref, "--out", f"{out}/r.html", *lake))
            document = json.loads(taken.out)
            size, shown = document["bytes"], document["counts"]["pictures"]
            good = "" if taken.seconds <= GOAL_SECONDS and size <= GOAL_BYTES else "  above the goal"
            print(
                f"{ref:16}{taken.seconds:7.2f}{taken.seconds / base.seconds:7.2f}{taken.cpu:7.2f}{taken.peak:9,}"
                f"{size / 1e6:9.1f}{shown:10}{os.getloadavg()[0]:7.1f}{good}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lakes", type=Path, help="where the lake is, or is to be made and kept")
    parser.add_argument("--images", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.lakes or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run(folder, arguments.images)


if __name__ == "__main__":
    main()
