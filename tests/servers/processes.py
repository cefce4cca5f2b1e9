"""Child processes that serve on loopback: started, waited for, and gone at the end."""

from __future__ import annotations

import contextlib
import http.client
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
# below Linux's ephemeral range: no outgoing connection can take such a port before the server does
_PORTS = range(20_000, 32_000)


class ServerError(RuntimeError):
    """A server did not start; the message ends with the tails of the logs."""


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on; not from `random`, which pytest-randomly seeds alike in every process."""
    found: set[int] = set()
    while len(found) < count:
        port = secrets.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((LOOPBACK, port))
            found.add(port)
    return list(found)


@dataclass
class Processes:
    """The children of one server, and the folder of their logs."""

    logs: Path
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def spawn(self, name: str, command: Sequence[str]) -> None:
        """Start a child in the foreground, its output in a log.

        It dies with the thread that started it, even if this process is killed: start servers from a thread that lasts.
        """
        prefix = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (self.logs / f"{name}.out").open("wb") as out:
            child = subprocess.Popen([*prefix, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self._children.append(child)

    def run(self, command: Sequence[str], timeout: float = 60) -> str:
        """The output of a command that ends by itself."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise self.error(f"{' '.join(command)} took more than {timeout:.0f} s") from error
        if done.returncode:
            raise self.error(f"{' '.join(command)} failed: {done.stderr.strip()[-1500:]}")
        return done.stdout

    def wait_for(self, port: int, timeout: float = 60) -> None:
        """Return once anything answers http on `port`."""
        deadline = time.monotonic() + timeout
        while not _answers(port):
            if any(child.poll() is not None for child in self._children):
                raise self.error("a process of the server ended")
            if time.monotonic() > deadline:
                raise self.error(f"nothing answers on port {port} after {timeout:.0f} s")
            time.sleep(0.05)

    def error(self, message: str) -> ServerError:
        """The message with what the logs end with."""
        tails = [f"--- {log.name}\n{_tail(log)}" for log in sorted(self.logs.iterdir()) if log.stat().st_size]
        return ServerError("\n".join([message, *tails]))

    def kill(self) -> None:
        """End the children; what they hold is not worth an orderly stop."""
        for child in reversed(self._children):
            child.kill()
        for child in self._children:
            child.wait()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _tail(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 1500))
        return stream.read().decode(errors="replace")


@contextmanager
def processes(logs: Path) -> Iterator[Processes]:
    """Children that are dead at the end, however it comes."""
    logs.mkdir(parents=True, exist_ok=True)
    children = Processes(logs)
    try:
        yield children
    finally:
        children.kill()
