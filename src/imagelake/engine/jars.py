"""The jars that Spark needs besides its own to write the lake: named, checked, and fetched once into a cache.

Delta's other dependencies are either shipped with Spark or serve catalogs and connectors that a lake does not use.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from imagelake.config.settings import SparkSettings, load
from imagelake.errors import ConfigError

LOG_STORE = "imagelake-logstore.jar"
"""Our own jar, part of the package."""

_CHUNK = 1 << 20
_POM = (
    "<project><modelVersion>4.0.0</modelVersion><groupId>imagelake</groupId><artifactId>jars</artifactId>"
    "<version>1</version><packaging>pom</packaging><dependencies>{}</dependencies></project>"
)
_FETCH_SECONDS = 600


@dataclass(frozen=True)
class Jar:
    """A published jar: Maven coordinate and the sha256 (hex) of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """The coordinate as Maven and Ivy write it."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """The name of the file, which Maven gives it."""
        return f"{self.artifact}-{self.version}.jar"


def _packaged(name: str) -> Traversable:
    # not by path: the package may be inside a zip
    return resources.files("imagelake").joinpath("jvm", name)


def _pinned() -> Iterator[tuple[str, Jar]]:
    for line in _packaged("jars.txt").read_text("ascii").splitlines():
        if not line.startswith("#"):
            kind, *fields = line.split(" ")
            yield kind, Jar(*fields)


@cache
def needed(s3: bool) -> tuple[Jar, ...]:
    """What Spark needs for a lake on a local disk, or in an object store."""
    return tuple(jar for kind, jar in _pinned() if s3 or kind == "delta")


Fetch = Callable[[Sequence[Jar], Path], None]
"""Puts jars into a folder under their file names; ConfigError when it cannot."""


def resolve(spark: SparkSettings, jars: Sequence[Jar], fetchers: Sequence[Fetch] | None = None) -> tuple[Path, ...]:
    """The jars to pass to Spark, ours included; none when the cluster has them (`spark.jars: preinstalled`).

    `auto` fetches what the cache lacks and checks every sum once; any other value is a folder that must hold
    all of them. ConfigError says what is missing and what to do.
    """
    if spark.jars == "preinstalled":
        return ()
    if spark.jars != "auto":
        return (*_from_folder(Path(spark.jars).expanduser(), jars), log_store(spark))
    cache = Path(spark.jar_cache).expanduser()
    if not _complete(cache, jars):
        _fill(cache, jars, (fetch_with_maven, fetch_with_ivy) if fetchers is None else fetchers)
    return (*(cache.absolute() / jar.file_name for jar in jars), log_store(spark))


def log_store(spark: SparkSettings) -> Path:
    """Our own jar as a file, which Java needs: of a package inside a zip it is put into the cache."""
    packaged = _packaged(LOG_STORE)
    if isinstance(packaged, Path):
        return packaged
    data = packaged.read_bytes()
    cache = Path(spark.jar_cache).expanduser().absolute()
    path = cache / f"{hashlib.sha256(data).hexdigest()[:16]}-{LOG_STORE}"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as temporary:
            temporary.write(data)
        Path(temporary.name).replace(path)
    return path


def missing(spark: SparkSettings, jars: Sequence[Jar]) -> tuple[str, ...]:
    """File names of the jars that are not on this machine yet; nothing is fetched."""
    if spark.jars == "preinstalled":
        return ()
    folder = Path(spark.jar_cache if spark.jars == "auto" else spark.jars).expanduser()
    return tuple(j.file_name for j in jars if not (folder / j.file_name).is_file())


def fetch_with_maven(jars: Sequence[Jar], folder: Path) -> None:
    """Fetch with the machine's own Maven, and so with its mirrors and its local repository."""
    maven = shutil.which("mvn")
    if maven is None:
        raise ConfigError("Maven (mvn) is not installed")
    (folder / "pom.xml").write_text(_POM.format("".join(map(_dependency, jars))), "utf-8")
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
    options = ["-DexcludeTransitive=true", f"-DoutputDirectory={folder}", "-Dmdep.useBaseVersion=true"]
    _run([maven, "-B", "-q", "-ntp", goal, *options], folder)


