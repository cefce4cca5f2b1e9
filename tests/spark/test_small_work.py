"""What small work asks of Spark: a bounded number of queries, a session left as it was, and the same rows."""

from __future__ import annotations

import pytest
from tests.spark import helpers

from imagelake.bronze.request import IngestRequest
from imagelake.runs import pipeline
from imagelake.tables import ops
from imagelake.tables.frames import checkpointed, counted, few_rows

MOST_QUERIES = 50


def queries(spark) -> int:
    """How many SQL executions the session has had; what it keeps of them ends with the newest."""
    executions = spark._jsparkSession.sharedState().statusStore().executionsList()
    return max((executions.apply(i).executionId() for i in range(executions.size())), default=-1) + 1


def test_a_small_run_asks_spark_few_questions_and_an_unchanged_one_only_of_its_bytes(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")
    upload = helpers.write_zip(tmp_path / "a.zip", helpers.small(3).files())
    before = queries(spark)
    report = pipeline.run_upload(ctx, IngestRequest("pets", str(upload)))
    assert report.version == "pets@v1"
    assert 0 < queries(spark) - before <= MOST_QUERIES
    before = queries(spark)
    again = pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(upload)))
    assert (again.status, again.version) == ("unchanged", "pets@v1")
    assert queries(spark) - before <= 1, "a file as young as this is hashed again"


def test_the_session_is_as_it_was_after_small_work(spark):
    names = [name for name, _ in spark.sql("SET").collect()]
    before = {name: spark.conf.get(name) for name in names}
    with few_rows(spark):
        assert spark.conf.get("spark.sql.shuffle.partitions") == "1"
    assert {name: spark.conf.get(name) for name in names} == before
    assert {name for name, _ in spark.sql("SET").collect()} == set(names)


@pytest.mark.parametrize("sql", ["id, named_struct('a', 1, 'b', cast(id AS string)) AS s", "id, array(id) AS s"])
def test_rows_on_the_driver_are_the_rows_of_the_frame(spark, sql):
    frame = spark.range(5).selectExpr(*sql.split(", ", 1)).join(spark.range(3, 8), "id", "right").orderBy("id")
    expected = frame.collect()
    plain = counted(frame)
    with few_rows(spark):
        rows = counted(frame)
        assert checkpointed(rows.frame).orderBy("id").collect() == expected
        assert (rows.count, plain.count) == (5, 5)
        assert checkpointed(frame.where("id > 100")).collect() == []
    assert rows.collected().to_pylist() == plain.collected().to_pylist() == [row.asDict(True) for row in expected]


def test_commits_of_this_process_leave_a_checkpoint_at_every_interval(spark, tmp_path):
    lake = tmp_path / "lake"
    ctx = helpers.context(spark, lake, settings=helpers.settings(lake, "delta.checkpoint_interval=3"))
    for number in range(1, 8):
        ctx.tables.append_rows(ops.RUNS, [{"run_id": str(number)}])
    log = lake / ops.RUNS.path / "_delta_log"
    assert sorted(path.name for path in log.glob("*.checkpoint.parquet")) == [
        f"{number:020d}.checkpoint.parquet" for number in (3, 6)
    ]
    for number in range(1, 6):
        (log / f"{number:020d}.json").unlink()
    assert sorted(row["run_id"] for row in ctx.tables.collect(ops.RUNS)) == [str(number) for number in range(1, 8)]
    assert spark.read.format("delta").load(ctx.tables.uri(ops.RUNS)).count() == 7
