"""What runs on a cluster, looked at without one: image, compose file, overlays, manifests, and the page about them."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tomllib
import yaml
from documents import ROOT, blocks, check

from imagelake import errors, settings
from imagelake.jvm import conf
from imagelake.jvm.submitted import submitted
from imagelake.storage.s3 import connect

DOCKER = ROOT / "docker"
PAGE = ROOT / "docs/cluster.md"
ENVIRON = {"AWS_REGION": "eu-central-1", "R2_ACCOUNT": "0123abcd", "POD_NAME": "a-pod", "POD_NAMESPACE": "a-space"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
INSTALLED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["spark"]]
"""What `imagelake[spark]` asks for."""

COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "docs/kubernetes/cronjob.yaml").read_text("utf-8")))
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


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=]", requirement)[0].lower()


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


IN_WORKERS = ("bronze.facts", "bronze.keeping", "silver.frames", "silver.parse", "gold.digests", "storage.s3")
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
