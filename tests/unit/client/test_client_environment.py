"""The client where there is neither Spark nor Java: an environment built from the client's own lock."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pet_lake import Pets

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the base dependencies only."""
    folder = tmp_path_factory.mktemp("client") / "venv"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert uv is not None, "uv is a development dependency"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    subprocess.run([*install, "--require-hashes", "-r", ROOT / "requirements-client.lock"], check=True)
    subprocess.run([*install, "--no-deps", ROOT], check=True)
    return folder / "bin"


def run(environment: Path, *words: str) -> dict[str, object]:
    """A verb in that environment, with nothing of this machine's on its path: no Java."""
    found = subprocess.run(
        [environment / "imagelake", "--json", *words],
        env={"PATH": str(environment), "HOME": str(environment)},
        cwd=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr + found.stdout
    return dict(json.loads(found.stdout))


@pytest.mark.slow
def test_looking_verbs_and_loading_work_without_spark_and_java(environment: Path, pets: Pets) -> None:
    lake = str(pets.maker.root)
    absent = "import importlib.util as u; print([m for m in ('pyspark', 'delta', 'pandas') if u.find_spec(m)])"
    listed = subprocess.run([environment / "python", "-c", absent], capture_output=True, text=True, check=True)
    assert listed.stdout.strip() == "[]"
    assert run(environment, "--lake", lake, "show")["datasets"]
    assert run(environment, "--lake", lake, "show", "pets")["versions"]
    assert run(environment, "--lake", lake, "verify", "pets@v1")["ok"] is True
    assert run(environment, "--lake", lake, "sql", "select count(*) from images", "--at", "pets@v1")["rows"]
    assert "rejections" in run(environment, "--lake", lake, "rejections", "pets")
    samples = f"imagelake.open({lake!r}).load('pets@v1', unlabelled=True)"
    code = f"import imagelake; print({samples}[0].image().size)"
    loaded = subprocess.run([environment / "python", "-c", code], capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
