"""A Ceph RGW on loopback, how a program reaches it, and the requests it has logged."""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.integration.buckets import Asked, Bucket, asked, new_bucket
from tests.servers.rgw import ACCESS_KEY, SECRET_KEY, rgw

KINDS = ("GET/HEAD", "PUT/POST", "LIST", "DELETE")
_MARK = "mark-"
_SECONDS = 30.0


@contextmanager
def gateway(folder: Path) -> Iterator[Bucket]:
    """A bucket of a gateway that lives in a new folder; its keys are in this process' environment from then on."""
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    with rgw(folder) as server:
        yield new_bucket(server)


def environment(bucket: Bucket, cache: Path) -> Mapping[str, str]:
    """The variables by which a program reaches the bucket over TLS; files it fetches are kept in the folder `cache`."""
    server = bucket.server
    return {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_ENDPOINT_URL": server.https or server.http,
        "AWS_REGION": server.region,
        "AWS_CA_BUNDLE": str(server.ca_bundle),
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_CACHE_HOME": str(cache),
    }


def logged(bucket: Bucket) -> Sequence[Asked]:
    """Every request answered so far, in order; TimeoutError when the log stays behind.

    The log is written after the answers, so a request of our own is awaited in it, which is not in the result.
    """
    mark, end = f"{_MARK}{uuid.uuid4().hex}", time.monotonic() + _SECONDS
    bucket.storage().stat(mark)
    while time.monotonic() < end:
        requests = asked(bucket.server)
        if any(mark in request.path for request in requests):
            return [request for request in requests if f"/{_MARK}" not in request.path]
        time.sleep(0.1)
    raise TimeoutError(f"the log of the gateway lacks a request answered {_SECONDS:.0f} s ago")


def kind(request: Asked) -> str:
    """The kind of KINDS a request is billed as."""
    path, _, query = request.path.partition("?")
    if request.method == "DELETE" or (request.method == "POST" and query.startswith("delete")):
        return "DELETE"
    if request.method == "GET" and "/" not in path.strip("/"):
        return "LIST"
    return "GET/HEAD" if request.method in ("GET", "HEAD") else "PUT/POST"


def figures(requests: Sequence[Asked]) -> dict[str, str]:
    """Columns of a table: requests by kind, and the megabytes of all their bodies, sent and received."""
    counts = Counter(map(kind, requests))
    columns = {name: f"{counts[name]:,}" for name in KINDS}
    return columns | {"MB moved": f"{sum(request.size for request in requests) / 1e6:,.1f}"}
