"""Java's shared archive of loaded classes: made once (`demo.train`), it takes three seconds off every start."""

from __future__ import annotations

import hashlib
import sys
from importlib import metadata
from pathlib import Path

from imagelake.config.settings import SparkSettings
from imagelake.engine.java import Java

_TRAINING = 2
"""Counts what the archive is trained with, so that one made by an older training is made anew."""


def archive_path(spark: SparkSettings, java: Java) -> Path:
    """Where the archive for this Java and this Spark is kept. Java itself ignores one that does not fit.

    It holds paths of this Python environment, so it lies in it and goes with it; outside of one, in the cache.
    """
    made_for = f"{java.program.resolve()} {java.version} {metadata.version('pyspark')} {_TRAINING}"
    name = f"classes-{hashlib.sha256(made_for.encode()).hexdigest()[:16]}.jsa"
    isolated = sys.prefix != sys.base_prefix
    folder = Path(sys.prefix) / ".imagelake" if isolated else Path(spark.jar_cache).expanduser().absolute()
    return folder / name


def class_archive(spark: SparkSettings, java: Java) -> Path | None:
    """The archive, if it was made."""
    path = archive_path(spark, java)
    return path if path.is_file() else None
