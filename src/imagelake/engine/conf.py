"""Which settings a Spark session gets: a pure function of the machine settings and of what is already set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagelake.config.settings import MASKED_NAMES, Settings
from imagelake.errors import ConfigError

_SIGNED_URL = r"(?i)X-Amz-(Signature|Credential|Security-Token)=[^&\s\"']+|\b(AKIA|ASIA)[0-9A-Z]{16}\b"

_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"

_REQUIRED = {
    "spark.sql.extensions": _EXTENSION,
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Delta's own stores lose commits of a second process on a local disk and on S3
    "spark.delta.logStore.file.impl": "io.imagelake.LinkLogStore",
    "spark.delta.logStore.s3.impl": "io.imagelake.ConditionalLogStore",
    "spark.delta.logStore.s3a.impl": "io.imagelake.ConditionalLogStore",
}

_ALWAYS = {
    **_REQUIRED,
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # a plain Python function over a vectorised scan hangs for ever on 4.2.0 (SPARK-58241)
    "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled": "false",
    # the check of a batch's bytes walks all its lists again at every row: the square of the rows. 2^31-1 turns it off,
    # and the rows of a batch bound its size instead
    "spark.sql.execution.arrow.maxBytesPerBatch": str((1 << 31) - 1),
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
    # a commit whose answer was lost is recognised as our own instead of being made twice
    "spark.databricks.delta.commit.idempotencyCheck.enabled": "true",
    # keeps a small commit at the same size however many files a table has
    "spark.databricks.delta.allFilesInCrc.enabled": "false",
    "spark.redaction.regex": MASKED_NAMES,
    "spark.sql.redaction.options.regex": f"{MASKED_NAMES}|url",
    "spark.sql.redaction.string.regex": _SIGNED_URL,
}

_LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}

TRUST_PASSWORD = "changeit"  # noqa: S105  Java's own default; a trust store holds nothing secret

FAST_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:ReservedCodeCacheSize=256m")
"""The simple compiler and collector start fastest; with the default code cache that compiler stops after a minute."""

SMALL = {
    "spark.databricks.delta.snapshotPartitions": "1",
    # every sort and hash table takes a page at once; by default up to 64 MB of zeros for a few rows
    "spark.buffer.pageSize": "2m",
}
"""Small queries are all overhead: these take part of it away, and `jvm.expressions` more."""

_NO_PAGES = {
    "spark.sql.ui.retainedExecutions": "10",
    "spark.ui.retainedJobs": "10",
    "spark.ui.retainedStages": "10",
    "spark.ui.retainedTasks": "100",
}
"""What Spark keeps for web pages that nobody can open: every plan as text."""


@dataclass(frozen=True)
class Launch:
    """What Java is given when it is started here.

    `scratch` is a folder that ends with the process, `class_archive` Java's shared archive of loaded classes, if
    one was made for this Spark and Java.
    """

    scratch: Path
    class_archive: Path | None = None


@dataclass(frozen=True)
class Store:
    """How Java reaches an object store: Hadoop options, and the trust store made of the settings' CA bundle."""

    hadoop: Mapping[str, str]
    trust: Path | None = None


def spark_conf(
    settings: Settings,
    existing: Mapping[str, str],
    jars: Sequence[Path] = (),
    launch: Launch | None = None,
    store: Store | None = None,
) -> dict[str, str]:
    """The settings to add to `existing`, which is left as it is.

    Without `launch` Java runs already, and with a master in `existing` a cluster has spoken: what concerns the
    process, the network and the display is theirs then. ConfigError when `existing` rules out safe commits.
    """
    _check(existing)
    conf = {**_ALWAYS, **_sized(settings)}
    if jars:
        conf["spark.jars"] = ",".join(str(jar) for jar in jars)
    if launch is not None and "spark.master" not in existing:
        conf |= _own(settings, launch)
    if store is not None:
        conf |= _reaching(store, existing.get("spark.master", settings.spark.master))
    conf |= settings.spark.conf
    added = {key: value for key, value in conf.items() if key not in existing}
    if store is not None and store.trust is not None and "spark.files" in existing:
        added["spark.files"] = f"{existing['spark.files']},{store.trust.as_uri()}"
    return added


def _sized(settings: Settings) -> dict[str, str]:
    return {
        "spark.sql.shuffle.partitions": str(settings.spark.shuffle_partitions),
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(settings.spark.partition_discovery_parallelism),
        "spark.databricks.delta.snapshotPartitions": str(settings.spark.shuffle_partitions),
    }


def _reaching(store: Store, master: str) -> dict[str, str]:
    conf = {f"spark.hadoop.{key}": value for key, value in store.hadoop.items()}
    conf["spark.hadoop.fs.s3.impl"] = "org.apache.hadoop.fs.s3a.S3AFileSystem"
    if store.trust is not None and not master.startswith("local"):
        # executors get the file into the folder they run in
        conf |= {"spark.files": store.trust.as_uri(), "spark.executor.defaultJavaOptions": trusting(store.trust.name)}
    return conf


def trusting(trust: str) -> str:
    """Java's options for a trust store at this path."""
    return f"-Djavax.net.ssl.trustStore={trust} -Djavax.net.ssl.trustStorePassword={TRUST_PASSWORD}"


def _own(settings: Settings, launch: Launch) -> dict[str, str]:
    spark = settings.spark
    conf = {
        "spark.master": spark.master,
        "spark.driver.memory": spark.driver_memory,
        "spark.ui.enabled": str(spark.ui).lower(),
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": (launch.scratch / "warehouse").as_uri(),
        # the line of Python behind every column, looked up by some 5 calls to Java each
        "spark.python.sql.dataFrameDebugging.enabled": "false",
    }
    if not spark.ui:
        conf |= _NO_PAGES
    if not spark.master.startswith("local"):
        return conf
    if spark.fast_start:
        conf |= SMALL
        archive = (f"-XX:SharedArchiveFile={launch.class_archive}",) if launch.class_archive else ()
        conf["spark.driver.defaultJavaOptions"] = " ".join((*FAST_START, *archive))
    return conf | _LOOPBACK


def require_set(running: Mapping[str, str]) -> None:
    """ConfigError unless a session that runs already commits safely: its log stores can no longer be changed."""
    for key, needed in _REQUIRED.items():
        if key not in running:
            raise ConfigError(
                f"the Spark session that runs already has no {key}; imagelake needs {needed}",
                hint=f"start it with --conf {key}={needed}, or let imagelake start it",
            )


def _check(existing: Mapping[str, str]) -> None:
    for key, needed in _REQUIRED.items():
        value = existing.get(key, needed)
        if needed not in value.split(","):
            raise ConfigError(
                f"{key} is set to {value} on this machine; imagelake needs {needed}",
                hint=f"add --conf {key}={needed} to spark-submit, or take the setting out",
            )
