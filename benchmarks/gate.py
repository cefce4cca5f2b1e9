"""What the gate costs on a draft of many rows: the query of measures, their suite, and the suites of whole tables.

    python -m benchmarks gate --small|--full

A fifth of the rows are images, the rest boxes; a hundredth more is refused.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.process import median_seconds
from imagelake.config.dataset_settings import DatasetSettings
from imagelake.config.settings import load
from imagelake.gold.measures.measure import measure
from imagelake.gold.measures.relations import draft_relations
from imagelake.gold.plan import Uploads
from imagelake.quality.dataset_checks import dataset_thresholds
from imagelake.quality.expectations import validate
from imagelake.quality.expectations.project import in_project
from imagelake.quality.gate import judge
from imagelake.quality.measures import Measures
from imagelake.quality.suites.judge import judge_tables
from imagelake.quality.suites.state import TABLES
from imagelake.quality.suites.suite_frames import frames_of
from imagelake.runs.context import Context, system_clock
from imagelake.runs.open_run import open_context
from imagelake.storage.open_lake import create_lake
from imagelake.tables import silver
from imagelake.tables.frames import collected
from imagelake.tables.spec import TableSpec

CLASSES, DATASET = 40, "big"


def make(ctx: Context, rows: int) -> None:
    """The draft."""
    images, boxes = rows // 5, rows - rows // 5
    i = F.col("id")
    key = F.format_string("%08d.jpg", i)
    append(
        ctx,
        silver.IMAGES,
        images,
        image_key=key,
        content_hash=F.sha2(i.cast("string"), 256),
        media_type=F.lit("image/jpeg"),
        length=i + 1,
        width=F.lit(1920),
        height=F.lit(1080),
        orientation=F.lit(1),
        mode=F.lit("RGB"),
        frames=F.lit(1),
        labelled=F.array(F.lit("box")),
        flags=F.when(i % 20 == 3, F.array(F.lit("image.unlisted"))).otherwise(F.array().cast("array<string>")),
    )
    side = {"x": i % 1500, "y": i % 800, "w": 8 + i % 400, "h": 8 + i % 270}
    append(
        ctx,
        silver.ANNOTATIONS,
        boxes,
        annotation_key=F.sha2(F.concat(F.lit("a"), i.cast("string")), 256),
        image_key=F.format_string("%08d.jpg", i % images),
        kind=F.lit("box"),
        category=F.format_string("class %02d", i % CLASSES),
        bbox=F.struct(*(value.cast("double").alias(name) for name, value in side.items())),
        box_space=F.lit("same"),
        area=F.lit(64.0),
        is_crowd=F.lit(False),
        flags=F.array().cast("array<string>"),
    )
    append(ctx, silver.CATEGORIES, CLASSES, name=F.format_string("class %02d", i), train_index=i.cast("int"))
    append(
        ctx,
        silver.REJECTIONS,
        rows // 100,
        rejection_id=F.sha2(i.cast("string"), 256),
        entity=F.lit("annotation"),
        rule=F.lit("annotation.box_degenerate"),
        message=F.lit("width and height must be positive"),
        upload_id=F.lit("u"),
        opened_at=F.current_timestamp(),
    )


def append(ctx: Context, spec: TableSpec, count: int, **columns: object) -> None:
    filled = {"dataset": F.lit(DATASET), **columns}
    values = [
        (filled[c.name] if c.name in filled else F.lit(None)).cast(c.type).alias(c.name)  # type: ignore[attr-defined]
        for c in spec.columns
    ]
    ctx.tables.append(spec, ctx.spark.range(count).select(*values).coalesce(2))


def scan(ctx: Context) -> None:
    """Every column of every row, once."""
    for spec in TABLES:
        ctx.tables.read(spec, DATASET).agg(F.max(F.xxhash64(*spec.names))).collect()


def every_check(frames: dict[str, DataFrame]) -> None:
    """All checks of all tables, each table in one query of its own."""
    for frame in frames.values():
        checks = [F.count(name) for name in frame.columns if name.startswith("breaks_")]
        frame.agg(F.count("*"), *checks).collect()


def measure_all(folder: Path, rows: int) -> Iterator[Row]:
    """Make the lake and measure on it."""
    root = folder / "lake"
    shutil.rmtree(root, ignore_errors=True)
    settings = load(None, [f"lake={root}"])
    ctx = open_context(settings, create_lake(str(root), system_clock))
    make(ctx, rows)
    start = time.perf_counter()
    validate.load()
    imported = time.perf_counter() - start
    chosen = DatasetSettings()
    versions = {spec.name: ctx.tables.version(spec) for spec in TABLES[:3]}
    drawn = F.when(F.crc32("image_key") % 10 < 8, "train").otherwise("val")
    splits = collected(ctx.tables.read(silver.IMAGES, DATASET).select("image_key", drawn.alias("split")))

    def measured() -> Measures:
        with draft_relations(ctx.tables, DATASET, versions, splits) as relations:
            return measure(relations, Uploads((), None), None)

    measures = measured()
    verdict = judge(measures, chosen.gate, dataset_thresholds(measures, chosen))
    assert verdict.passed, verdict.problems

    def measures_suite() -> None:
        in_project(ctx.storage, DATASET, lambda folder: validate.check_measures(folder, DATASET, verdict, ()))

    def whole_tables() -> None:
        suites = judge_tables(ctx, DATASET).suites
        assert not any(suite.problems for suite in suites), suites

    works: dict[str, Callable[[], object]] = {
        "query of measures, which every publish makes": measured,
        "every check of stored rows, one query a table": lambda: every_check(frames_of(ctx.tables, DATASET, chosen)),
        "suite of measures, its pages included": measures_suite,
        "suites of whole tables, pages included": whole_tables,
    }
    base = median_seconds(lambda: scan(ctx))
    yield Row("baseline: plain scan", 1.0, "less", {"s": f"{base:.2f}"})
    yield Row("import of the library", imported / base, "less", {"s": f"{imported:.2f}"})
    for name, work in works.items():
        seconds = median_seconds(work)
        yield Row(name, seconds / base, "less", {"s": f"{seconds:.2f}"})


BENCHMARK = Benchmark(
    name="gate",
    measures="Seconds of a warm session to judge a draft in 40 classes, a fifth of whose rows are images.",
    baseline="a plain scan: one query a table that reads every column of every row.",
    runs="Medians of five; the import of the library once.",
    small=partial(measure_all, rows=50_000),
    full=partial(measure_all, rows=1_000_000),
)
