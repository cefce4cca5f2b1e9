"""A cluster of machines, as processes: the wheel is sent along, and the lake and the upload lie in a bucket."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.buckets import Bucket, new_bucket, reach, settings
from tests.servers.spark_cluster import bare_python, standalone
from tests.spark.helpers import BCCD_DIGEST

import imagelake
from imagelake.client.query.view_columns import COLUMNS
from imagelake.engine.conf import FAST_START, SMALL

ROOT = Path(__file__).parents[2]
JOB = ROOT / "jobs" / "pipeline.py"
_JAVA = " ".join(FAST_START)
HASTE = ["--driver-java-options", _JAVA, "--conf", f"spark.executor.extraJavaOptions={_JAVA}"]
CHOSEN = {**SMALL, "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
HASTE += [word for key, value in CHOSEN.items() for word in ("--conf", f"{key}={value}")]
"""For a run of seconds: Java's quick compiler, and Spark's plans interpreted."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@dataclass(frozen=True)
class Submitted:
    """What one spark-submit did: the bucket it wrote to, what it printed, and everything it left in a folder."""

    bucket: Bucket
    done: subprocess.CompletedProcess[str]
    folder: Path
    workers_with_wheel: int

    @property
    def lake(self) -> str:
        return self.bucket.uri("lake")


@pytest.fixture(scope="module")
def submitted(rgw_server, wheel, shared_data, tmp_path_factory) -> Submitted:
    """A run on two workers that have neither imagelake nor keys; the driver's are sent along, and events are logged."""
    bucket, folder = new_bucket(rgw_server), tmp_path_factory.mktemp("cluster")
    bucket.storage("drops").put_file(shared_data / "bccd-voc.zip", "bccd-voc.zip")
    python = str(bare_python(folder / "python"))
    lacks = subprocess.run(
        [python, "-c", "import imagelake.engine.session"], cwd=folder, capture_output=True, text=True
    )
    assert "No module named 'imagelake.engine'" in lacks.stderr, "else the wheel would prove nothing"
    (folder / "events").mkdir()
    logged = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": (folder / "events").as_uri()}
    logged |= {"spark.eventLog.compress": "false", "spark.cores.max": "2"}
    conf = [word for key, value in logged.items() for word in ("--conf", f"{key}={value}")]
    sized = ["--driver-memory", "1g", "--executor-memory", "512m", *HASTE, *conf]
    # quiet, for spark-submit joins what a job prints to stderr to its stdout
    verb = [bucket.uri("drops/bccd-voc.zip"), "--dataset", "bccd", "--json", "--quiet"]
    chosen = settings(bucket, "lake", "s3.ship_credentials=true")
    verb += ["--lake", chosen.lake, "--set", f"s3={chosen.s3.model_dump_json(exclude_none=True)}"]
    with standalone(folder / "spark", workers=2) as cluster:
        done = subprocess.run(
            [cluster.submit, "--master", cluster.url, "--py-files", str(wheel), *sized, str(JOB), *verb],
            env={**cluster.environment, "PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python},
            cwd=folder, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        used = sum(1 for home in cluster.workers if list(home.glob(f"app-*/*/{wheel.name}")))
    return Submitted(bucket, done, folder, used)


def test_the_wheel_and_a_job_given_to_spark_submit_do_what_a_laptop_does(submitted):
    assert submitted.done.returncode == 0, submitted.done.stdout[-2000:] + submitted.done.stderr[-3000:]
    assert submitted.workers_with_wheel == 2
    report = json.loads(submitted.done.stdout)
    assert (report["status"], report["version"]) == ("accepted", "bccd@v1")
    with imagelake.open(submitted.lake, reach(submitted.bucket.server)) as lake:
        assert lake.verify("bccd").as_json()["digest"] == BCCD_DIGEST


def test_no_secret_is_in_any_log_event_or_table(submitted):
    secret, lake = submitted.bucket.server.secret_key, submitted.bucket.storage("lake")
    logs = {path: path.read_bytes() for path in submitted.folder.rglob("*") if path.is_file() and not path.is_symlink()}
    events = b"".join(data for path, data in logs.items() if (submitted.folder / "events") in path.parents)
    assert b"fs.s3a.bucket" in events, "the settings of the store are among what was logged"
    assert b"redacted" in events
    assert any(path.name == "stderr" for path in logs), "executors have logged"
    assert [path for path, data in logs.items() if secret.encode() in data] == []
    assert secret not in submitted.done.stdout + submitted.done.stderr
    written = {s.path: lake.read(s.path) for s in lake.list() if not s.path.startswith("blobs/")}
    assert [path for path, data in written.items() if secret.encode() in data] == []
    with imagelake.open(submitted.lake, reach(submitted.bucket.server)) as opened:
        for view in COLUMNS:  # Parquet is compressed
            rows = opened.sql(f"select * from {view}").rows
            assert secret not in repr(rows)
