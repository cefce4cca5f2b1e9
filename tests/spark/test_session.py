from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from imagelake.config.settings import Settings
from imagelake.engine.session import jvm_pid, open_session

QUIET = """
from imagelake.engine.session import open_session, jvm_pid
from imagelake.config.settings import load
spark = open_session(load(), "quiet")
rows = spark.range(3).mapInArrow(lambda batches: batches, "id long")
rows.write.format("delta").save({table!r})
print(spark.read.format("delta").load({table!r}).count())
"""

LISTED = """
from imagelake.engine.expressions import interpreted
from imagelake.engine.session import open_session
from imagelake.config.settings import load
settings = load()
spark = open_session(settings, "listed")
spark.range(3).createOrReplaceTempView("shown")
print(*[table.name for table in spark.catalog.listTables()])
with interpreted(spark, settings):
    spark.range(3).count()
print(*[table.name for table in spark.catalog.listTables()])
"""

SUBMITTED = """
import sys
from imagelake.engine.session import open_session
from imagelake.config.settings import load
spark = open_session(load(None, ["spark.shuffle_partitions=3"]), "never used")
spark.range(3).mapInArrow(lambda batches: batches, "id long").write.format("delta").save(sys.argv[1])
print(spark.conf.get("spark.sql.shuffle.partitions"), spark.sparkContext.master, spark.sparkContext.appName)
print(spark.conf.get("spark.sql.sources.parallelPartitionDiscovery.parallelism"))
"""


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, **environ}, check=False
    )


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_session_is_set_up_as_the_lake_needs_it(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.delta.logStore.file.impl") == "io.imagelake.LinkLogStore"
    assert spark.conf.get("spark.databricks.delta.commit.idempotencyCheck.enabled") == "true"
    assert spark.sparkContext.uiWebUrl is None


def test_opening_again_gives_the_session_that_runs(spark: SparkSession, spark_settings: Settings) -> None:
    assert open_session(spark_settings, "again").sparkContext is spark.sparkContext


def test_workers_run_this_very_python_and_the_environment_is_as_before(spark: SparkSession) -> None:
    def which(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"python": [sys.executable]})

    rows = spark.range(1).mapInArrow(which, "python string").collect()
    assert {row.python for row in rows} == {sys.executable}
    assert "SPARK_LAUNCHER_OPTS" not in os.environ


def test_a_function_over_a_vectorised_scan_ends(spark: SparkSession, table: str) -> None:
    """SPARK-58241: with the default it waits for ever."""
    spark.range(5).write.parquet(table)
    doubled = F.udf(lambda value: value * 2, "bigint")
    assert sorted(r[0] for r in spark.read.parquet(table).select(doubled("id")).collect()) == [0, 2, 4, 6, 8]


def test_the_process_of_java_is_named(spark: SparkSession) -> None:
    command = Path(f"/proc/{jvm_pid(spark)}/cmdline").read_bytes().split(b"\0")
    assert command[0].endswith(b"java")


def test_nothing_of_spark_reaches_stdout_or_stderr_and_java_ends_with_the_program(tmp_path: Path) -> None:
    code = QUIET.format(table=(tmp_path / "t").as_uri()) + "print(jvm_pid(spark))"
    done = run(sys.executable, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    count, pid = done.stdout.split()
    assert count == "3"
    deadline = time.monotonic() + 30
    while alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(int(pid))


def test_what_java_says_when_it_cannot_start_is_told() -> None:
    code = (
        "from imagelake.engine.session import open_session; from imagelake.config.settings import load\n"
        "from imagelake.errors import ConfigError\n"
        "try: open_session(load(None, ['spark.driver_memory=1x']), 'x')\n"
        "except ConfigError as error: print(error.message, '|', error.hint)"
    )
    done = run(sys.executable, "-c", code)
    assert "ended while starting" in done.stdout, done.stderr
    assert "spark.log_level=INFO" in done.stdout


def test_a_machine_without_java_is_told_what_to_type() -> None:
    code = (
        "from imagelake.engine.session import open_session; from imagelake.config.settings import load\n"
        "try: open_session(load(), 'x')\n"
        "except Exception as error: print(type(error).__name__, error.hint)"
    )
    done = run(sys.executable, "-c", code, JAVA_HOME="/nowhere")
    assert done.stdout == "ConfigError apt-get install -y openjdk-17-jre-headless\n"


@pytest.mark.parametrize("jars", [pytest.param("auto", marks=pytest.mark.nightly), "given"])
def test_under_spark_submit_what_was_submitted_stays(tmp_path: Path, jars: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(SUBMITTED)
    given = ["--jars", run(sys.executable, "-m", "imagelake.engine.jars").stdout.strip()] if jars == "given" else []
    submit = str(Path(sys.executable).parent / "spark-submit")
    options = ["--master", "local[1]", "--name", "theirs", "--conf", "spark.sql.shuffle.partitions=7", *given]
    done = run(submit, *options, str(program), (tmp_path / "t").as_uri(), PYSPARK_DRIVER_PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["7 local[1] theirs", "4"]
    assert len(list((tmp_path / "t" / "_delta_log").glob("*.json"))) == 1


def test_settings_of_submit_arguments_stay(tmp_path: Path) -> None:
    code = (
        "from imagelake.engine.session import open_session; from imagelake.config.settings import load\n"
        "spark = open_session(load(), 'ours')\n"
        "print(spark.sparkContext.master, spark.conf.get('spark.sql.shuffle.partitions'), spark.sparkContext.appName)"
    )
    arguments = "--master local[1] --conf spark.sql.shuffle.partitions=9 pyspark-shell"
    done = run(sys.executable, "-c", code, PYSPARK_SUBMIT_ARGS=arguments)
    assert done.stdout == "local[1] 9 ours\n", done.stderr


def test_a_stopped_session_can_be_opened_again() -> None:
    code = (
        "from imagelake.engine.session import open_session; from imagelake.config.settings import load\n"
        "for _ in range(2):\n"
        "    spark = open_session(load(None, ['spark.master=local[1]']), 'x')\n"
        "    print(spark.range(3).count())\n"
        "    spark.stop()"
    )
    done = run(sys.executable, "-c", code)
    assert (done.stdout, done.stderr) == ("3\n3\n", "")


def test_a_session_as_users_get_it_lists_its_tables() -> None:
    shown = run(sys.executable, "-c", LISTED)
    assert shown.stdout.split() == ["shown", "shown"], shown.stderr
