"""Makes Java's shared archive of loaded classes: `python -m imagelake.jvm.train`, once a machine, some 20 s."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark import SparkContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from imagelake.jvm import java
from imagelake.jvm.archive import archive_path
from imagelake.session import open_session
from imagelake.settings import Settings, load

_DUMP_SECONDS = 180


def train(settings: Settings) -> Path:
    """The archive for this machine's Java and Spark, made now if there is none."""
    path = archive_path(settings.spark, java.require())
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="train-", dir=path.parent) as folder:
        dump = Path(folder) / "classes.jsa"
        spark = open_session(_recording(settings, dump), "imagelake train")
        _exercise(spark, f"{folder}/table")
        spark.stop()
        _end_java()
        # a second process may do the same: a session has one archive whole or the other
        dump.replace(path)
    _remove_others(path)
    return path


def _recording(settings: Settings, dump: Path) -> Settings:
    options = {"spark.driver.extraJavaOptions": f"-XX:ArchiveClassesAtExit={dump}"}
    spark = settings.spark.model_copy(update={"master": "local[2]", "fast_start": True, "conf": options})
    return settings.model_copy(update={"spark": spark})


def _exercise(spark: SparkSession, table: str) -> None:
    """Touch what every job touches: rows from Python and back, a join, JSON, a Delta append and a merge."""
    rows = spark.createDataFrame([(1, "a", '{"x": 1}'), (2, "b", None)], "id bigint, name string, data string")
    rows.repartition(2).mapInArrow(_pass, rows.schema).write.format("delta").partitionBy("name").save(table)
    rows.write.format("delta").mode("append").option("txnAppId", "train").option("txnVersion", 1).save(table)
    read = spark.read.format("delta").load(table)
    joined = read.join(rows, "id").groupBy("id").agg(F.count("*"), F.collect_list(F.get_json_object(rows.data, "$.x")))
    joined.toArrow()
    rows.createOrReplaceTempView("fresh")
    spark.sql(
        f"MERGE INTO delta.`{table}` t USING fresh s ON t.id = s.id AND t.name = 'a'"
        " WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT *"
    )


def _pass(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return batches


def _end_java() -> None:
    """Java writes the archive while it ends, which it does when its standard input is closed."""
    process = SparkContext._gateway.proc
    process.stdin.close()
    process.wait(timeout=_DUMP_SECONDS)


def _remove_others(path: Path) -> None:
    """Archives of an earlier Java or Spark: 190 MB each, and of no more use."""
    for other in path.parent.glob("classes-*.jsa"):
        if other != path:
            other.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.stdout.write(f"{train(load())}\n")
