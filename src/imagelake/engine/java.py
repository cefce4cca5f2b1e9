"""The Java that Spark would start: where it is and how new."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagelake.errors import ConfigError

NEEDED = 17
"""Spark 4 runs on no older Java."""

INSTALL = "apt-get install -y openjdk-17-jre-headless"
"""What to type on Debian and its relatives."""

_VERSION = re.compile(r'version "?([\d.]+)')
_MAJOR = re.compile(r"(?:1\.)?(\d+)")
_RELEASE = re.compile(r'^JAVA_VERSION="([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Java:
    """A Java runtime: its program, major version and full version."""

    program: Path
    major: int
    version: str


def find(environ: Mapping[str, str] | None = None) -> Java | None:
    """The Java that Spark's own scripts choose: below JAVA_HOME if that is set, else the first on the PATH."""
    environ = os.environ if environ is None else environ
    home = environ.get("JAVA_HOME")
    path = str(Path(home) / "bin" / "java") if home else shutil.which("java", path=environ.get("PATH"))
    if not path or not os.access(path, os.X_OK):
        return None
    program = Path(path)
    version = _released(program) or _asked(program)
    return None if version is None else Java(program, _major(version), version)


def require(environ: Mapping[str, str] | None = None) -> Java:
    """The Java that Spark's own scripts choose; ConfigError with the line to type when there is none or it is old."""
    environ = os.environ if environ is None else environ
    java = find(environ)
    if java is None:
        home = environ.get("JAVA_HOME")
        where = f"below JAVA_HOME={home}" if home else "on the PATH"
        raise ConfigError(f"Spark needs Java {NEEDED} or newer; there is none {where}", hint=INSTALL)
    if java.major < NEEDED:
        raise ConfigError(
            f"Spark needs Java {NEEDED} or newer; {java.program} is Java {java.version}",
            hint=f"{INSTALL}, or point JAVA_HOME to a newer one",
        )
    return java


def _released(program: Path) -> str | None:
    """The version from the file that every runtime carries: asking the program takes a tenth of a second."""
    try:
        text = (program.resolve().parent.parent / "release").read_text("utf-8", errors="replace")
    except OSError:
        return None
    match = _RELEASE.search(text)
    return match.group(1) if match else None


def _asked(program: Path) -> str | None:
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(done.stderr + done.stdout)
    return match.group(1) if match else None


def _major(version: str) -> int:
    """17 of 17.0.15, and 8 of 1.8.0."""
    match = _MAJOR.match(version)
    return int(match.group(1)) if match else 0
