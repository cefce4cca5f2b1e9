"""The page about clusters, and what it shows: overlays, manifests, commands and settings that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker_files import (
    DOCKER,
    ENVIRON,
    IMAGE,
    INSTALLED,
    PAGE,
    PROJECT,
    SERVICES,
    all_of,
    constants,
    in_image,
    name_of,
)
from documents import ROOT, blocks, check

from imagelake import errors
from imagelake.config import settings
from imagelake.engine import conf

MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "docs/kubernetes/cronjob.yaml").read_text("utf-8")))


def is_spark_setting(name: str) -> bool:
    text = constants("spark-core", "org/apache/spark/internal/config/") + constants(
        "spark-kubernetes", "org/apache/spark/deploy/k8s/Config"
    )
    known = set(re.findall(r"spark\.[A-Za-z0-9_.]+", text))
    prefixes = tuple(k for k in known if k.endswith("."))
    accounts = [f"{k}.serviceAccountName" for k in known if k.startswith("spark.kubernetes.authenticate")]
    return name in known or name.startswith(prefixes) or name in accounts or name in ("spark.cores.max",)


OVERLAYS = sorted(p for p in (ROOT / "conf").glob("*.yaml") if p.name != "base.yaml")


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda p: p.name)
def test_an_overlay_is_valid_and_holds_differences_only(path: Path) -> None:
    mine = settings.parse_yaml(path.read_text("utf-8"), path.name)
    base = settings.load(None, (), {}).model_dump()
    changed = settings.load(path, (), ENVIRON).model_dump()
    for block, values in mine.items():
        for key in values if isinstance(values, dict) else ():
            assert changed[block][key] != base[block][key], f"{block}.{key}"
    assert not re.search(r"AKIA|secret_key|access_key", path.read_text("utf-8"))
    assert [k for k in changed["spark"]["conf"] if not is_spark_setting(k)] == []


def test_each_store_is_reached_as_it_wants() -> None:
    aws, r2 = (settings.load(ROOT / f"conf/{name}.yaml", (), ENVIRON).s3 for name in ("aws", "r2"))
    assert (aws.endpoint, aws.region, aws.path_style) == (None, "eu-central-1", None)
    assert r2.endpoint == "https://0123abcd.r2.cloudflarestorage.com"
    assert (r2.region, r2.path_style) == ("auto", True)
    for name in ("aws", "r2"):
        with pytest.raises(errors.ConfigError, match="is not set"):
            settings.load(ROOT / f"conf/{name}.yaml", (), {})


def manifest(kind: str) -> dict[str, Any]:
    (found,) = (m for m in MANIFESTS if m["kind"] == kind)
    return found


def test_the_manifests_belong_together(tmp_path: Path) -> None:
    job = manifest("CronJob")["spec"]["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["serviceAccountName"] == manifest("ServiceAccount")["metadata"]["name"]
    assert manifest("RoleBinding")["subjects"][0]["name"] == pod["serviceAccountName"]
    assert manifest("RoleBinding")["roleRef"]["name"] == manifest("Role")["metadata"]["name"]
    assert container["image"] == IMAGE
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == all_of("USER")[-1].rest
    assert container["args"][:3] == ["imagelake", "run", "--landing"]
    check(container["args"][1:])
    environ = {e["name"]: e.get("value", "x") for e in container["env"]}
    (mount,) = container["volumeMounts"]
    folder, _, file = environ["IMAGELAKE_CONF"].rpartition("/")
    assert mount["mountPath"] == folder
    assert pod["volumes"][0]["configMap"]["name"] == manifest("ConfigMap")["metadata"]["name"]
    overlay = tmp_path / file
    overlay.write_text(manifest("ConfigMap")["data"][file], "utf-8")
    found = settings.load(overlay, (), environ)
    assert found.spark.jars == "preinstalled"
    assert found.spark.conf["spark.kubernetes.container.image"] == IMAGE
    assert found.spark.conf["spark.kubernetes.authenticate.executor.serviceAccountName"] == pod["serviceAccountName"]
    assert [k for k in found.spark.conf if not is_spark_setting(k)] == []


def test_the_job_retries_what_is_worth_it() -> None:
    job = manifest("CronJob")["spec"]["jobTemplate"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["containerName"] == job["template"]["spec"]["containers"][0]["name"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    kinds = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.ImagelakeError)]
    assert set(rule["onExitCodes"]["values"]) == {kind.exit_code for kind in kinds} - {1, 5}


def command_lines() -> list[list[str]]:
    """The commands of the page's bash blocks, as words."""
    lines = (line for block in blocks(PAGE, "bash") for line in block.replace("\\\n", " ").splitlines())
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def in_cron() -> list[str]:
    (line,) = blocks(PAGE, "cron")
    words = shlex.split(line.partition(">>")[0])
    return words[words.index("spark-submit") :]


