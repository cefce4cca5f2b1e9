"""What reading large versions costs as whole processes: python -m benchmarks reads --small|--full [--folder FOLDER]."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.harness import bulk_lake
from benchmarks.harness.bulk_lake import Bulk
from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.process import IMPORTS, RUNS, Used, imagelake, median

FEW, MANY = 3, 3
"""Of verify and of differences of every row, which take a minute: so many runs."""

SCAN = """
import sys, duckdb
files = f"read_parquet('{sys.argv[1]}/tables/gold/%s/**/*.parquet', hive_partitioning = false)"
con = duckdb.connect()
for table in sys.argv[2:]:
    con.sql("SELECT * FROM " + files % table).to_arrow_table()
"""
OPEN = "import sys, imagelake\nlake = imagelake.open(sys.argv[1])\n"
LOAD = OPEN + "samples = lake.load('big@v2')\nassert len(samples) == int(sys.argv[2])\n"
ONE = OPEN + f"samples = lake.load('big@v2', images=['{bulk_lake.key(7)}'])\nassert len(samples) == 1\n"
SPLIT = OPEN + "samples = lake.load('big@v2', split='val')\nassert len(samples) == int(sys.argv[2]) // 5\n"


def measure_all(folder: Path, loaded: int, compared: int) -> Iterator[Row]:
    """Loads of `loaded` images with five boxes each; differences of versions of `compared` boxes."""
    lake = bulk_lake.make(folder / f"load-{loaded}", Bulk(loaded, 5, 100))
    imports = median(IMPORTS)
    scan = median((sys.executable, "-c", SCAN, str(lake), "image_log", "annotation_log"))
    yield _row("DuckDB reads every column of both logs (baseline of loads)", scan, scan)
    loads = {
        f"load of {loaded:,} images, {5 * loaded:,} boxes": LOAD,
        "load of one split of five": SPLIT,
        "load of one image": ONE,
    }
    for name, code in loads.items():
        yield _row(name, median((sys.executable, "-c", code, str(lake), str(loaded))), scan)
    for verb in (("show",), ("show", "big@v2"), ("sql", "select count(*) from images")):
        used = median(imagelake(*verb, "--json", "--lake", str(lake)))
        yield _row(f"{' '.join(verb)}, against importing DuckDB", used, imports)
    yield from _differences(folder, compared)
    verify = median(imagelake("verify", "big@v2", "--rows-only", "--lake", str(lake)), FEW)
    yield _row(f"verify --rows-only of {loaded:,} images, median of {FEW}", verify, scan)


def _differences(folder: Path, annotations: int) -> Iterator[Row]:
    for every, share in ((100, "a hundredth"), (10, "a tenth"), (1, "all")):
        lake = bulk_lake.make(folder / f"diff-{annotations}-{every}", Bulk(annotations // 5, 5, every))
        scan = median((sys.executable, "-c", SCAN, str(lake), "annotation_log", "closings"))
        about = f"diff of two versions of {annotations:,} boxes, {share} of them changed"
        verb: Sequence[str] = ("diff", "big@v1", "big@v2", "--json", "--lake", str(lake))
        yield _row(about, median(imagelake(*verb), RUNS if every > 1 else MANY), scan)
        if every == 10:
            yield _row(f"{about}, with rows", median(imagelake(*verb, "--rows")), scan)


def _row(name: str, used: Used, base: Used) -> Row:
    return Row(name, used.cpu / base.cpu, "less", used.figures() | {"s / baseline": f"{used.wall / base.wall:.2f}"})


BENCHMARK = Benchmark(
    name="reads",
    measures="CPU seconds of load, diff and verify on large versions, each as a whole process without Java.",
    baseline="DuckDB reads every column of the same logs into Arrow; for verbs that look, importing DuckDB.",
    runs=f"Medians of {RUNS}; verify, and differences of every box, of {FEW}: they take up to minutes.",
    small=partial(measure_all, loaded=20_000, compared=50_000),
    full=partial(measure_all, loaded=500_000, compared=1_000_000),
)
