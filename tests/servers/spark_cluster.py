"""A standalone Spark cluster on loopback: a master and workers as processes of their own."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyspark
from tests.servers.processes import LOOPBACK, Processes, ServerError, free_ports, processes

HOME = Path(pyspark.__file__).parent
_SMALL = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its URL for spark-submit, and where each worker keeps what its executors were sent."""

    url: str
    workers: tuple[Path, ...]
    environment: dict[str, str]

    @property
    def submit(self) -> str:
        """The program spark-submit."""
        return str(HOME / "bin" / "spark-submit")


def bare_python(folder: Path) -> Path:
    """An interpreter with this one's packages, but without what is installed from a checkout: no imagelake."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    # of a folder that a .pth file names Python does not read the .pth files, and by such a checkout is found
    (site / "packages.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    return folder / "bin" / "python"


@contextmanager
def standalone(folder: Path, *, workers: int) -> Iterator[Cluster]:
    """A cluster of so many workers with one core each and no keys, all of it on loopback; gone at the end."""
    port, page = free_ports(2)
    environment = {
        "SPARK_HOME": str(HOME),
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_DAEMON_MEMORY": "128m",
        "SPARK_DAEMON_JAVA_OPTS": _SMALL,
        "SPARK_LAUNCHER_OPTS": _SMALL,
    }
    url, start = f"spark://{LOOPBACK}:{port}", [str(HOME / "bin" / "spark-class"), "org.apache.spark.deploy"]
    keyless = [word for name in os.environ if name.startswith("AWS_") for word in ("-u", name)]
    assigned = [*keyless, *(f"{name}={value}" for name, value in environment.items())]
    with processes(folder / "log") as children:
        master = ["--host", LOOPBACK, "--port", str(port), "--webui-port", str(page)]
        children.spawn("master", ["env", *assigned, start[0], f"{start[1]}.master.Master", *master])
        children.wait_for(page)
        homes = tuple(folder / f"worker{number}" for number in range(workers))
        for home in homes:
            asked = ["--host", LOOPBACK, "--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(home)]
            worker = [start[0], f"{start[1]}.worker.Worker", *asked, url]
            children.spawn(home.name, ["env", *assigned, *worker])
        _wait_for_workers(children, page, workers)
        yield Cluster(url, homes, {**os.environ, **environment})


def _wait_for_workers(children: Processes, page: int, count: int, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while _alive(page) < count:
        if time.monotonic() > deadline:
            raise children.error(f"{count} workers did not come up in {timeout:.0f} s")
        time.sleep(0.1)


def _alive(page: int) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, page, timeout=10)
    try:
        connection.request("GET", "/json/")
        answer = connection.getresponse()
        if answer.status != 200:
            raise ServerError(f"the master answers {answer.status}")
        return int(json.loads(answer.read())["aliveworkers"])
    finally:
        connection.close()
