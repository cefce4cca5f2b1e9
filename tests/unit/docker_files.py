"""The files under docker/ taken apart: the steps of the image, the services, and what Spark's own jars know."""

from __future__ import annotations

import importlib.util
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import tomllib
import yaml
from documents import ROOT

DOCKER = ROOT / "docker"
PAGE = ROOT / "docs/cluster.md"
ENVIRON = {"AWS_REGION": "eu-central-1", "R2_ACCOUNT": "0123abcd", "POD_NAME": "a-pod", "POD_NAMESPACE": "a-space"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
INSTALLED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["spark"]]
"""What `imagelake[spark]` asks for."""

COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
IMAGE = f"imagelake:{PROJECT['version']}"


class Step(NamedTuple):
    """An instruction of the Dockerfile."""

    word: str
    rest: str

    @property
    def options(self) -> dict[str, str]:
        return dict(re.findall(r"--(\w+)=(\S+)", self.rest))

    @property
    def words(self) -> list[str]:
        return [w for w in self.rest.split() if not w.startswith("--")]


@cache
def steps() -> tuple[Step, ...]:
    lines = [x for x in (DOCKER / "Dockerfile").read_text("utf-8").splitlines() if not x.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return tuple(Step(*line.strip().split(None, 1)) for line in whole.splitlines() if line.strip())


def all_of(word: str) -> list[Step]:
    return [step for step in steps() if step.word == word]


def copied() -> Iterator[tuple[str, str]]:
    """What the image takes from the checkout, and where it puts it."""
    for step in all_of("COPY"):
        if "from" not in step.options:
            *sources, target = step.words
            yield from ((source, target) for source in sources)


def in_image() -> dict[str, Path]:
    """The checkout's files under their paths in the image."""
    found = {}
    for source, target in copied():
        path = ROOT / source
        if path.is_dir():
            found |= {f"{target}/{file.name}": file for file in path.iterdir()}
        elif target.endswith("/"):
            found[target + path.name] = path
    return found


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=]", requirement)[0].lower()


@cache
def constants(jar: str, inside: str) -> str:
    """The text in Spark's own classes: the options and settings it knows stand there as they are."""
    (spec,) = importlib.util.find_spec("pyspark").submodule_search_locations or ()  # type: ignore[union-attr]
    (path,) = (p for p in Path(spec, "jars").glob(f"{jar}_2.13-*.jar"))
    with zipfile.ZipFile(path) as archive:
        read = [
            archive.read(name) for name in archive.namelist() if name.startswith(inside) and name.endswith(".class")
        ]
    assert read, inside
    return b"\n".join(read).decode("latin-1")
