"""What somebody else has already configured for Spark on this machine: never overridden."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

_OPTIONS = {
    "--master": "spark.master",
    "--name": "spark.app.name",
    "--jars": "spark.jars",
    "--packages": "spark.jars.packages",
    "--driver-memory": "spark.driver.memory",
    "--driver-java-options": "spark.driver.extraJavaOptions",
    "--driver-class-path": "spark.driver.extraClassPath",
    "--executor-memory": "spark.executor.memory",
}
_LINE = re.compile(r"^\s*([^\s=:#]+)\s*[\s=:]\s*(.*?)\s*$")


def submitted(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of spark-defaults.conf and PYSPARK_SUBMIT_ARGS, the latter winning as in spark-submit."""
    return {**_defaults(environ), **_arguments(environ.get("PYSPARK_SUBMIT_ARGS", ""))}


def _defaults(environ: Mapping[str, str]) -> dict[str, str]:
    home = environ.get("SPARK_HOME")
    folder = environ.get("SPARK_CONF_DIR") or (f"{home}/conf" if home else None)
    file = Path(folder or "") / "spark-defaults.conf"
    if folder is None or not file.is_file():
        return {}
    matches = (_LINE.match(line) for line in file.read_text("utf-8").splitlines())
    return {m.group(1): m.group(2) for m in matches if m and m.group(1).startswith("spark.")}


def _arguments(text: str) -> dict[str, str]:
    words = shlex.split(text)
    conf = {}
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not equals:
            value = words[index + 1] if index + 1 < len(words) else ""
        if name in ("--conf", "-c"):
            key, _, value = value.partition("=")
            conf[key] = value
        elif name in _OPTIONS:
            conf[_OPTIONS[name]] = value
    return conf
