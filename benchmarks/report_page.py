"""How long a report takes and how large it is: python -m benchmarks report_page --small|--full.

Makes a lake without Spark (a minute for 1,000,000 images): N images of Full HD, five
boxes each in 40 classes, N / 10 refused rows, N / 20 flagged images, N / 4 flagged boxes, N / 200 pairs of equal bytes,
three splits; v2 replaces a hundredth of the images and of the boxes, and the draft is v2. Bytes are those of 400
different JPEG files.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import write_deltalake
from PIL import Image

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.process import imagelake, median
from imagelake.tables import bronze, gold, silver
from imagelake.tables.spec import TableSpec
from lake_tables import arrow_schema
from lakes import LakeMaker

RUNS, FILES, BOXES, CLASSES = 5, 400, 5, 40
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


def measure_all(folder: Path, images: int) -> Iterator[Row]:
    """Each report on a lake of so many images."""
    root = folder / f"report-{images}"
    if not (root / "done").exists():
        make(root, images)
        (root / "done").touch()
    at = ("--lake", str(root), "--json")
    base = median(imagelake("sql", COUNT, "--at", "big@v1", *at), RUNS)
    yield Row("baseline: sql", 1.0, "less", base.figures())
    with tempfile.TemporaryDirectory() as out:
        for ref in REFS:
            used = median(imagelake("report", ref, "--out", f"{out}/r.html", *at), RUNS)
            document = json.loads(used.out)
            page, shown = document["bytes"], document["counts"]["pictures"]
            goal = "yes" if used.wall <= GOAL_SECONDS and page <= GOAL_BYTES else "no"
            more = {"page MB": f"{page / 1e6:.1f}", "pictures": str(shown), "within the goal": goal}
            yield Row(ref, used.cpu / base.cpu, "less", used.figures() | more)


BENCHMARK = Benchmark(
    name="report_page",
    measures=f"CPU seconds of a report with its decoders; the goal is {GOAL_SECONDS} s and {GOAL_BYTES:,} bytes.",
    baseline="`sql` with one count over images and one over annotations of the same version.",
    runs=f"Medians of {RUNS}.",
    small=partial(measure_all, images=20_000),
    full=partial(measure_all, images=1_000_000),
)
