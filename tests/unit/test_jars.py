from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import tomllib

from imagelake.config.settings import SparkSettings
from imagelake.engine import jars
from imagelake.engine.jars import LOG_STORE, Jar, log_store, missing, needed, resolve
from imagelake.errors import ConfigError

ROOT = Path(__file__).parents[2]


def jar(name: str) -> Jar:
    return Jar("org.example", name, "1.0", hashlib.sha256(name.encode()).hexdigest())


WANTED = (jar("one"), jar("two"))


class Shop:
    """Hands out jars, and counts how often it was asked."""

    def __init__(self, *, damaged: str = "", closed: bool = False) -> None:
        self.asked: list[list[str]] = []
        self.damaged, self.closed = damaged, closed

    def __call__(self, wanted: Sequence[Jar], folder: Path) -> None:
        self.asked.append([j.artifact for j in wanted])
        if self.closed:
            raise ConfigError("the shop is closed")
        for one in wanted:
            (folder / one.file_name).write_bytes(b"damage" if one.artifact == self.damaged else one.artifact.encode())


def auto(folder: Path) -> SparkSettings:
    return SparkSettings(jar_cache=str(folder / "cache"))


def names(folder: Path) -> set[str]:
    return {p.name for p in (folder / "cache").iterdir() if not p.name.startswith("checked-")}


def test_jars_are_fetched_once_and_then_taken_from_the_cache(tmp_path: Path) -> None:
    shop = Shop()
    first = resolve(auto(tmp_path), WANTED, [shop])
    second = resolve(auto(tmp_path), WANTED, [shop])

    assert first == second
    assert [p.name for p in first] == ["one-1.0.jar", "two-1.0.jar", LOG_STORE]
    assert all(p.is_absolute() and p.is_file() for p in first)
    assert shop.asked == [["one", "two"]]
    assert names(tmp_path) == {"one-1.0.jar", "two-1.0.jar"}


def test_only_what_is_absent_or_damaged_is_fetched_again(tmp_path: Path) -> None:
    shop = Shop()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "one-1.0.jar").write_bytes(b"one")
    (tmp_path / "cache" / "two-1.0.jar").write_bytes(b"half a fi")
    resolve(auto(tmp_path), WANTED, [shop])
    (tmp_path / "cache" / "one-1.0.jar").unlink()
    resolve(auto(tmp_path), WANTED, [shop])
    assert shop.asked == [["two"], ["one"]]


def test_a_cache_filled_by_hand_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    for one in WANTED:
        (tmp_path / "cache" / one.file_name).write_bytes(one.artifact.encode())
    assert len(resolve(auto(tmp_path), WANTED, [])) == 3


def test_other_bytes_than_named_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"one-1\.0\.jar was fetched, but its bytes are not those of org.example:one"):
        resolve(auto(tmp_path), WANTED, [Shop(damaged="one")])
    assert names(tmp_path) == set()


def test_the_next_way_is_tried_when_one_fails(tmp_path: Path) -> None:
    closed, other = Shop(closed=True), Shop()
    resolve(auto(tmp_path), WANTED, [closed, other])
    assert (len(closed.asked), len(other.asked)) == (1, 1)


def test_without_network_the_error_names_the_jars_and_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"one-1\.0\.jar, two-1\.0\.jar.*the shop is closed") as told:
        resolve(auto(tmp_path), WANTED, [Shop(closed=True)])
    assert "spark.jars=FOLDER" in str(told.value.hint)
    assert names(tmp_path) == set()


def test_several_starts_at_once_end_with_the_same_jars(tmp_path: Path) -> None:
    together = threading.Barrier(4)
    shop, found = Shop(), []

    def fetch(wanted: Sequence[Jar], folder: Path) -> None:
        together.wait(timeout=30)
        shop(wanted, folder)

    def start() -> None:
        found.append(resolve(auto(tmp_path), WANTED, [fetch]))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert names(tmp_path) == {"one-1.0.jar", "two-1.0.jar"}


def test_a_folder_must_hold_all_jars_and_the_error_names_those_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "one-1.0.jar").write_bytes(b"whatever the cluster has")
    spark = SparkSettings(jars=str(tmp_path))
    assert missing(spark, WANTED) == ("two-1.0.jar",)
    with pytest.raises(ConfigError, match=r"lacks two-1\.0\.jar"):
        resolve(spark, WANTED, [])
    (tmp_path / "two-1.0.jar").touch()
    assert resolve(spark, WANTED, []) == (tmp_path / "one-1.0.jar", tmp_path / "two-1.0.jar", log_store(spark))
    assert missing(spark, WANTED) == ()


def test_a_cluster_that_has_them_is_given_none(tmp_path: Path) -> None:
    assert resolve(SparkSettings(jars="preinstalled"), WANTED, []) == ()


def test_maven_that_fails_is_an_error_with_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "mvn"
    fake.write_text("#!/bin/sh\necho '[INFO] hello'\necho '[ERROR] no route to host' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ConfigError, match=r"mvn failed.*no route to host"):
        jars.fetch_with_maven(WANTED, tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(ConfigError, match="not installed"):
        jars.fetch_with_maven(WANTED, tmp_path)


def test_the_jars_of_delta_are_those_of_the_python_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = [p for p in project["optional-dependencies"]["spark"] if p.startswith("delta-spark")]
    assert pins == [f"delta-spark=={one.version}" for one in needed(s3=True) if one.artifact.startswith("delta-spark")]


def test_our_own_jar_is_in_the_package_and_small() -> None:
    ours = log_store(SparkSettings())
    with zipfile.ZipFile(ours) as archive:
        assert {f"io/imagelake/{name}LogStore.class" for name in ("Link", "Conditional")} <= set(archive.namelist())
    assert ours.stat().st_size < 40_000


def test_looking_for_jars_needs_no_spark() -> None:
    code = "import sys; import imagelake.engine.jars; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_wheel_holds_the_jar_the_settings_and_the_jobs_but_no_java_source(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    jobs = {f"imagelake/jobs/{path.name}" for path in (ROOT / "jobs").glob("*.py")}
    assert {"imagelake/jvm/imagelake-logstore.jar", "imagelake/base.yaml", "imagelake/engine/session.py"} <= names
    assert jobs
    assert jobs <= names
    assert [name for name in names if name.endswith((".java", ".xml", ".class"))] == []


def test_out_of_a_zipped_package_java_gets_our_jar_as_a_file(tmp_path: Path) -> None:
    package = shutil.make_archive(str(tmp_path / "imagelake"), "zip", ROOT / "src", "imagelake")
    code = f"""if True:
        import sys
        sys.path.insert(0, {package!r})
        from imagelake.engine.jars import log_store, needed
        from imagelake.config.settings import SparkSettings
        print(len(needed(s3=True)), *{{log_store(SparkSettings(jar_cache={str(tmp_path / "cache")!r})) for _ in "12"}})
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, path = done.stdout.split()
    assert int(count) == len(needed(s3=True))
    assert Path(path).read_bytes() == log_store(SparkSettings()).read_bytes()
    assert len(list((tmp_path / "cache").iterdir())) == 1
