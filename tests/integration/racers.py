"""A process of its own with a Spark session, for tests that race writers: python -m tests.integration.racers SETTINGS

It reads lines from stdin, each a list in JSON, and answers each with a line when it is done:

append TABLE NAME COUNT     append COUNT rows, each in a commit of its own, to a table of one's own
ingest DATASET FOLDER       take every zip of a local folder into bronze, one after the other
run DATASET FOLDER          take each the whole way
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.functions import lit

from imagelake.bronze.request import IngestRequest
from imagelake.config.settings import Settings
from imagelake.engine.session import open_session
from imagelake.runs import pipeline
from imagelake.runs.open_run import run_verb

ROOT = Path(__file__).parents[2]


class Racer:
    """Such a process, seen from the test."""

    def __init__(self, settings: Settings) -> None:
        command = [sys.executable, "-m", "tests.integration.racers", settings.model_dump_json()]
        self._child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, *words: object) -> None:
        """Have it do something, and do not wait."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()

    def answer(self) -> str:
        """What it said of the oldest thing it was told; empty when it has ended, and its error is on stderr."""
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()

    def end(self) -> None:
        self._child.kill()
        self._child.wait()


@contextmanager
def racing(settings: Settings, count: int) -> Iterator[list[Racer]]:
    """So many of them, with their sessions open."""
    racers = [Racer(settings) for _ in range(count)]
    try:
        assert [racer.answer() for racer in racers] == ["ready"] * count
        yield racers
    finally:
        for racer in racers:
            racer.end()


def add(spark: SparkSession, table: str, name: str) -> None:
    rows = spark.range(1, numPartitions=1).select(lit(name).alias("id"))
    rows.write.format("delta").mode("append").save(table)


def append(spark: SparkSession, table: str, name: str, count: int) -> str:
    for number in range(count):
        add(spark, table, f"{name}-{number}")
    return "done"


def take(settings: Settings, verb: str, dataset: str, folder: str) -> str:
    stage = pipeline.run_upload if verb == "run" else pipeline.land_upload
    requests = [IngestRequest(dataset, str(upload)) for upload in sorted(Path(folder).glob("*.zip"))]
    reports = run_verb(settings, verb, dataset, lambda ctx: [stage(ctx, request) for request in requests])
    codes = [report.exit_code for report in reports]
    return "done" if not any(codes) else f"exit codes {codes}"


def serve(settings: Settings) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    spark = open_session(settings, "racer")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        command, *words = json.loads(line)
        said = append(spark, *words) if command == "append" else take(settings, command, *words)
        print(said, file=answers, flush=True)


if __name__ == "__main__":
    serve(Settings.model_validate_json(sys.argv[1]))