def _dependency(jar: Jar) -> str:
    return (
        f"<dependency><groupId>{jar.group}</groupId><artifactId>{jar.artifact}</artifactId>"
        f"<version>{jar.version}</version></dependency>"
    )


def fetch_with_ivy(jars: Sequence[Jar], folder: Path) -> None:
    """Fetch with the resolver inside Spark, in a process of its own."""
    code = "import sys; from imagelake.engine.ivy import main; main(sys.argv[1], sys.argv[2:])"
    _run([sys.executable, "-c", code, str(folder), *(jar.coordinate for jar in jars)], folder)
    for jar in jars:
        (folder / "jars" / f"{jar.group}_{jar.file_name}").replace(folder / jar.file_name)


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{Path(command[0]).name} gave no answer within {_FETCH_SECONDS} s") from None
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        reason = next(
            (line for line in lines if "ERROR" in line or "UNRESOLVED" in line.upper()), lines[-1] if lines else ""
        )
        raise ConfigError(f"{Path(command[0]).name} failed: {reason.strip()[:300]}")


def _from_folder(folder: Path, jars: Sequence[Jar]) -> tuple[Path, ...]:
    paths = tuple(folder.absolute() / jar.file_name for jar in jars)
    absent = [path.name for path in paths if not path.is_file()]
    if absent:
        raise ConfigError(
            f"spark.jars = {folder}: the folder lacks {', '.join(absent)}",
            hint="put them there, or set spark.jars=auto to have them fetched",
        )
    return paths


def _marker(cache: Path, jars: Sequence[Jar]) -> Path:
    named = "\n".join(f"{jar.file_name} {jar.sha256}" for jar in jars)
    return cache / f"checked-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


def _complete(cache: Path, jars: Sequence[Jar]) -> bool:
    """Whether all jars are there and were checked once: hashing them anew would slow down every start."""
    return _marker(cache, jars).is_file() and all((cache / jar.file_name).is_file() for jar in jars)


def _fill(cache: Path, jars: Sequence[Jar], fetchers: Sequence[Fetch]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    absent = [jar for jar in jars if not _is_sound(cache / jar.file_name, jar)]
    if absent:
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as temporary:
            _fetch(absent, Path(temporary), fetchers)
            for jar in absent:
                # a second process may do the same: each puts the same bytes there, at once
                (Path(temporary) / jar.file_name).replace(cache / jar.file_name)
    _marker(cache, jars).touch()


def _fetch(jars: Sequence[Jar], folder: Path, fetchers: Iterable[Fetch]) -> None:
    problems = []
    for fetch in fetchers:
        try:
            fetch(jars, folder)
        except ConfigError as error:
            problems.append(error.message)
        else:
            return _verify(jars, folder)
    names = ", ".join(jar.file_name for jar in jars)
    raise ConfigError(
        f"cannot fetch the jars that Spark needs ({names}): {'; '.join(problems)}",
        hint="connect once to the network, or put the files into a folder and set spark.jars=FOLDER",
    )


def _verify(jars: Sequence[Jar], folder: Path) -> None:
    for jar in jars:
        if not _is_sound(folder / jar.file_name, jar):
            raise ConfigError(
                f"{jar.file_name} was fetched, but its bytes are not those of {jar.coordinate} (sha256 {jar.sha256})",
                hint="the repository or proxy this machine fetches from may be damaged: compare with another machine",
            )


def _is_sound(path: Path, jar: Jar) -> bool:
    if not path.is_file():
        return False
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == jar.sha256


def main() -> None:
    """Print the paths, separated by commas, as `spark-submit --jars` takes them; with `s3` those for buckets too."""
    paths = resolve(load().spark, needed(s3="s3" in sys.argv[1:]))
    sys.stdout.write(",".join(str(path) for path in paths) + "\n")


if __name__ == "__main__":
    main()
