"""moto's server: quick to start, checks no signatures, runs no lifecycle rules."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.processes import LOOPBACK, free_ports, processes
from tests.servers.server import Server

_APP = Path(__file__).with_name("moto_app.py")


@contextmanager
def moto() -> Iterator[Server]:
    """A fresh, empty server in a process of its own."""
    with tempfile.TemporaryDirectory() as logs, processes(Path(logs)) as children:
        (port,) = free_ports(1)
        # -P: the folder of the script has a moto of its own
        children.spawn("moto", [sys.executable, "-P", str(_APP), LOOPBACK, str(port)])
        children.wait_for(port)
        yield Server("moto", f"http://{LOOPBACK}:{port}", None, None, "motoaccess", "motosecret", "us-east-1")
