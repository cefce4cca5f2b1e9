"""moto's server with one write at a time: it looks for an object and creates it in two steps, S3 in one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_one_write_at_a_time(application: Application) -> Application:
    """The application, in which a condition of a write still holds when the write is done."""
    lock = Lock()

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return application(environ, start_response)
        with lock:
            return application(environ, start_response)

    return respond


if __name__ == "__main__":
    host, port = sys.argv[1:]
    application = with_one_write_at_a_time(DomainDispatcherApplication(create_backend_app))
    run_simple(host, int(port), application, threaded=True, request_handler=MotoRequestHandler)
