"""The only place that builds a SparkSession."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from imagelake.config.settings import Settings
from imagelake.engine import jars, java
from imagelake.engine.class_archive import class_archive
from imagelake.engine.conf import FAST_START, Launch, Store, require_set, spark_conf
from imagelake.engine.lookups import remember_lookups
from imagelake.engine.submit_conf import submitted
from imagelake.engine.trust_store import trust_bundle, trusts_others
from imagelake.errors import ConfigError
from imagelake.storage.uri import is_s3, split

_CLASSES = ("org.apache.spark.sql.delta.catalog.DeltaCatalog", "io.imagelake.LinkLogStore")
_S3_CLASSES = ("org.apache.hadoop.fs.s3a.S3AFileSystem", "software.amazon.awssdk.services.s3.S3Client")
_LOUDER = "--set spark.log_level=INFO shows everything it prints"
_QUIET = ("ERROR", "FATAL", "OFF")


def open_session(settings: Settings, app_name: str) -> SparkSession:
    """The session of this process: the one that runs already, or a new one.

    Under spark-submit, or in a notebook of a cluster, nothing is set that is set already. Otherwise Java is started
    here and ends with this process. With `spark.log_level: ERROR` what it prints goes to a file, whose end is shown
    when it fails to start; with more, to stderr. ConfigError says what this machine lacks.
    """
    running = SparkContext._active_spark_context
    if running is not None:
        return _attach(running, settings)
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return _join(settings)
    return _start(settings, app_name)


def jvm_pid(spark: SparkSession) -> int:
    """The process id of the session's Java, which outlives a killed Python process by seconds."""
    jvm: Any = spark._jvm
    return int(jvm.java.lang.ProcessHandle.current().pid())


def _start(settings: Settings, app_name: str) -> SparkSession:
    """Start Java with everything it needs; the environment is changed only while that happens."""
    runtime = java.require()
    existing = submitted(os.environ)
    launch = Launch(_scratch(), class_archive(settings.spark, runtime))
    own = jars.resolve(settings.spark, jars.needed(is_s3(settings.lake)))
    first = {"spark.app.name": app_name, **existing, **spark_conf(settings, existing, own, launch)}
    with _environment(_worker_python(first) | _launcher_options(settings)):
        if SparkContext._gateway is None:
            _launch(first, launch.scratch / "jvm.log", settings)
        conf = {**first, **spark_conf(settings, first, own, launch, _store(settings, lambda: launch.scratch))}
        _check_classes(settings)
        context = SparkContext(conf=_as_conf(conf), gateway=SparkContext._gateway)
    context.setLogLevel(settings.spark.log_level)
    return _build(conf)


def _join(settings: Settings) -> SparkSession:
    """spark-submit has started Java and then this program: only jars may be missing from what it was given."""
    SparkContext._ensure_initialized()
    # a wheel is a zip, but of --py-files Spark puts only those called .zip, .egg or .jar on the workers' path
    SparkContext.PACKAGE_EXTENSIONS = (*SparkContext.PACKAGE_EXTENSIONS, ".whl")
    existing = dict(SparkConf().getAll())
    required = jars.needed(is_s3(settings.lake))
    lacking = _absent_classes(settings) and "spark.jars" not in existing
    own = jars.resolve(settings.spark, required) if lacking else ()
    _add_to_driver(own)
    _check_classes(settings)
    conf = existing | spark_conf(settings, existing, own, None, _store(settings, _scratch))
    with _environment(_worker_python(conf)):
        SparkContext(conf=_as_conf(conf), gateway=SparkContext._gateway)
    return _build(conf)


def _store(settings: Settings, scratch: Callable[[], Path], *, trust: bool = True) -> Store | None:
    """How Java reaches the lake's object store; a profile and a CA bundle are made known to it here."""
    if not is_s3(settings.lake):
        return None
    from imagelake.storage.s3 import client

    jvm: Any = SparkContext._jvm
    if settings.s3.profile:
        jvm.java.lang.System.setProperty("aws.profile", settings.s3.profile)
    bundle = client.ca_bundle(settings.s3) if trust else None
    made = trust_bundle(jvm, SparkContext._gateway, bundle, scratch) if bundle else None
    bucket, _ = split(settings.lake)
    return Store(client.hadoop_options(client.connect(settings.s3), bucket, settings.s3), made)


