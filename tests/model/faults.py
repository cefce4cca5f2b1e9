"""Faults put into the product on purpose, one by one, to show that random histories would find them.

python -m tests.model.faults [NAME …] [--seeds 5000-5040] [--steps N]

Each fault is put into a copy of the sources, and histories run against the copy until one differs. The seed that found
a fault stands beside it: `test_deliberate_faults.py` tries it again every night, and checks in every run that its
text is there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path("src", "imagelake")


@dataclass(frozen=True)
class Fault:
    """A fault: what it does wrong, the text it puts in the place of another in a file, and a seed that finds it."""

    name: str
    says: str
    path: str
    old: str
    new: str
    seed: int | None = None


FAULTS = (
    Fault(
        "base-name",
        "a label lands on an image of the draft that has the base name of its own",
        "silver/apply_upload.py",
        'rules.settings.match == "name")',
        "True)",
        5014,
    ),
    Fault(
        "closing",
        "a document that is mended leaves its rejection open",
        "silver/rows/rejections.py",
        'F.col("_path").isNotNull() & own)',
        "F.lit(False))",
        5402,
    ),
    Fault(
        "group",
        "images of one group are put into splits one by one",
        "gold/splits/assign.py",
        'Window.partitionBy("_root")',
        'Window.partitionBy("image_key")',
        5178,
    ),
    Fault(
        "resized",
        "labels stay when the bytes of their image get another size",
        "silver/apply_upload.py",
        'others.join(resized, "image_key", "left_anti")',
        "others",
        5214,
    ),
    Fault(
        "kinds",
        "a document of polygons speaks of boxes too",
        "formats/coco/contents.py",
        'if not kinds and "annotations"',
        'if "annotations"',
        5021,
    ),
    Fault(
        "negative",
        "an image all of whose labels are refused counts as one without objects",
        "silver/rows/units.py",
        '.join(refused.join(some, [*UNIT], "left_anti"), [*UNIT], "left_anti")',
        "",
        5042,
    ),
    Fault(
        "superseded",
        "an old upload that comes again undoes what newer ones have changed",
        "silver/build.py",
        "            if newer:\n",
        "            if newer and upload.again:\n",
        5444,
    ),
    Fault(
        "waiting",
        "of labels that waited the oldest delivery counts",
        "silver/rows/waiting.py",
        'F.max("_last").over(unit)',
        'F.min("_last").over(unit)',
        5021,
    ),
    Fault(
        "published-split",
        "an upload moves a published image to the split it names",
        "silver/rows/images.py",
        'F.when(there, F.col("_old_split")).otherwise(newest)',
        "newest",
        5193,
    ),
    Fault(
        "replace",
        "a replaced dataset keeps the rejections of what it was",
        "silver/rows/rejections.py",
        "closed = closed_by(upload, others, F.lit(True), now)",
        "closed = closed_by(upload, others, F.lit(False), now)",
        5209,
    ),
    Fault(
        "key-taken",
        "append puts other bytes under a key that is taken",
        "silver/rows/images.py",
        'if upload.mode == "append" else F.lit(False)',
        'if upload.mode == "replace" else F.lit(False)',
        5432,
    ),
)


def put_in(fault: Fault, package: Path) -> None:
    """Put a fault into a copy of the package; ValueError when its text is not there exactly once."""
    path = package / fault.path
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: {fault.path} has its text {text.count(fault.old)} times")
    path.write_text(text.replace(fault.old, fault.new))


def finds(fault: Fault, seed: int, steps: int) -> str | None:
    """What differs in this history with the fault in the product; None when nothing does."""
    with tempfile.TemporaryDirectory(prefix="imagelake-fault-") as folder:
        for part in (PACKAGE, Path("conf")):
            shutil.copytree(ROOT / part, Path(folder, part))
        put_in(fault, Path(folder, PACKAGE))
        command = [sys.executable, "-m", "tests.model.explore", str(seed), "--steps", str(steps), "--brief"]
        path = os.pathsep.join((str(Path(folder, PACKAGE).parent), str(ROOT)))
        run = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, cwd=ROOT, capture_output=True, text=True, check=False
        )
    if run.returncode not in (0, 1) or "== seed" not in run.stdout:
        raise RuntimeError(f"{fault.name}: the history did not run: {run.stderr[-2000:]}")
    return run.stdout if run.returncode else None


def main() -> int:
    """Look for the faults named, or for all, in some histories."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", default="5000-5040")
    parser.add_argument("--steps", type=int, default=6)
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    missed = []
    for fault in FAULTS:
        if args.names and fault.name not in args.names:
            continue
        seeds = [fault.seed] if fault.seed is not None else range(int(first), int(last or first) + 1)
        hit = next((seed for seed in seeds if finds(fault, seed, args.steps)), None)
        print(f"{fault.name}: {'missed' if hit is None else f'seed {hit}'}", flush=True)
        missed += [] if hit is not None else [fault.name]
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
