"""A cluster of machines, as processes: the wheel is sent along, and the lake and the upload lie in a bucket."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.buckets import reach, settings
from tests.servers.spark_cluster import bare_python, standalone

import imagelake
from imagelake.jvm.conf import SMALL

ROOT = Path(__file__).parents[2]
_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
HASTE = ["--driver-java-options", _JAVA, "--conf", f"spark.executor.extraJavaOptions={_JAVA}"]
HASTE += [word for key, value in SMALL.items() for word in ("--conf", f"{key}={value}")]
"""For a run of seconds: Java's quick compiler, and Spark's plans interpreted."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_and_a_job_given_to_spark_submit_do_what_a_laptop_does(
    rgw_bucket, wheel, expected, shared_data, tmp_path
):
    python = str(bare_python(tmp_path / "python"))
    lacks = subprocess.run([python, "-c", "import imagelake.session"], cwd=tmp_path, capture_output=True, text=True)
    assert "No module named 'imagelake.session'" in lacks.stderr, "else the wheel would prove nothing"
    rgw_bucket.storage("drops").put_file(shared_data / "bccd-voc.zip", "bccd-voc.zip")
    chosen = settings(rgw_bucket, "lake")
    with standalone(tmp_path / "cluster", workers=2) as cluster:
        submit = [cluster.submit, "--master", cluster.url, "--py-files", str(wheel), "--driver-memory", "1g"]
        sized = ["--executor-memory", "512m", "--conf", "spark.cores.max=2", *HASTE]
        # quiet, for spark-submit joins what a job prints to stderr to its stdout
        verb = [rgw_bucket.uri("drops/bccd-voc.zip"), "--dataset", "bccd", "--json", "--quiet"]
        reaching = ["--lake", chosen.lake, "--set", f"s3={chosen.s3.model_dump_json(exclude_none=True)}"]
        environment = {**cluster.environment, "PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python}
        done = subprocess.run(
            [*submit, *sized, str(ROOT / "jobs" / "pipeline.py"), *verb, *reaching],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        used = [home for home in cluster.workers if list(home.glob(f"app-*/*/{wheel.name}"))]
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(used) == 2, "both workers got the wheel"
    report = json.loads(done.stdout)
    assert (report["status"], report["version"]) == ("accepted", "bccd@v1")
    with imagelake.open(chosen.lake, reach(rgw_bucket.server)) as lake:
        assert lake.verify("bccd").as_json() == expected[1]
