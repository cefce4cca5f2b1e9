"""A process of its own for tests that race writers: python -m tests.integration.racers COMMAND SETTINGS …

append SETTINGS TABLE NAME COUNT      append COUNT rows, each in a commit of its own, to a table of one's own
runs SETTINGS DATASET FOLDER          take every zip of a local folder the whole way, one after the other
"""

from __future__ import annotations

import sys
from pathlib import Path

from imagelake import pipeline
from imagelake.bronze.request import IngestRequest
from imagelake.runtime import open_run
from imagelake.session import open_session
from imagelake.settings import Settings


def append(settings: str, table: str, name: str, count: str) -> int:
    spark = open_session(Settings.model_validate_json(settings), "racer")
    for number in range(int(count)):
        frame = spark.createDataFrame([(f"{name}-{number}",)], "id string").coalesce(1)
        frame.write.format("delta").mode("append").save(table)
    return 0


def runs(settings: str, dataset: str, folder: str) -> int:
    codes = []
    for upload in sorted(Path(folder).glob("*.zip")):
        with open_run(Settings.model_validate_json(settings), "run", dataset) as ctx:
            report = pipeline.run_upload(ctx, IngestRequest(dataset, str(upload)))
            ctx.reports.append(report)
            codes.append(report.exit_code)
    return max(codes)


if __name__ == "__main__":
    commands = {"append": append, "runs": runs}
    sys.exit(commands[sys.argv[1]](*sys.argv[2:]))