def parted(words: list[str]) -> tuple[list[str], str, list[str]]:
    """spark-submit's own words, the program, and the program's."""
    place = next(i for i, word in enumerate(words) if word.endswith(".py"))
    return words[1:place], words[place], words[place + 1 :]


SUBMITS = [w for w in command_lines() if w[0] == "spark-submit"] + [in_cron()]


@pytest.mark.parametrize("words", SUBMITS, ids=lambda words: words[2])
def test_what_is_submitted_is_what_spark_and_imagelake_take(words: list[str]) -> None:
    own, program, rest = parted(words)
    known = set(
        re.findall(r"--[a-z-]+[a-z]", constants("spark-launcher", "org/apache/spark/launcher/SparkSubmitOption"))
    )
    options = own[::2]
    assert "--conf" in known
    assert set(options) <= known
    values = [value.partition("=") for option, value in zip(options, own[1::2], strict=True) if option == "--conf"]
    assert [key for key, equals, _ in values if not (equals and is_spark_setting(key))] == []
    files = {value for _, _, value in values if value.startswith("/etc/imagelake/")}
    assert files <= in_image().keys()
    job = in_image()[program.removeprefix("local://")] if program.startswith("local://") else ROOT / program
    assert job == ROOT / "jobs/pipeline.py"
    assert job.is_file()
    check(["run", *rest])


def test_commands_of_the_page_name_files_and_services_that_exist() -> None:
    wheel = f"imagelake-{PROJECT['version']}-py3-none-any.whl"
    made = {"pets.zip", wheel, f"dist/{wheel}"}
    for words in command_lines():
        assert words[0] in ("cp", "docker", "export", "imagelake", "kubectl", "pip", "spark-submit", "uv"), words
        named = [w for w in words if re.fullmatch(r"(?!s3:|local:|/|-)[\w./-]+\.(yaml|zip|whl|py|lock)", w)]
        assert [n for n in named if n not in made and not (ROOT / n).is_file()] == []
        if words[0] == "docker" and "run" in words:
            service, *command = words[words.index("--rm") + 1 :]
            assert service in SERVICES
            check(command[1:])
        if words[0] == "imagelake":
            check(words[1:])
        if "--from=cronjob/imagelake-landing" in words:
            assert manifest("CronJob")["metadata"]["name"] == "imagelake-landing"


def test_the_page_shows_what_a_session_must_be_started_with() -> None:
    (block,) = blocks(PAGE, "text")
    assert dict(line.split() for line in block.splitlines()) == conf._REQUIRED


def test_settings_of_executors_that_the_page_names_exist() -> None:
    text = PAGE.read_text("utf-8")
    named = set(re.findall(r"\bspark\.(?:kubernetes|executor|authenticate|driver)[\w.]*\w", text))
    assert [name for name in sorted(named) if not is_spark_setting(name)] == []


IN_WORKERS = (
    "bronze.probe.probe_results",
    "bronze.store.write_blobs",
    "silver.image_frames",
    "silver.upload.parse",
    "gold.digests",
    "storage.s3.client",
)
LOADED = "import importlib, sys\nfor n in sys.argv[1:]: importlib.import_module(f'imagelake.{n}')\nprint(*sys.modules)"


def test_the_page_names_every_package_that_workers_need() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, *IN_WORKERS], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    loaded = {
        re.sub(r"[_.]", "-", d).lower() for top, ds in packages_distributions().items() if top in tops for d in ds
    }
    needed = {name_of(r) for r in INSTALLED} & loaded - {"pyspark"}
    assert {"boto3", "pyarrow", "pillow"} <= needed
    listed = PAGE.read_text("utf-8").partition("Workers need ")[2].partition(" for the Python")[0]
    assert needed <= set(re.findall(r"`([\w-]+)`", listed))


def test_no_retired_server_and_no_floating_version_anywhere() -> None:
    for path in (*DOCKER.iterdir(), *(ROOT / "docs/kubernetes").iterdir(), *OVERLAYS, PAGE):
        text = path.read_text("utf-8").lower()
        assert "mini" + "o" not in text.replace("minimum", ""), path.name
        assert ":latest" not in text, path.name
