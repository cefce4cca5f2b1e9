"""How Spark evaluates expressions: interpreted in small runs, compiled where rows are many.

Writing and compiling Java for every projection is most of what a small query costs; interpreting them is most of what
many rows cost. Sessions of users are left as Spark makes them: parts of Spark fail without compiling (listTables).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from imagelake.config.settings import Settings

MANY_BYTES = 6 << 20
"""From so many bytes of documents and rows on compiling takes less processor time than interpreting."""

FILE_BYTES = 256
"""What a file of an upload counts for beside its documents: its rows are as wide as an annotation's."""

_FACTORY = "spark.sql.codegen.factoryMode"


@contextmanager
def interpreted(spark: SparkSession, settings: Settings) -> Iterator[None]:
    """Interpret expressions within the block, unless `compiled` is called in it; a mode of one's own is kept.

    Only in a session on this machine with `spark.fast_start`: a cluster has large work.
    """
    local = (spark.sparkContext.master or "").startswith("local")
    if not settings.spark.fast_start or not local or _is_chosen(spark):
        yield
        return
    spark.conf.set(_FACTORY, "NO_CODEGEN")
    try:
        yield
    finally:
        spark.conf.unset(_FACTORY)


def compiled(spark: SparkSession) -> None:
    """Compile expressions from now on: for work of MANY_BYTES. A mode of one's own is kept."""
    if not _is_chosen(spark):
        spark.conf.unset(_FACTORY)


def _is_chosen(spark: SparkSession) -> bool:
    return bool(spark.sparkContext.getConf().contains(_FACTORY))
