"""The one entry: python -m benchmarks NAME … | all --small | --full [--check] [--save] [--folder FOLDER]."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import benchmarks
from benchmarks.harness.declare import SIZES, Benchmark
from benchmarks.harness.machine import IDLE, look
from benchmarks.harness.table import Result, committed, losses, markdown, save

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # lakes made without Spark


def names() -> tuple[str, ...]:
    """The benchmarks there are: the modules of this package."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.ispkg and m.name[0] != "_"))


def benchmark(name: str) -> Benchmark:
    """A benchmark by its name."""
    declared: Benchmark = importlib.import_module(f"benchmarks.{name}").BENCHMARK
    return declared


def run(declared: Benchmark, size: str, folder: Path) -> Result:
    """Measure, saying each row as it comes."""
    machine = look()
    if machine.others > IDLE:
        print(f"{declared.name}: others take {machine.others:.0%} of the processor", file=sys.stderr)
    rows = []
    for row in declared.rows(size, folder):
        print(f"{declared.name}: {row.name}: {row.ratio:.2f} {dict(row.figures)}", file=sys.stderr, flush=True)
        rows.append(row)
    return Result(declared.name, size, machine, tuple(rows))


def main(argv: Sequence[str] | None = None) -> int:
    """0, or 1 with the rows that lost on stderr."""
    arguments = _parser().parse_args(argv)
    chosen = names() if "all" in arguments.names else tuple(arguments.names)
    problems: list[str] = []
    for name in chosen:
        declared = benchmark(name)
        with _folder(arguments.folder, name) as folder:
            result = run(declared, arguments.size, folder)
        print(f"## {name}, {result.size}\n\n{declared.measures}\n\nBaseline: {declared.baseline} {declared.runs}\n")
        print(markdown(result), flush=True)
        before = committed(name, result.size)
        if arguments.check and before is None:
            print(f"{name}: there is no committed table of size {result.size} to compare with", file=sys.stderr)
        elif arguments.check and before is not None:
            problems += losses(before, result)
        if arguments.save:
            save(result)
    print("".join(f"{problem}\n" for problem in problems), end="", file=sys.stderr)
    return 1 if problems else 0


@contextmanager
def _folder(kept: Path | None, name: str) -> Iterator[Path]:
    if kept is not None:
        (kept / name).mkdir(parents=True, exist_ok=True)
        yield (kept / name).resolve()
        return
    with tempfile.TemporaryDirectory(prefix=f"imagelake-{name}-") as temporary:
        yield Path(temporary)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*names(), "all"], metavar="NAME", help=", ".join(names()))
    size = parser.add_mutually_exclusive_group(required=True)
    for word in SIZES:
        size.add_argument(f"--{word}", dest="size", action="store_const", const=word)
    parser.add_argument("--check", action="store_true", help="end with 1 where a row lost more than a quarter")
    parser.add_argument("--save", action="store_true", help="make the tables the committed ones")
    parser.add_argument("--folder", type=Path, help="where lakes and uploads are made and kept for the next run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
