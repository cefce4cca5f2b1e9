"""How long the verbs that look take: python -m benchmarks client --small|--full.

Three lakes are made without Spark (about six minutes in full; --folder keeps them):

    wide    10 datasets, 50,000 images, 250,000 boxes, two versions each
    many    1,000 datasets of 20 images, one version each
    long    one dataset published 300 times, never compacted
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import big_lakes
from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.process import IMPORTS, imagelake, median

PER_CLASS = "select category, count(*) from annotations group by all"
PER_SPLIT = "select split, category, count(*) from annotations join images using (dataset, image_key) group by all"


@dataclass(frozen=True)
class Case:
    """A lake and how it is made, one of its datasets, two of its versions, and the goal for every verb in seconds."""

    name: str
    make: Callable[[Path], object]
    dataset: str
    before: str
    after: str
    goal: float


FULL = (
    Case("wide", big_lakes.wide, "d03", "d03@v1", "d03@v2", 0.7),
    Case("many", big_lakes.many, "d0033", "d0033@v1", "d0033@draft", 1.5),
    Case("long", big_lakes.long, "pets", "pets@v297", "pets@v299", 1.5),
)
SMALL = (
    Case("wide", partial(big_lakes.wide, datasets=4, images=200), "d03", "d03@v1", "d03@v2", 0.7),
    Case("many", partial(big_lakes.many, datasets=40), "d0033", "d0033@v1", "d0033@draft", 1.5),
    Case("long", partial(big_lakes.long, publishes=12), "pets", "pets@v9", "pets@v11", 1.5),
)


def verbs(case: Case) -> Mapping[str, tuple[str, ...]]:
    """Command lines on a lake, by what they show."""
    return {
        "show": ("show",),
        "show a dataset": ("show", case.dataset),
        "show a version": ("show", case.after),
        "show the draft": ("show", f"{case.dataset}@draft"),
        "show --runs": ("show", "--runs"),
        "show --table": ("show", "--table", "gold.image_log"),
        "diff --rows": ("diff", case.before, case.after, "--rows"),
        "rejections": ("rejections", case.dataset),
        "sql, count of images": ("sql", "select count(*) from images"),
        "sql, annotations by category": ("sql", PER_CLASS),
        "sql, annotations by split, --at": ("sql", PER_SPLIT, "--at", case.dataset),
        "sql, changes": ("sql", f"select * from changes('{case.before}', '{case.after}')"),
    }


def measure_all(folder: Path, cases: tuple[Case, ...]) -> Iterator[Row]:
    """Every verb on every lake."""
    base = median(IMPORTS)
    yield Row("import duckdb, deltalake (baseline)", 1.0, "less", base.figures())
    for case in cases:
        lake = folder / case.name
        if not (lake / "done").exists():
            case.make(lake)
            (lake / "done").touch()
        for name, verb in verbs(case).items():
            used = median(imagelake(*verb, "--json", "--lake", str(lake)))
            yield Row(f"{case.name}: {name}", used.cpu / base.cpu, "less", used.figures() | {"goal s": str(case.goal)})


BENCHMARK = Benchmark(
    name="client",
    measures="CPU seconds of each verb that looks, as a whole process without Java.",
    baseline="`import duckdb, deltalake` in a process of its own.",
    runs="Medians of five.",
    small=partial(measure_all, cases=SMALL),
    full=partial(measure_all, cases=FULL),
)
