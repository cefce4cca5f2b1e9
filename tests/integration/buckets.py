"""What the tests on servers share: buckets, settings that reach them, lakes in them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from tests.servers.server import Server

from imagelake.config.settings import S3Settings, Settings, load
from imagelake.errors import ConfigError
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.client import connect

ROOT = Path(__file__).parents[2]

FAULTS = [
    ("drop_answer", None),
    ("late_status", 500),
    ("status", 500),
    ("status", 503),
    ("status", 409),
    ("reset", None),
]
"""What may happen to a write, as kind and status of a tests.servers.faults.Fault."""


@dataclass(frozen=True)
class Bucket:
    """A bucket of a test."""

    server: Server
    name: str

    def storage(self, prefix: str = "", **changed: object) -> S3Storage:
        """A storage at a prefix of it."""
        return S3Storage(self.name, prefix, reach(self.server).model_copy(update=changed))

    def uri(self, path: str) -> str:
        """The URI of a path in it."""
        return f"s3://{self.name}/{path}"


_NUMBERS = itertools.count(1)


def new_bucket(server: Server) -> Bucket:
    """A new, empty bucket."""
    bucket = Bucket(server, f"bucket-{next(_NUMBERS)}")
    connect(reach(server)).create_bucket(Bucket=bucket.name)
    return bucket


def reach(server: Server) -> S3Settings:
    """How this process reaches a server: without TLS, which costs more than the requests."""
    return S3Settings(endpoint=server.http, region=server.region)


def settings(bucket: Bucket, prefix: str, *overrides: str) -> Settings:
    """Settings for a lake in a bucket. Java speaks TLS to RGW, which refuses empty objects from it otherwise."""
    server = bucket.server
    s3 = {"endpoint": server.https or server.http, "ca_bundle": server.ca_bundle and str(server.ca_bundle)}
    chosen = [f"lake={bucket.uri(prefix)}", f"s3={json.dumps(s3)}", "lease.wait_seconds=20"]
    return load(None, [*chosen, "spark.master=local[2]", "spark.shuffle_partitions=2", *overrides])


@dataclass(frozen=True)
class Asked:
    """A request as the gateway logged it; `size` is the bytes of both bodies, the one sent and the one received."""

    method: str
    path: str
    status: int
    size: int


_LINE = re.compile(r'beast: \S+ \S+ - \S+ \[[^]]+\] "(\S+) (\S+) HTTP/1\.1" (\d+) (\d+) ')


def asked(server: Server, since: int = 0) -> list[Asked]:
    """Every request RGW has answered so far, after the first `since`; a proxy would not see those of delta-rs."""
    assert server.folder is not None
    text = (server.folder / "log" / "client.rgw.log").read_text(errors="replace")
    found = [Asked(m[1], m[2], int(m[3]), int(m[4])) for m in _LINE.finditer(text)]
    return found[since:]


def upload_folder(storage: S3Storage, folder: Path) -> None:
    """Put every file below a folder there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            storage.put_file(path, path.relative_to(folder).as_posix())


def documented(role: str, bucket: str, user: str) -> str:
    """The policy of a role as docs/serving.md has it, for a user of RGW: there it belongs to the bucket."""
    page = (ROOT / "docs" / "serving.md").read_text("utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    (found,) = [b for b in blocks if b.get("Statement", [{}])[0].get("Sid", "").startswith(f"{role}-")]
    for statement in found["Statement"]:
        statement["Principal"] = {"AWS": [f"arn:aws:iam:::user/{user}"]}
    return json.dumps(found).replace("lake-acme", bucket)


def refused(attempt: Callable[[], object]) -> None:
    """The server does not let this role do that."""
    with pytest.raises(ConfigError, match=r"AccessDenied|403"):
        attempt()


def rust(bucket: Bucket, path: str) -> DeltaTable:
    return DeltaTable(bucket.uri(path), storage_options=bucket.storage().delta_options())


def add_with_rust(bucket: Bucket, path: str, name: str) -> None:
    rows, options = pa.table({"id": [name]}), bucket.storage().delta_options()
    write_deltalake(bucket.uri(path), rows, mode="append", storage_options=options)


def ids_of(bucket: Bucket, path: str) -> list[str]:
    return sorted(rust(bucket, path).to_pyarrow_table()["id"].to_pylist())


def commits(bucket: Bucket, path: str) -> list[str]:
    names = [s.path.rpartition("/")[2] for s in bucket.storage(f"{path}/_delta_log").list()]
    return sorted(name for name in names if name.endswith(".json") and name[0].isdigit())
