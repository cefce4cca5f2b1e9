"""Makes Java's shared archive of the classes that the demo loads: `python -m imagelake.demo.train`, once a machine."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pyspark import SparkContext

from imagelake.config.settings import Settings, load
from imagelake.demo.script import sample_steps
from imagelake.engine import java
from imagelake.engine.class_archive import archive_path
from imagelake.runs.context import system_clock
from imagelake.runs.open_run import open_context
from imagelake.storage.open_lake import create_lake

_DUMP_SECONDS = 180


def train(settings: Settings) -> Path:
    """The archive for this machine's Java and Spark, made now if there is none."""
    path = archive_path(settings.spark, java.require())
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="train-", dir=path.parent) as folder:
        dump = Path(folder) / "classes.jsa"
        recording = _recording(settings, f"{folder}/lake", dump)
        context = open_context(recording, create_lake(recording.lake, system_clock))
        for _ in sample_steps(context):
            pass  # each step is run when it is asked for
        context.spark.stop()
        _end_java()
        # a second process may do the same: a session has one archive whole or the other
        dump.replace(path)
    _remove_others(path)
    return path


def _recording(settings: Settings, lake: str, dump: Path) -> Settings:
    options = {"spark.driver.extraJavaOptions": f"-XX:ArchiveClassesAtExit={dump}"}
    spark = settings.spark.model_copy(update={"master": "local[2]", "fast_start": True, "conf": options})
    return settings.model_copy(update={"lake": lake, "spark": spark})


def _end_java() -> None:
    """Java writes the archive while it ends, which it does when its standard input is closed."""
    gateway = SparkContext._gateway
    assert gateway is not None, "a session runs"
    process = gateway.proc
    process.stdin.close()
    process.wait(timeout=_DUMP_SECONDS)


def _remove_others(path: Path) -> None:
    """Archives of an earlier Java or Spark: 190 MB each, and of no more use."""
    for other in path.parent.glob("classes-*.jsa"):
        if other != path:
            other.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.stdout.write(f"{train(load())}\n")
