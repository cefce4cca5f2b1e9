"""What small uploads cost as whole processes: python -m benchmarks small_runs --small|--full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.harness.coco import Labels, upload
from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.lakes import fresh_copy
from benchmarks.harness.process import RUNS, Used, imagelake, measure, middle

PICTURES, BOXES, DATASET = 60, 3, "pets"
IMAGES_EACH = 20
_EXECUTION = "SparkListenerSQLExecutionStart"


def measure_all(folder: Path, batches: Sequence[int]) -> Iterator[Row]:
    """The runs of one dataset, then batches of so many datasets and the cost of each further one."""
    lake = _base(folder)
    build = imagelake("build", DATASET, "--lake", str(folder / "copy"))
    base = _repeated(lake, folder / "copy", build)
    base_queries = _queries(folder, fresh_copy(lake, folder / "copy"), build)
    yield Row("empty build (baseline)", 1.0, "less", base.figures() | {"SQL executions": str(base_queries)})
    second = upload(folder / "second.zip", Labels(range(PICTURES, 2 * PICTURES), BOXES, 2))
    runs = {
        f"run of {PICTURES} pictures and {PICTURES * BOXES} boxes": ("run", str(second), "--dataset", DATASET),
        "run of an unchanged upload": ("run", str(folder / "first.zip"), "--dataset", DATASET),
        "publish without a difference": ("publish", DATASET),
    }
    for name, verb in runs.items():
        command = imagelake(*verb, "--lake", str(folder / "copy"))
        used = _repeated(lake, folder / "copy", command)
        queries = _queries(folder, fresh_copy(lake, folder / "copy"), command)
        figures = used.figures() | {"SQL executions": str(queries), "s / baseline": f"{used.wall / base.wall:.2f}"}
        yield Row(name, used.cpu / base.cpu, "less", figures)
        yield Row(f"{name}: SQL executions", queries / max(1, base_queries), "less")
    yield from _batches(folder, lake, batches, base)


def _base(folder: Path) -> Path:
    """A lake with one published dataset; its settings are compiled, its class archive is made."""
    lake = folder / "lake"
    first = upload(folder / "first.zip", Labels(range(PICTURES), BOXES, 1))
    if not (folder / "done").exists():
        measure(imagelake("run", str(first), "--dataset", DATASET, "--lake", str(lake)))
        (folder / "done").touch()
    return lake


def _repeated(lake: Path, copy: Path, command: Sequence[str]) -> Used:
    several = []
    for _ in range(RUNS):
        fresh_copy(lake, copy)
        several.append(measure(command))
    return middle(several)


def _queries(folder: Path, copy: Path, command: Sequence[str]) -> int:
    """Spark SQL executions of a command, from Spark's event log, in a run of its own: the log takes time."""
    events = folder / "events"
    events.mkdir(exist_ok=True)
    before = set(events.iterdir())
    conf = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.rolling.enabled": "false",
    }
    settings = folder / "events.yaml"
    settings.write_text(json.dumps({"spark": {"conf": conf | {"spark.eventLog.compress": "false"}}}))
    measure([*command, "--conf", str(settings)])
    logs = [path for path in events.iterdir() if path not in before]
    if not logs:
        return 0  # no session was started
    return sum(_EXECUTION in line[:120] for path in logs for line in path.read_text("utf-8").splitlines())


def _batches(folder: Path, lake: Path, batches: Sequence[int], base: Used) -> Iterator[Row]:
    measured: list[tuple[int, Used]] = []
    for count in batches:
        copy = fresh_copy(lake, folder / "copy")
        for number in range(count):
            place, start = copy / "landing" / f"d{number:03d}", 1_000 * (number + 1)
            upload(place / "up.zip", Labels(range(start, start + IMAGES_EACH), BOXES, number))
            (place / "up.ready").touch()
            (copy / "datasets").mkdir(exist_ok=True)
            (copy / "datasets" / f"d{number:03d}.yaml").write_text("publish: auto\n")
        used = measure(imagelake("run", "--landing", "--lake", str(copy)))
        measured.append((count, used))
        each = f"{(used.cpu - base.cpu) / count:.2f}"
        name = f"batch of {count} datasets of {IMAGES_EACH} images"
        yield Row(name, used.cpu / base.cpu, "less", used.figures() | {"CPU s a dataset": each})
    (few, first), (many, last) = measured[0], measured[-1]
    slope, wall = (last.cpu - first.cpu) / (many - few), (last.wall - first.wall) / (many - few)
    figures = {"s": f"{wall:.2f}", "CPU s": f"{slope:.2f}"}
    yield Row(f"each further dataset, from {few} to {many}", slope / base.cpu, "less", figures)


BENCHMARK = Benchmark(
    name="small_runs",
    measures="CPU seconds of small uploads into an existing lake and of batches of small datasets.",
    baseline="a build with nothing to do: Python, Java, the session and a look at the lake.",
    runs="Medians of five runs, each on a fresh copy of the lake; batches and SQL executions once: they take minutes.",
    small=partial(measure_all, batches=(5, 25)),
    full=partial(measure_all, batches=(5, 25, 100)),
)
