from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from imagelake.jvm.conf import SMALL
from imagelake.session import open_session
from imagelake.settings import Settings, load


@pytest.fixture(scope="session")
def spark_settings() -> Settings:
    """A small session for many small runs: two workers, two shuffle partitions, and the compiler for long jobs."""
    chosen = ["spark.master=local[2]", "spark.shuffle_partitions=2", "spark.driver_memory=4g", "spark.fast_start=false"]
    return load(None, [*chosen, f"spark.conf={json.dumps(SMALL)}"])


@pytest.fixture(scope="session")
def spark(spark_settings: Settings) -> Iterator[SparkSession]:
    """The one session of a run."""
    session = open_session(spark_settings, "imagelake tests")
    yield session
    session.stop()


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Where a test may put a Delta table of its own."""
    return (tmp_path / "table").as_uri()
