"""How long the verbs that look take, each as a whole process: python benchmarks/client.py [--lakes FOLDER] [--small]

Three lakes are made without Spark (about six minutes; --lakes keeps them for the next run):

    wide    10 datasets, 50,000 images, 250,000 boxes, two versions each
    many    1,000 datasets of 20 images, one version each
    long    one dataset published 300 times, never compacted

Prints the best of five runs in seconds, the CPU time of that run, its ratio to the baseline `import duckdb, deltalake`
in a process of its own, and the goal. Compare ratios, not seconds, across machines; files are in the page cache.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import big_lakes  # noqa: E402

RUNS = 5
BASELINE = ("-c", "import duckdb, deltalake")
PER_CLASS = "select category, count(*) from annotations group by all"
PER_SPLIT = "select split, category, count(*) from annotations join images using (dataset, image_key) group by all"


@dataclass(frozen=True)
class Case:
    """A lake, one of its datasets, two of its versions, and the goal for every verb in seconds."""

    name: str
    dataset: str
    before: str
    after: str
    goal: float


CASES = (
    Case("wide", "d03", "d03@v1", "d03@v2", 0.7),
    Case("many", "d0033", "d0033@v1", "d0033@draft", 1.5),
    Case("long", "pets", "pets@v{0}", "pets@v{1}", 1.5),
)


def verbs(case: Case) -> list[tuple[str, ...]]:
    """Command lines on a lake."""
    return [
        ("show",),
        ("show", case.dataset),
        ("show", case.after),
        ("show", f"{case.dataset}@draft"),
        ("show", "--runs"),
        ("show", "--table", "gold.image_log"),
        ("diff", case.before, case.after, "--rows"),
        ("rejections", case.dataset),
        ("sql", "select count(*) from images"),
        ("sql", PER_CLASS),
        ("sql", PER_SPLIT, "--at", case.dataset),
        ("sql", f"select * from changes('{case.before}', '{case.after}')"),
    ]


def measure(argv: Sequence[str]) -> tuple[float, float]:
    """(wall, CPU) seconds of the fastest of RUNS processes."""
    best = (float("inf"), 0.0)
    for _ in range(RUNS):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL, env=os.environ)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, (wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return best


def make(folder: Path, small: bool) -> None:
    """The lakes that are not there yet."""
    sizes = {
        "wide": {"datasets": 4, "images": 200} if small else {},
        "many": {"datasets": 40} if small else {},
        "long": {"publishes": 12} if small else {},
    }
    for case in CASES:
        if not (folder / case.name / "done").exists():
            print(f"making {case.name} …", file=sys.stderr)
            getattr(big_lakes, case.name)(folder / case.name, **sizes[case.name])
            (folder / case.name / "done").touch()


def run(folder: Path, small: bool) -> None:
    """Make the lakes and print the table."""
    make(folder, small)
    base, _ = measure(BASELINE)
    print(f"{'lake':6}{'s':>7}{'CPU s':>8}{'ratio':>8}{'goal s':>8}  verb")
    print(f"{'':6}{base:7.2f}{'':8}{1:8.2f}{'':8}  baseline")
    for case in CASES:
        numbers = (9, 11) if small else (297, 299)
        before, after = (ref.format(*numbers) for ref in (case.before, case.after))
        sized = Case(case.name, case.dataset, before, after, case.goal)
        for verb in verbs(sized):
            wall, cpu = measure(("-m", "imagelake", *verb, "--json", "--lake", str(folder / case.name)))
            print(f"{case.name:6}{wall:7.2f}{cpu:8.2f}{wall / base:8.2f}{case.goal:8.1f}  {' '.join(verb)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lakes", type=Path, help="where the lakes are, or are to be made and kept")
    parser.add_argument("--small", action="store_true", help="small lakes: tries the script, proves nothing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.lakes or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run(folder, arguments.small)


if __name__ == "__main__":
    main()
