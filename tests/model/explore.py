"""Looks for differences, makes them small, and prints a script that shows them again.

python -m tests.model.explore SEED … [--steps N] [--plain] [--shrink SECONDS] [--brief] [--no-views]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.model import zips
from tests.model.histories import Step, history
from tests.model.machine import Difference, Machine

IMPORTS = """from tests.model.draft import Settings
from tests.model.explore import replay
from tests.model.histories import Step
from tests.model.uploads import Document, Entry, Label, Lines, Other, Upload
from tests.model.zips import picture
"""


@dataclass(frozen=True)
class Explorer:
    """A lake in which every history has a dataset of its own; `views` says whether the draft's splits are compared."""

    spark: Any
    folder: Path
    views: bool = True

    def difference(self, steps: Sequence[Step]) -> Difference | None:
        """The first difference of a history, if there is one."""
        return self.run(steps)[0]

    def run(self, steps: Sequence[Step]) -> tuple[Difference | None, int]:
        """The first difference of a history, if there is one, and how many of its steps were killed."""
        machine = Machine(self.spark, self.folder / "lake", self.folder, views=self.views)
        try:
            machine.run(steps)
        except Difference as difference:
            return difference, machine.kills
        return None, machine.kills

    def smallest(self, steps: Sequence[Step], difference: Difference, seconds: float) -> tuple[list[Step], Difference]:
        """Fewer steps, uploads and files that still differ, as far as the time allows."""
        end = time.monotonic() + seconds
        small, again = list(steps[: difference.step + 1]), True
        while again:
            again = False
            for smaller in thinner(small):
                if time.monotonic() > end:
                    return small, difference
                found = self.difference(smaller)
                if found is not None:
                    small, difference, again = smaller, found, True
                    break
        return small, difference


def thinner(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """The same steps without one of them, without one upload of a batch, without one file of an upload."""
    for n in range(len(steps) - 2, -1, -1):
        yield [*steps[:n], *steps[n + 1 :]]
    for n, step in enumerate(steps):

        def put(*uploads: Any, n: int = n, step: Step = step) -> list[Step]:
            return [*steps[:n], replace(step, uploads=uploads), *steps[n + 1 :]]

        for u, upload in enumerate(step.uploads):
            if len(step.uploads) > 1:
                yield put(*step.uploads[:u], *step.uploads[u + 1 :])
            for path, _ in upload.files if len(upload.files) > 1 else ():
                thin = replace(upload, files=tuple(f for f in upload.files if f[0] != path))
                yield put(*step.uploads[:u], thin, *step.uploads[u + 1 :])


def script(steps: Sequence[Step]) -> str:
    """Python that runs these steps and prints the difference."""
    lines = ",\n    ".join(zips.as_code(step) for step in steps)
    return f"{IMPORTS}\nreplay([\n    {lines},\n])\n"


def replay(steps: Sequence[Step]) -> None:
    """Run steps in a session and a lake of their own; Difference if they differ."""
    with tempfile.TemporaryDirectory(prefix="imagelake-model-") as folder:
        difference = Explorer(session(), Path(folder)).difference(steps)
    if difference is not None:
        raise difference


def session() -> Any:
    """A Spark session of this process alone."""
    from tests.conftest import small_settings

    from imagelake.engine.session import open_session

    return quick(open_session(small_settings(), "imagelake model"))


def quick(spark: Any) -> Any:
    """A session beside this one for the smallest of uploads.

    One partition each, a table's files from its last commit, and no plan made anew between two stages.
    """
    beside = spark.newSession()
    for name in ("shuffle.partitions", "leafNodeDefaultParallelism"):
        beside.conf.set(f"spark.sql.{name}", "1")
    beside.conf.set("spark.sql.adaptive.enabled", "false")
    beside.conf.set("spark.databricks.delta.allFilesInCrc.enabled", "true")
    return beside


def describe(seed: int, steps: Sequence[Step], difference: Difference) -> str:
    """How to see it again, what the steps are, and the difference."""
    shown = "\n".join(f"{n}: {step}" for n, step in enumerate(steps))
    return f"seed {seed}\n{script(steps)}\n{shown}\n{difference}"


def main() -> int:
    """Some seeds, from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", nargs="+", type=_seeds, help="17, or 17-80")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--shrink", type=float, default=0.0)
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--no-views", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagelake-model-") as folder:
        explorer = Explorer(session(), Path(folder), not args.no_views)
        differences = [seed for seeds in args.seeds for seed in seeds if _one(explorer, seed, args)]
    print(f"{sum(map(len, args.seeds))} histories, {len(differences)} of them differ: {differences}")
    return 1 if differences else 0


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _one(explorer: Explorer, seed: int, args: argparse.Namespace) -> bool:
    started = time.monotonic()
    steps = history(seed, args.steps, plain=args.plain)
    difference, kills = explorer.run(steps)
    seconds = time.monotonic() - started
    if difference is None:
        print(f"== seed {seed} ({seconds:.0f} s, {kills} killed): no difference", flush=True)
        return False
    steps, difference = explorer.smallest(steps, difference, args.shrink)
    print(
        f"== seed {seed} ({seconds:.0f} s):",
        difference if args.brief else describe(seed, steps, difference),
        flush=True,
    )
    return True


if __name__ == "__main__":
    raise SystemExit(main())
