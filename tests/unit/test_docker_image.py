"""The image, looked at without building it: its steps, copies and pins, and what its entry point starts."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from docker_files import DOCKER, INSTALLED, PAGE, PROJECT, SERVICES, all_of, constants, copied, in_image, name_of, steps
from documents import ROOT

from imagelake.config import settings
from imagelake.engine import conf
from imagelake.engine.submit_conf import submitted


def test_the_dockerfile_has_known_instructions_and_defined_stages() -> None:
    known = {"FROM", "RUN", "COPY", "WORKDIR", "ENV", "USER", "ENTRYPOINT", "CMD"}
    assert {step.word for step in steps()} <= known
    stages: set[str] = set()
    for step in steps():
        if step.word == "FROM":
            image, *named = step.words
            assert image in stages or re.fullmatch(r"python:[\w.-]+-slim-bookworm", image), (
                "a short name with its version"
            )
            stages |= set(named[1:])
        assert step.options.get("from", "build") in stages | {"build"}


def test_the_image_copies_what_is_there_and_sent_along() -> None:
    ignored = [
        x for x in (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines() if x[:1] not in ("#", "")
    ]
    assert ignored[0] == "**"
    kept, left_out = [x[1:] for x in ignored if x.startswith("!")], [x for x in ignored[1:] if not x.startswith("!")]
    for source, _ in copied():
        path = ROOT / source
        assert path.exists(), source
        for file in [path] if path.is_file() else [p for p in path.iterdir() if p.suffix == ".py"]:
            name = file.relative_to(ROOT).as_posix()
            assert any(fnmatch.fnmatch(name, k) or name.startswith(f"{k}/") for k in kept), name
            assert not any(fnmatch.fnmatch(name, out) for out in left_out), name
    for pattern in kept:
        assert list(ROOT.glob(pattern)), pattern


def test_nobody_is_root_in_the_image() -> None:
    user, group = all_of("USER")[-1].rest.split(":")
    assert int(user) > 0
    assert int(group) > 0
    last = max(i for i, s in enumerate(steps()) if s.word == "USER")
    assert not [s for s in steps()[last:] if s.word in ("RUN", "COPY")]
    assert any(f"useradd --uid {user} " in step.rest for step in all_of("RUN"))


def test_the_image_holds_no_keys() -> None:
    named = [step.rest for step in (*all_of("ENV"), *all_of("ARG"))]
    assert not [text for text in named if re.search(settings.MASKED_NAMES, text)]
    assert not [source for source, _ in copied() if "seaweedfs" in source]


def test_one_python_for_every_part_of_the_image() -> None:
    (version,) = {match[1] for step in all_of("FROM") if (match := re.match(r"python:(\d+\.\d+)", step.rest))}
    low, high = re.findall(r"3\.(\d+)", PROJECT["requires-python"])
    assert int(low) <= int(version.split(".")[1]) < int(high)
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    assert set(re.findall(r"python(3\.\d+)", text)) == {version}
    environ = dict(pair.split("=", 1) for pair in all_of("ENV")[-1].rest.split())
    assert environ["PYSPARK_PYTHON"] == environ["PYSPARK_DRIVER_PYTHON"]
    assert environ["IMAGELAKE_CONF"] in in_image()
    assert environ["SPARK_CONF_DIR"] + "/spark-defaults.conf" in in_image()


def pins() -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    return {name.lower(): version for name, version in found}


def test_the_lock_has_everything_that_the_image_installs() -> None:
    """Made anew by `make lock`; the image takes packages from nowhere else."""
    assert [r for r in INSTALLED if name_of(r) not in pins()] == []


@pytest.mark.parametrize("package", ["pyspark", "delta-spark"])
def test_spark_and_delta_are_those_of_the_project(package: str) -> None:
    assert f"{package}=={pins()[package]}" in INSTALLED
    for file in (*DOCKER.iterdir(), PAGE):
        stated = re.findall(rf"{package}[=: ]+v?(\d[\d.]+\d)", file.read_text("utf-8"))
        assert set(stated) <= {pins()[package]}, file.name


def test_other_sessions_in_the_image_commit_as_ours_do() -> None:
    assert submitted({"SPARK_CONF_DIR": str(DOCKER)}) == conf._REQUIRED


EXECUTOR = {
    "SPARK_DRIVER_URL": "spark://driver:1",
    "SPARK_EXECUTOR_ID": "7",
    "SPARK_EXECUTOR_CORES": "2",
    "SPARK_EXECUTOR_MEMORY": "2g",
    "SPARK_APPLICATION_ID": "spark-1",
    "SPARK_EXECUTOR_POD_IP": "10.0.0.9",
    "SPARK_EXECUTOR_POD_NAME": "pod-7",
    "SPARK_RESOURCE_PROFILE_ID": "0",
    "SPARK_JAVA_OPT_0": "-Da=1 2",
    "SPARK_JAVA_OPT_1": "-Db=3",
    "SPARK_CONF_DIR": "/opt/spark/conf",
    "SPARK_HOME": "/spark",
    "SPARK_DRIVER_BIND_ADDRESS": "10.0.0.1",
}


def started(folder: Path, *words: str) -> list[str]:
    """What the container's entry point starts: the program and its arguments."""
    for name in ("spark-class", "spark-submit", "java", "imagelake"):
        program = folder / name
        program.write_text('#!/bin/sh\nprintf "%s\\0" "${0##*/}" "$@"\nexit 3\n')
        program.chmod(0o755)
    environ = {**EXECUTOR, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "SPARK_LOCAL_HOSTNAME": "10.0.0.1"}
    done = subprocess.run([DOCKER / "entrypoint.sh", *words], env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, ""), "the exit code is that of the program"
    return done.stdout.split("\0")[:-1]


