from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from imagelake.session import open_session
from imagelake.settings import Settings, load


@pytest.fixture(scope="session")
def spark_settings() -> Settings:
    """A small session: two workers, two shuffle partitions."""
    return load(None, ["spark.master=local[2]", "spark.shuffle_partitions=2", "spark.driver_memory=4g"])


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
