"""A process of its own for tests that kill, pause or race writers: python -m tests.spark.driver COMMAND …

run LAKE DATASET UPLOAD BOUNDARY VICTIM   the whole way; at BOUNDARY kill python, jvm or both, or pause
publish LAKE DATASET ROUNDS NAME          ROUNDS times: add a category to the draft and publish, without the lease
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.spark import helpers

from imagelake.bronze.request import IngestRequest
from imagelake.engine.session import jvm_pid
from imagelake.errors import ImagelakeError
from imagelake.gold import publish
from imagelake.runs import pipeline
from imagelake.runs.context import Context, RunReport
from imagelake.runs.open_run import open_context, run_verb
from imagelake.storage.open_lake import open_lake
from imagelake.tables import silver


def strike(boundary: str, victim: str, jvm: int) -> Callable[[str], None]:
    """A `reached` callback that does its worst at one boundary."""

    def reached(name: str) -> None:
        if name != boundary:
            return
        print(f"at {name}", flush=True)
        if victim in ("jvm", "both"):
            os.kill(jvm, signal.SIGKILL)
        if victim in ("python", "both"):
            os.kill(os.getpid(), signal.SIGKILL)
        if victim == "pause":
            os.kill(os.getpid(), signal.SIGSTOP)

    return reached


def run(lake: str, dataset: str, upload: str, boundary: str, victim: str) -> int:
    settings = helpers.settings(
        Path(lake), "lease.ttl_seconds=3", "spark.master=local[2]", "spark.shuffle_partitions=2"
    )

    def work(ctx: Context) -> list[RunReport]:
        ctx = replace(ctx, reached=strike(boundary, victim, jvm_pid(ctx.spark)))
        return [pipeline.run_upload(ctx, IngestRequest(dataset, upload))]

    try:
        (report,) = run_verb(settings, "run", dataset, work)
        return report.exit_code
    except ImagelakeError as error:
        print(error.kind, error.message)
        return error.exit_code


class _NoLease:
    maybe_paused = False

    def check(self) -> None:
        """Always ours."""


def publish_rounds(lake: str, dataset: str, rounds: str, name: str) -> int:
    settings = helpers.settings(Path(lake), "spark.master=local[1]", "spark.shuffle_partitions=1")
    ctx = open_context(settings, open_lake(lake))
    for number in range(int(rounds)):
        row = {
            "dataset": dataset,
            "name": f"{name}-{number}",
            "train_index": None,
            "row_hash": f"{name}{number}".encode(),
        }
        ctx.tables.append(silver.CATEGORIES, ctx.tables.frame(silver.CATEGORIES, [row]))
        # a lease would keep them apart; the tables must do so without it
        publish.run(ctx, publish.PublishRequest(dataset, author=name), _NoLease())
    return 0


if __name__ == "__main__":
    commands = {"run": run, "publish": publish_rounds}
    sys.exit(commands[sys.argv[1]](*sys.argv[2:]))
