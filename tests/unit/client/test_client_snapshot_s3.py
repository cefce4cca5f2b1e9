"""Snapshots of a lake in a bucket: moto keeps the objects, a proxy refuses and counts."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from tests.servers.faults import Fault, Proxy, Request, proxy
from tests.servers.moto import moto

from imagelake.client.lake import Lake
from imagelake.config.settings import S3Settings
from imagelake.errors import ConfigError
from imagelake.storage.s3.bucket_storage import S3Storage
from lakes import LakeMaker
from pet_lake import Pets

_NUMBERS = count(1)


@dataclass(frozen=True)
class Bucket:
    """The lake of pets in a bucket behind a proxy."""

    lake: Lake
    proxy: Proxy

    def puts(self) -> list[str]:
        """Names of the files put below snapshots/, in order."""
        below = self.lake.storage.root.removeprefix("s3:/") + "/snapshots/"
        puts = [r.path for r in self.proxy.requests if r.method == "PUT" and r.path.startswith(below)]
        return [path.rpartition("/")[2] for path in puts]


@pytest.fixture(scope="module")
def between() -> Iterator[Proxy]:
    with moto() as server, proxy(server, tls=False) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        yield running


@pytest.fixture
def bucket(between: Proxy, pets: Pets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    between.rules.clear()
    return uploaded(pets.maker, between)


def uploaded(maker: LakeMaker, between: Proxy) -> Bucket:
    """A lake in a bucket of its own."""
    name = f"pets-{next(_NUMBERS)}"
    storage = S3Storage(name, "lake", S3Settings(endpoint=between.endpoint, region="us-east-1", part_megabytes=5))
    storage.client.create_bucket(Bucket=name)
    for path in sorted(maker.root.rglob("*")):
        if path.is_file():
            storage.put_file(path, path.relative_to(maker.root).as_posix())
    return Bucket(Lake(storage), between)


def test_a_bucket_gets_the_bytes_that_a_folder_gets(bucket: Bucket, pets: Pets) -> None:
    there, here = bucket.lake.snapshot("pets"), pets.lake.snapshot("pets")
    assert {(f.table, f.sha256) for f in there.files} == {(f.table, f.sha256) for f in here.files}
    assert there.images == f"{bucket.lake.storage.root}/snapshots/pets/v3/images.parquet"
    assert bucket.puts()[-1] == "snapshot.json", "the record comes last"
    assert len(bucket.puts()) == 5
    assert not bucket.lake.snapshot("pets").is_new
    assert len(bucket.puts()) == 5


def test_a_role_that_may_not_write_reads_what_is_there_and_is_told_what_it_lacks(bucket: Bucket) -> None:
    bucket.lake.snapshot("pets@v1")

    def is_put(request: Request) -> bool:
        return request.method == "PUT"

    bucket.proxy.rules.append(Fault(is_put, "status", 403, times=100))
    assert not bucket.lake.snapshot("pets@v1").is_new
    with pytest.raises(ConfigError, match=r"no snapshot can be made at s3://.*AccessDenied") as caught:
        bucket.lake.snapshot("pets@v2")
    assert "s3:PutObject" in str(caught.value.hint)
    assert bucket.puts()[-1] == "categories.parquet", "refused at the smallest file"


@pytest.mark.parametrize("kind", ["drop_answer", "late_status"])
def test_an_answer_that_got_lost_does_no_harm(bucket: Bucket, kind) -> None:
    def is_put(request: Request) -> bool:
        return request.method == "PUT" and "/snapshots/" in request.path

    bucket.proxy.rules.append(Fault(is_put, kind, 500 if kind == "late_status" else None, times=5))
    made = bucket.lake.snapshot("pets")
    assert [file.rows for file in made.files] == [3, 5, 5, 4]


def test_a_large_file_goes_in_parts_and_is_whole(
    between: Proxy, maker: LakeMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    between.rules.clear()
    maker.image("pets", "a.png")
    text = base64.b64encode(random.Random(1).randbytes(6 << 20)).decode()  # 6 MiB that no codec makes smaller
    maker.box("pets", "a.png", "cat", (0, 0, 1, 1), attributes=json.dumps({"x": text}))
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    bucket = uploaded(maker, between)
    made = bucket.lake.snapshot("pets").file("annotations")
    assert bucket.puts().count("annotations.parquet") == 2
    data = bucket.lake.storage.read("snapshots/pets/v1/annotations.parquet")
    assert (len(data), hashlib.sha256(data).hexdigest()) == (made.bytes, made.sha256)
