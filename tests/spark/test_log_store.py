from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

WRITER = """
import sys
from imagelake.engine.session import open_session
from imagelake.config.settings import load
spark = open_session(load(None, ["spark.master=local[1]", "spark.shuffle_partitions=1"]), "writer")
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 10):
    spark.range(number, number + 1).write.format("delta").mode("append").save(sys.argv[1])
"""


def commits(table: str) -> list[Path]:
    return sorted(Path(table.removeprefix("file://")).glob("_delta_log/*.json"))


def append(spark: SparkSession, table: str, number: int) -> None:
    spark.range(number, number + 1).write.format("delta").mode("append").save(table)


def rows(spark: SparkSession, table: str) -> list[int]:
    return sorted(row.id for row in spark.read.format("delta").load(table).collect())


def test_commits_leave_nothing_beside_them(spark: SparkSession, table: str) -> None:
    for number in range(3):
        append(spark, table, number)
    log = commits(table)[0].parent
    assert [c.name for c in commits(table)] == [f"{n:020}.json" for n in range(3)]
    assert [p.name for p in log.iterdir() if p.name.endswith(("json.crc", ".tmp"))] == []


def test_a_table_with_the_temporaries_of_killed_writers_works_and_vacuums(spark: SparkSession, table: str) -> None:
    append(spark, table, 0)
    left = commits(table)[0].parent / ".00000000000000000001.json.4f1c.tmp"
    left.write_text('{"add":{"path":"never"')
    append(spark, table, 1)
    spark.sql(f"VACUUM delta.`{table}`").collect()
    spark.sql(f"OPTIMIZE delta.`{table}`").collect()
    assert rows(spark, table) == [0, 1]
    assert left.exists()


def test_checkpoints_are_written_whole_and_read_back(spark: SparkSession, table: str) -> None:
    append(spark, table, 0)
    spark.sql(f"ALTER TABLE delta.`{table}` SET TBLPROPERTIES ('delta.checkpointInterval' = '2')")
    for number in range(1, 4):
        append(spark, table, number)
    log = commits(table)[0].parent
    pointer = json.loads((log / "_last_checkpoint").read_text())
    assert (log / f"{pointer['version']:020}.checkpoint.parquet").is_file()
    assert list(log.glob("*.tmp")) == list(log.glob(".*.parquet.*.tmp")) == []
    assert rows(spark, table) == [0, 1, 2, 3]


def test_a_folder_with_spaces_umlauts_and_percent_signs_is_no_obstacle(spark: SparkSession, tmp_path: Path) -> None:
    folder = str(tmp_path / "my lake ü %20")
    append(spark, folder, 0)
    append(spark, folder, 1)
    assert rows(spark, folder) == [0, 1]
    assert len(list((tmp_path / "my lake ü %20" / "_delta_log").glob("*.json"))) == 2


def test_threads_of_one_process_lose_nothing(spark: SparkSession, table: str) -> None:
    append(spark, table, 0)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: append(spark, table, number), range(1, 13)))
    assert rows(spark, table) == list(range(13))
    assert len(commits(table)) == 13


@pytest.mark.slow
def test_processes_lose_nothing(spark: SparkSession, table: str) -> None:
    append(spark, table, 0)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, table, str(first)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for first in (1, 11)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        assert [writer.wait(timeout=300) for writer in writers] == [0, 0]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert rows(spark, table) == list(range(21))
    assert [c.name for c in commits(table)] == [f"{n:020}.json" for n in range(21)]