def _attach(running: SparkContext, settings: Settings) -> SparkSession:
    """The session that runs already; it is told how to reach the lake's bucket unless it knows."""
    existing = dict(running.getConf().getAll())
    require_set(existing)
    _check_classes(settings)
    jvm: Any = running._jvm
    store = _store(settings, _scratch, trust=not trusts_others(jvm))
    hadoop: Any = running._jsc.hadoopConfiguration()
    for key, value in (store.hadoop if store else {}).items():
        if hadoop.get(key) is None:
            hadoop.set(key, value)
    return _build(spark_conf(settings, existing))


def _build(conf: Mapping[str, str]) -> SparkSession:
    spark = SparkSession.builder.config(map=dict(conf)).getOrCreate()
    remember_lookups(spark._jvm)
    return spark


def _as_conf(conf: Mapping[str, str]) -> SparkConf:
    return SparkConf(loadDefaults=False).setAll(list(conf.items()))


def _launch(conf: Mapping[str, str], log: Path, settings: Settings) -> None:
    """Start Java through Spark's own scripts; its output never reaches our stdout, which programs read."""
    quiet = settings.spark.log_level.upper() in _QUIET
    with log.open("wb") as stream:
        output = stream.fileno() if quiet else 2
        try:
            gateway = launch_gateway(_as_conf(conf), {"stdout": output, "stderr": output})  # type: ignore[no-untyped-call]
        except PySparkRuntimeError:
            said = log.read_text("utf-8", errors="replace").split("\n")
            end = " / ".join(line.strip() for line in said if line.strip())[-500:] or "it printed nothing"
            raise ConfigError(f"Spark's Java process ended while starting: {end}", hint=_LOUDER) from None
    SparkContext._gateway = gateway
    SparkContext._jvm = gateway.jvm


def _class_loader() -> Any:
    jvm: Any = SparkContext._jvm
    return jvm.java.lang.Thread.currentThread().getContextClassLoader()


def _absent_classes(settings: Settings) -> list[str]:
    loader = _class_loader()
    absent = []
    for name in (*_CLASSES, *(_S3_CLASSES if is_s3(settings.lake) else ())):
        try:
            loader.loadClass(name)
        except Py4JJavaError:
            absent.append(name)
    return absent


def _check_classes(settings: Settings) -> None:
    absent = _absent_classes(settings)
    if absent:
        raise ConfigError(
            f"Spark's Java process has no class {' and no class '.join(absent)}",
            hint="its spark.jars was set outside imagelake: "
            "add the paths that `python -m imagelake.engine.jars s3` prints",
        )


def _add_to_driver(paths: Sequence[Path]) -> None:
    """Give jars to a driver that runs already; the workers get theirs from spark.jars."""
    jvm: Any = SparkContext._jvm
    for path in paths:
        _class_loader().addURL(jvm.java.net.URL(path.as_uri()))


def _worker_python(conf: Mapping[str, str]) -> dict[str, str]:
    """Workers on this machine run this very interpreter, not the first python3 on the PATH."""
    is_set = "PYSPARK_PYTHON" in os.environ or "spark.pyspark.python" in conf
    local = conf.get("spark.master", "local").startswith("local")
    return {"PYSPARK_PYTHON": sys.executable} if local and not is_set else {}


def _launcher_options(settings: Settings) -> dict[str, str]:
    """For the short-lived Java that works out the command line of the real one."""
    if not settings.spark.fast_start or "SPARK_LAUNCHER_OPTS" in os.environ:
        return {}
    return {"SPARK_LAUNCHER_OPTS": " ".join(FAST_START)}


@contextmanager
def _environment(additions: Mapping[str, str]) -> Iterator[None]:
    os.environ.update(additions)
    try:
        yield
    finally:
        for name in additions:
            del os.environ[name]


def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="imagelake-"))
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    """At the end of the process that made it: a forked child, which inherits this, ends earlier."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
