"""The compose file, looked at without a cluster: its services, their keys, and the bucket that is made once."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from docker_files import COMPOSE, DOCKER, ENVIRON, IMAGE, SERVICES, all_of, in_image
from documents import ROOT, check

from imagelake.config import settings
from imagelake.storage.s3.client import connect


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_complete(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert re.fullmatch(r"\d+(\.\d+)+", tag), "an exact version"
    assert service["image"].count("/") <= 1, "no registry is named"
    if "build" in service:
        assert service["image"] == IMAGE
        assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).samefile(DOCKER / "Dockerfile")
    once = service["restart"] == "no"
    assert once or "healthcheck" in service
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] == "service_healthy"
        assert "healthcheck" in SERVICES[other]
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        assert (DOCKER / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]


def test_the_cluster_is_a_master_two_workers_a_bucket_and_one_that_ends() -> None:
    commands = {name: service.get("command", [""])[0] for name, service in SERVICES.items()}
    assert [name for name, word in commands.items() if word == "master"] == ["spark-master"]
    assert [SERVICES[name]["deploy"]["replicas"] for name, word in commands.items() if word == "worker"] == [2]
    assert [name for name, service in SERVICES.items() if service["restart"] == "no"] == ["setup"]
    assert SERVICES["seaweedfs"]["image"].startswith("chrislusf/seaweedfs:")
    assert set(SERVICES["setup"]["depends_on"]) == set(SERVICES) - {"setup"}


def test_every_part_that_touches_the_bucket_has_keys_and_knows_where_it_is() -> None:
    overlay = settings.load(ROOT / "conf/docker.yaml", (), ENVIRON)
    for name in ("spark-master", "spark-worker", "setup"):
        environ = SERVICES[name]["environment"]
        assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= environ.keys()
        assert environ["AWS_ENDPOINT_URL_S3"] == overlay.s3.endpoint
        assert environ["AWS_REGION"] == overlay.s3.region
    bucket = SERVICES["seaweedfs"]["environment"]
    assert bucket["ACCESS_KEY"] == SERVICES["setup"]["environment"]["AWS_ACCESS_KEY_ID"]
    assert bucket["SECRET_KEY"] == SERVICES["setup"]["environment"]["AWS_SECRET_ACCESS_KEY"]
    # from variables of its own: nobody's AWS keys get into a server for development by being in the shell
    assert all("${IMAGELAKE_DEV_" in key and "dev" in key.partition(":-")[2] for key in bucket.values())
    assert overlay.spark.master == SERVICES["spark-worker"]["command"][1]
    assert overlay.spark.master == f"spark://{SERVICES['spark-master']['command'][2]}:7077"
    assert str(overlay.s3.endpoint).startswith("http://seaweedfs:8333")


def test_driver_and_workers_see_uploads_under_the_same_path() -> None:
    assert SERVICES["setup"]["environment"]["TMPDIR"] == "/uploads"
    assert SERVICES["setup"]["volumes"] == SERVICES["spark-worker"]["volumes"] == ["uploads:/uploads"]
    assert any("/uploads" in step.rest for step in all_of("RUN"))


def test_the_one_shot_makes_the_bucket_of_the_lake_and_runs_the_demo() -> None:
    shell, option, line = SERVICES["setup"]["command"]
    assert (shell, option) == ("sh", "-c")
    make, demo = (shlex.split(part) for part in line.split("&&"))
    assert in_image()[make[1]] == DOCKER / "create_bucket.py"
    assert settings.load(ROOT / "conf/docker.yaml", (), ENVIRON).lake.startswith(f"s3://{make[2]}/")
    assert demo[0] == "imagelake"
    check(demo[1:])


@pytest.mark.parametrize("secret", ["imagelake-dev-not-a-secret", "a+b/c=d_e"])
def test_the_keys_get_into_the_buckets_configuration(tmp_path: Path, secret: str) -> None:
    (line,) = SERVICES["seaweedfs"]["command"]
    fill = line.replace("$$", "$").partition("&&")[0].replace("/tmp/s3.json", str(tmp_path / "s3.json"))
    fill = fill.replace("/etc/seaweedfs/s3-template.json", str(DOCKER / "seaweedfs-s3.json"))
    environ = {**os.environ, "ACCESS_KEY": "somebody", "SECRET_KEY": secret}
    subprocess.run(["/bin/sh", "-c", fill], env=environ, check=True)
    (identity,) = json.loads((tmp_path / "s3.json").read_text("utf-8"))["identities"]
    assert identity["credentials"] == [{"accessKey": "somebody", "secretKey": secret}]


class Bucketeer:
    """A store that knows its buckets."""

    def __init__(self) -> None:
        self.buckets = ["other"]

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": name} for name in self.buckets]}

    def create_bucket(self, Bucket: str) -> None:
        assert Bucket not in self.buckets
        self.buckets.append(Bucket)


def test_a_bucket_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("create_bucket", DOCKER / "create_bucket.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.connect is connect
    store = Bucketeer()
    monkeypatch.setattr(module, "connect", lambda _: store)
    monkeypatch.setenv("IMAGELAKE_CONF", str(ROOT / "conf/docker.yaml"))
    module.main("lake")
    module.main("lake")
    assert store.buckets == ["other", "lake"]
