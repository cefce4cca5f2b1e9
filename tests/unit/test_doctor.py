from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

from imagelake.config.settings import load
from imagelake.doctor import machine
from imagelake.doctor.machine import Check, checks
from imagelake.engine import java
from imagelake.errors import ConfigError
from imagelake.runs.context import system_clock
from imagelake.storage.open_lake import create_lake

ROOT = Path(__file__).parents[2]


def fake_java(folder: Path, version: str) -> Path:
    """A Java home that says of itself that it is of that version."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return folder


def found(lake: Path, *overrides: str, environ: dict[str, str] | None = None) -> dict[str, Check]:
    return {check.name: check for check in checks(load(None, [f"lake={lake}", *overrides]), environ)}


def test_a_machine_and_lake_in_order_pass_every_check(tmp_path: Path) -> None:
    create_lake(str(tmp_path / "lake"), system_clock)
    home = fake_java(tmp_path / "java", "21.0.2")
    checked = found(tmp_path / "lake", "spark.jars=preinstalled", environ={"JAVA_HOME": str(home)})
    assert [c.name for c in checked.values() if not c.ok] == []
    assert "Java 21.0.2" in checked["java"].message
    assert f"file://{tmp_path}/lake" in checked["lake"].message


def test_a_place_that_is_no_lake_is_said_and_not_made_one(tmp_path: Path) -> None:
    checked = found(tmp_path / "nothing")
    assert checked["lake"].ok
    assert "no lake" in checked["lake"].message
    assert checked["disk"].ok
    assert not (tmp_path / "nothing").exists()


def test_a_place_that_holds_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    checked = found(tmp_path)
    assert not checked["lake"].ok
    assert "thesis.txt" in checked["lake"].message


def test_jars_that_a_folder_lacks_are_named(tmp_path: Path) -> None:
    checked = found(tmp_path, f"spark.jars={tmp_path}")
    assert not checked["jars"].ok
    assert "delta-storage-4.4.0.jar" in checked["jars"].message


def test_jars_still_to_be_fetched_are_no_fault(tmp_path: Path) -> None:
    checked = found(tmp_path, f"spark.jar_cache={tmp_path}")
    assert checked["jars"].ok
    assert "will be fetched" in checked["jars"].message


def test_workers_of_another_python_are_found_out(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.8\n")
    other.chmod(0o755)
    checked = found(tmp_path, environ={"PYSPARK_PYTHON": str(other)})
    assert not checked["workers"].ok
    assert "Python 3.8" in checked["workers"].message
    absent = found(tmp_path, environ={"PYSPARK_PYTHON": str(tmp_path / "none")})
    assert not absent["workers"].ok
    assert found(tmp_path, environ={"PYSPARK_PYTHON": sys.executable})["workers"].ok


def test_workers_without_the_package_are_found_out(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'pyarrow'\" >&2\nexit 1\n")
    other.chmod(0o755)
    assert "pyarrow" in found(tmp_path, environ={"PYSPARK_PYTHON": str(other)})["workers"].message


def test_without_the_engine_the_client_is_said_to_be_all_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_version", lambda name: None)
    checked = found(tmp_path)
    assert checked["engine"].ok
    assert "not installed" in checked["engine"].message
    assert "imagelake[spark]" in str(checked["engine"].hint)
    assert set(checked) == {"engine", "lake", "disk"}


def test_an_engine_of_another_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_version", lambda name: {"pyspark": "4.1.2", "msgspec": None}.get(name, "4.4.0"))
    engine = found(tmp_path)["engine"]
    assert not engine.ok
    assert "pyspark is 4.1.2, needed is 4.2.0" in engine.message
    assert "msgspec is not installed" in engine.message


def test_the_engine_checked_for_is_the_one_declared() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["spark"]
    assert {line.partition("=")[0].partition(">")[0] for line in extra} == set(machine._ENGINE)
    assert {line for line in extra if "==" in line} == {
        f"{name}=={version}" for name, version in machine._ENGINE.items() if version.count(".") == 2
    }


def test_it_runs_where_pyspark_cannot_be_imported(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyspark'] = None\n"
        "from imagelake.doctor.machine import checks; from imagelake.config.settings import load\n"
        f"print(len(checks(load(None, ['lake={tmp_path}']))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_java_names_the_line_to_type() -> None:
    with pytest.raises(ConfigError, match="Java 17") as told:
        java.require({"PATH": "/nowhere"})
    assert told.value.hint == "apt-get install -y openjdk-17-jre-headless"
    with pytest.raises(ConfigError, match="JAVA_HOME=/nowhere"):
        java.require({"JAVA_HOME": "/nowhere"})


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.22", "16"])
def test_an_old_java_is_named_with_what_is_needed(tmp_path: Path, version: str) -> None:
    home = fake_java(tmp_path / "java", version)
    with pytest.raises(ConfigError, match=f"Java 17 or newer.*is Java {version.partition('_')[0]}"):
        java.require({"JAVA_HOME": str(home)})


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("25", 25), ("21-ea", 21), ("1.8.0_392", 8)])
def test_the_release_file_of_a_runtime_is_believed(tmp_path: Path, version: str, major: int) -> None:
    home = fake_java(tmp_path / "java", "9.9")
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    assert java.find({"JAVA_HOME": str(home)}) == java.Java(home / "bin" / "java", major, version)


def test_the_first_java_on_the_path_is_found(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "java", "17.0.1")
    found_java = java.find({"PATH": f"/nowhere:{home}/bin"})
    assert found_java is not None
    assert found_java.program == home / "bin" / "java"
