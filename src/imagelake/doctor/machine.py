"""What `imagelake doctor` looks at: whether this machine can do the work, and whether the lake is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata

from imagelake.config.settings import Settings
from imagelake.doctor.check import Check
from imagelake.doctor.settings_checks import settings_checks
from imagelake.engine import jars, java
from imagelake.engine.class_archive import class_archive
from imagelake.errors import ConfigError, ImagelakeError, NotFound
from imagelake.storage import open_storage
from imagelake.storage.local import path_from_uri
from imagelake.storage.open_lake import MARKER, foreign_file, open_lake
from imagelake.storage.uri import is_s3

_ENGINE = {
    "pyspark": "4.2.0",
    "delta-spark": "4.4.0",
    "pandas": "2.",
    "defusedxml": "",
    "msgspec": "",
    "great-expectations": "1.",
}
"""Packages of the extra `spark` and how their version must begin; Spark and Delta fit only as a pair."""

_INSTALL = 'pip install "imagelake[spark]"'
_LEAST_FREE = 1 << 30


def checks(settings: Settings, environ: Mapping[str, str] | None = None) -> tuple[Check, ...]:
    """Every finding, good or bad. Nothing is fetched or started; it works without Spark and Java.

    In a bucket one object is written and removed, to see whether conditions are kept.
    """
    environ = os.environ if environ is None else environ
    installed = {name: _version(name) for name in _ENGINE}
    if not any(installed[name] for name in ("pyspark", "delta-spark")):
        engine: tuple[Check, ...] = (
            Check("engine", True, "not installed: versions can be read, looked at and exported, not made", _INSTALL),
        )
    else:
        engine = (_packages(installed), _java(settings, environ), _jars(settings), _workers(environ))
    if is_s3(settings.lake):
        from imagelake.doctor.bucket import bucket_checks

        bucket = tuple(bucket_checks(settings))
        reachable = all(check.ok for check in bucket if check.name in ("bucket", "credentials", "endpoint"))
        return (*engine, *bucket, *(_lake_and_settings(settings) if reachable else ()))
    return (*engine, *_lake_and_settings(settings), _disk(settings.lake))


def _lake_and_settings(settings: Settings) -> Iterator[Check]:
    """Whether the lake is one, and then what the settings of its datasets are worth."""
    lake = _lake(settings)
    yield lake
    storage = open_storage(settings.lake, settings.s3)
    if lake.ok and storage.stat(MARKER) is not None:
        yield from settings_checks(storage)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _packages(installed: Mapping[str, str | None]) -> Check:
    wrong = [
        f"{name} is not installed" if version is None else f"{name} is {version}, needed is {_ENGINE[name]}"
        for name, version in installed.items()
        if version is None or not version.startswith(_ENGINE[name])
    ]
    if wrong:
        return Check("engine", False, "; ".join(wrong), _INSTALL)
    return Check("engine", True, ", ".join(f"{name} {version}" for name, version in installed.items()))


def _java(settings: Settings, environ: Mapping[str, str]) -> Check:
    try:
        runtime = java.require(environ)
    except ConfigError as error:
        return Check("java", False, error.message, error.hint)
    started = f"Java {runtime.version} ({runtime.program})"
    if not settings.spark.fast_start or class_archive(settings.spark, runtime):
        return Check("java", True, started)
    slow = "starts take about 3 s longer than with a class archive"
    return Check("java", True, f"{started}; {slow}", f"{sys.executable} -m imagelake.demo.train")


def _jars(settings: Settings) -> Check:
    spark = settings.spark
    if spark.jars == "preinstalled":
        return Check("jars", True, "left to the cluster (spark.jars = preinstalled)")
    required = jars.needed(is_s3(settings.lake))
    missing = jars.missing(spark, required)
    if not missing:
        return Check("jars", True, f"{len(required)} in {spark.jar_cache if spark.jars == 'auto' else spark.jars}")
    if spark.jars == "auto":
        fetch = f"{sys.executable} -m imagelake.engine.jars"
        return Check("jars", True, f"{', '.join(missing)} will be fetched when Spark first starts", fetch)
    return Check("jars", False, f"spark.jars = {spark.jars} lacks {', '.join(missing)}", "put them there")


def _workers(environ: Mapping[str, str]) -> Check:
    """Driver and workers exchange pickled code, which only the same Python can read."""
    name, own = "workers", f"{sys.version_info.major}.{sys.version_info.minor}"
    program = environ.get("PYSPARK_PYTHON")
    if program is None:
        return Check(name, True, f"this Python {own} ({sys.executable})")
    question = "import sys, pyarrow, imagelake; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([program, "-c", question], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, False, f"PYSPARK_PYTHON={program} does not run: {error}", "unset PYSPARK_PYTHON")
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        return Check(name, False, f"PYSPARK_PYTHON={program}: {said}", "install imagelake there, or unset it")
    version = done.stdout.strip()
    if version != own:
        return Check(name, False, f"PYSPARK_PYTHON={program} is Python {version}, this is {own}", "use one for both")
    return Check(name, True, f"Python {version} ({program})")


def _lake(settings: Settings) -> Check:
    try:
        lake = open_lake(settings.lake, settings.s3)
    except NotFound as error:
        other = foreign_file(open_storage(settings.lake, settings.s3))
        if other is None:
            return Check("lake", True, error.message, "the first upload makes it")
        return Check("lake", False, f"{error.message}, and it holds {other}", "name an empty or absent folder")
    except ImagelakeError as error:
        return Check("lake", False, error.message, error.hint)
    return Check("lake", True, f"{lake.storage.root}, id {lake.lake_id}, format {lake.format}")


def _disk(uri: str) -> Check:
    try:
        path = path_from_uri(uri).absolute()
    except ConfigError as error:
        return Check("disk", False, error.message, error.hint)
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    message = f"{free / (1 << 30):.1f} GiB free at {there}"
    return Check("disk", free >= _LEAST_FREE, message, None if free >= _LEAST_FREE else "make room, at least 1 GiB")