@pytest.mark.skipif(shutil.which("bash") is None, reason="the entry point is a bash script")
def test_a_container_becomes_what_it_is_told(tmp_path: Path) -> None:
    master, worker = SERVICES["spark-master"]["command"], SERVICES["spark-worker"]["command"]
    begin = "org.apache.spark.deploy"
    ports = ["--port", "7077", "--webui-port", "8080"]
    assert started(tmp_path, *master) == ["spark-class", f"{begin}.master.Master", *ports, "--host", "spark-master"]
    assert started(tmp_path, *worker) == [
        "spark-class", f"{begin}.worker.Worker", "--webui-port", "8081", "spark://spark-master:7077",
    ]  # fmt: skip
    assert started(tmp_path, "imagelake", "show", "a b") == ["imagelake", "show", "a b"]
    assert started(tmp_path, "driver", "--class", "x", "local:///a.py") == [
        "spark-submit", "--conf", "spark.driver.bindAddress=10.0.0.1", "--deploy-mode", "client", "--class", "x",
        "local:///a.py",
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("bash") is None, reason="the entry point is a bash script")
def test_an_executor_of_kubernetes_starts_with_what_spark_says(tmp_path: Path) -> None:
    java, *words = started(tmp_path, "executor")
    assert java == "java"
    assert words[:6] == ["-Da=1 2", "-Db=3", "-Xms2g", "-Xmx2g", "-cp", "/opt/spark/conf:/spark/jars/*"]
    main, options = words[6], dict(zip(words[7::2], words[8::2], strict=True))
    assert options == {
        "--driver-url": "spark://driver:1", "--executor-id": "7", "--cores": "2", "--app-id": "spark-1",
        "--hostname": "10.0.0.9", "--resourceProfileId": "0", "--podName": "pod-7",
    }  # fmt: skip
    program = constants("spark-kubernetes", main.replace(".", "/") + "$.class")
    assert options.keys() <= set(re.findall(r"--[\w-]+", program))
    everything = constants("spark-kubernetes", "org/apache/spark/deploy/k8s/")
    named = set(re.findall(r"SPARK_[A-Z_]+", (DOCKER / "entrypoint.sh").read_text("utf-8")))
    ours = {"SPARK_LOCAL_HOSTNAME", "SPARK_HOME"}
    assert [name for name in sorted(named - ours) if name not in everything] == []
