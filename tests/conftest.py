from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from tests.spark.helpers import RealUploads

    from imagelake.config.settings import Settings

ROOT = Path(__file__).parents[1]
SPARK_TESTS = Path(__file__).parent / "spark"
S3_TESTS = Path(__file__).parent / "integration"
IN_SESSION = (
    "tests/spark/",
    "tests/model/test_histories.py",
    *(f"tests/integration/test_{name}.py" for name in ("commits", "lake_on_s3", "packing_s3", "roles")),
)

# a busy machine is no defect of the code
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies under tests/spark/ needs Spark, under tests/integration/ servers; some ask for the real uploads."""
    for item in items:
        if SPARK_TESTS in item.path.parents:
            item.add_marker(pytest.mark.spark)
        if S3_TESTS in item.path.parents:
            item.add_marker(pytest.mark.s3)
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.data)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of the processes that share the work one has the tests in a Spark session, the others take file by file.

    A second session would cost more than it gains: Java compiles everything anew.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "session" if nodeid.startswith(IN_SESSION) else nodeid.partition("::")[0]

    return Scheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each group of the tests on servers took."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.nodeid.startswith("tests/integration/"):
                seconds[Path(report.nodeid.partition("::")[0]).stem] += report.duration
    if seconds:
        terminalreporter.section("seconds of each group of the tests on S3 servers")
        for name, total in seconds.most_common():
            terminalreporter.write_line(f"{total:6.0f} {name.removeprefix('test_')}")


@pytest.fixture(scope="session", autouse=True)
def environment() -> Iterator[None]:
    """Nothing that a developer's machine says of S3 reaches the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real uploads that lie beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"there are no real uploads at {folder}")
    return folder


@pytest.fixture(scope="session")
def spark_settings() -> Settings:
    """Settings of the session that all tests share."""
    return small_settings()


def small_settings() -> Settings:
    """A small session for many small runs: two workers, two shuffle partitions, and the compiler for long jobs.

    It has what buckets need: the tests of both kinds of lakes share one Java process.
    """
    from imagelake.config.settings import load
    from imagelake.engine.conf import SMALL

    chosen = [
        "lake=s3://nowhere/lake",
        "spark.master=local[2]",
        "spark.shuffle_partitions=2",
        "spark.driver_memory=4g",
        "spark.fast_start=false",
    ]
    # the default collector marks half the time while other tests want the processor; thousands of generated classes
    # fill the default code cache, and what falls out of it is compiled anew
    java = "-XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m"
    conf = {**SMALL, "spark.sql.codegen.factoryMode": "NO_CODEGEN", "spark.driver.extraJavaOptions": java}
    return load(None, [*chosen, f"spark.conf={json.dumps(conf)}"])


@pytest.fixture(scope="session")
def spark(spark_settings: Settings) -> Iterator[SparkSession]:
    """The one session of a run."""
    from imagelake.engine.session import open_session

    with pytest.MonkeyPatch.context() as patch:  # Java looks for credentials in the environment it was started in
        patch.setenv("AWS_ACCESS_KEY_ID", "lakeaccess")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "lakesecret123")
        session = open_session(spark_settings, "imagelake tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def real_uploads(spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> RealUploads:
    """The real uploads, taken into a lake on the local disk."""
    from tests.spark.helpers import RealUploads

    return RealUploads(spark, tmp_path_factory.mktemp("real") / "lake", shared_data)
