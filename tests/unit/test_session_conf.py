from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.config.settings import load
from imagelake.engine.conf import Launch, spark_conf
from imagelake.engine.submit_conf import submitted
from imagelake.errors import ConfigError

LAUNCH = Launch(Path("/scratch"))
JARS = (Path("/jars/a.jar"), Path("/jars/b.jar"))


def test_a_laptop_gets_everything_a_lake_needs() -> None:
    conf = spark_conf(load(None, ["spark.master=local[2]"]), {}, JARS, LAUNCH)

    assert conf["spark.master"] == "local[2]"
    assert conf["spark.jars"] == "/jars/a.jar,/jars/b.jar"
    assert conf["spark.delta.logStore.file.impl"] == "io.imagelake.LinkLogStore"
    assert conf["spark.sql.extensions"] == "io.delta.sql.DeltaSparkSessionExtension"
    assert conf["spark.sql.session.timeZone"] == "UTC"
    assert conf["spark.ui.enabled"] == "false"
    assert conf["spark.sql.warehouse.dir"] == "file:///scratch/warehouse"
    assert conf["spark.sql.sources.parallelPartitionDiscovery.parallelism"] == "4"
    assert conf["spark.sql.execution.arrow.pythonUDF.columnarInput.enabled"] == "false"
    assert conf["spark.driver.host"] == conf["spark.driver.bindAddress"] == "127.0.0.1"
    assert "-XX:ReservedCodeCacheSize=256m" in conf["spark.driver.defaultJavaOptions"]


FIXED = {"spark.sql.extensions", "spark.sql.catalog.spark_catalog"} | {
    f"spark.delta.logStore.{scheme}.impl" for scheme in ("file", "s3", "s3a")
}
KEYS = st.sampled_from(sorted(spark_conf(load(), {}, JARS, LAUNCH).keys() - FIXED))


@given(st.dictionaries(KEYS, st.text(), max_size=8))
def test_nothing_that_is_set_already_is_set_again(existing: dict[str, str]) -> None:
    added = spark_conf(load(), existing, JARS, LAUNCH)
    assert not added.keys() & existing.keys()


def test_nothing_is_added_to_what_was_added_before() -> None:
    first = spark_conf(load(), {}, JARS, LAUNCH)
    assert spark_conf(load(), first, JARS, LAUNCH) == {}


def test_with_a_master_of_its_own_a_cluster_keeps_process_network_and_display() -> None:
    added = spark_conf(load(), {"spark.master": "yarn"}, JARS, LAUNCH)
    assert "spark.sql.extensions" in added
    assert not [key for key in added if key.startswith(("spark.driver.", "spark.ui.", "spark.sql.warehouse"))]


def test_a_remote_master_of_our_own_settings_is_not_bound_to_this_machine() -> None:
    conf = spark_conf(load(None, ["spark.master=spark://there:7077"]), {}, JARS, LAUNCH)
    assert conf["spark.master"] == "spark://there:7077"
    assert "spark.driver.host" not in conf
    assert "spark.driver.defaultJavaOptions" not in conf


def test_a_session_that_runs_already_is_not_told_how_to_start() -> None:
    added = spark_conf(load(), {})
    assert "spark.master" not in added
    assert "spark.jars" not in added


def test_further_settings_are_passed_through_and_win_over_the_defaults() -> None:
    conf = spark_conf(load(None, ["spark.conf={spark.ui.enabled: 'true', spark.x: y}"]), {}, JARS, LAUNCH)
    assert conf["spark.ui.enabled"] == "true"
    assert conf["spark.x"] == "y"


def test_fast_start_can_be_turned_off() -> None:
    conf = spark_conf(load(None, ["spark.fast_start=false"]), {}, JARS, LAUNCH)
    assert "spark.driver.defaultJavaOptions" not in conf


def test_a_class_archive_is_used_when_there_is_one() -> None:
    conf = spark_conf(load(), {}, JARS, Launch(Path("/scratch"), Path("/cache/classes.jsa")))
    assert "-XX:SharedArchiveFile=/cache/classes.jsa" in conf["spark.driver.defaultJavaOptions"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.delta.logStore.file.impl", "io.delta.storage.HDFSLogStore"),
        ("spark.delta.logStore.s3a.impl", "io.delta.storage.S3SingleDriverLogStore"),
        ("spark.sql.extensions", "org.example.Other"),
        ("spark.sql.catalog.spark_catalog", "org.example.Catalog"),
    ],
)
def test_a_machine_that_rules_out_safe_commits_is_refused(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} is set to {value}") as told:
        spark_conf(load(), {key: value}, JARS, LAUNCH)
    assert f"--conf {key}=" in str(told.value.hint)


def test_deltas_extension_may_stand_among_others() -> None:
    existing = {"spark.sql.extensions": "org.example.Other,io.delta.sql.DeltaSparkSessionExtension"}
    assert "spark.sql.extensions" not in spark_conf(load(), existing, JARS, LAUNCH)


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "fs.s3a.encryption.key", "X-Amz-Signature", "x-amz-credential", "fs.s3a.access.key"],
)
def test_spark_hides_what_settings_hide(name: str) -> None:
    assert re.search(spark_conf(load(), {})["spark.redaction.regex"], name)


def test_a_signed_url_in_a_plan_is_hidden() -> None:
    pattern = spark_conf(load(), {})["spark.sql.redaction.string.regex"]
    url = "s3://b/k?X-Amz-Credential=AKIAABCDEFGHIJKLMNOP%2F2030&X-Amz-Date=20300101&X-Amz-Signature=ab12"
    assert re.sub(pattern, "*", url) == "s3://b/k?*&X-Amz-Date=20300101&*"


def test_submit_arguments_count_as_set() -> None:
    found = submitted(
        {"PYSPARK_SUBMIT_ARGS": "--master yarn --jars=a.jar,b.jar --conf spark.x='a b' -c spark.y=1=2 pyspark-shell"}
    )
    assert found == {"spark.master": "yarn", "spark.jars": "a.jar,b.jar", "spark.x": "a b", "spark.y": "1=2"}


def test_a_machines_defaults_count_as_set_and_arguments_win(tmp_path: Path) -> None:
    text = "# ours\nspark.master   spark://a:7077\nspark.x=1\n spark.y: two words \nnot.spark 3\n\nspark.empty\n"
    (tmp_path / "spark-defaults.conf").write_text(text)
    environ = {"SPARK_CONF_DIR": str(tmp_path), "PYSPARK_SUBMIT_ARGS": "--conf spark.x=2 pyspark-shell"}
    assert submitted(environ) == {"spark.master": "spark://a:7077", "spark.x": "2", "spark.y": "two words"}
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "spark-defaults.conf").write_text("spark.z 9")
    assert submitted({"SPARK_HOME": str(tmp_path)}) == {"spark.z": "9"}


def test_nothing_counts_as_set_on_a_bare_machine() -> None:
    assert submitted({}) == {}
    assert submitted({"SPARK_HOME": "/nowhere"}) == {}
