"""Files in buckets: read with one request each, written whole, refused ones named."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.servers.faults import Fault, Proxy, Request, proxy
from tests.servers.moto import moto

from imagelake.config.settings import S3Settings
from imagelake.errors import ConfigError
from imagelake.files import Options, Pipeline, WriteOptions, reader, write_files
from imagelake.storage.s3.bucket_storage import S3Storage

KEYS = {"a b/ü+%20.png": b"one", "plain": b"", "big.bin": b"x" * 6_000_000}


@dataclass(frozen=True)
class Store:
    """A bucket behind a proxy that counts requests and refuses what is below denied/."""

    name: str
    proxy: Proxy
    options: Options

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def asked(self, method: str, part: str = "") -> list[str]:
        """Keys of the requests so far whose path has this part."""
        below = f"/{self.name}/"
        requests = [r for r in self.proxy.requests if r.method == method and r.path.startswith(below)]
        return [r.path.removeprefix(below) for r in requests if part in r.path]


def is_denied(request: Request) -> bool:
    return "/denied/" in request.path


@pytest.fixture(scope="module")
def between() -> Iterator[Proxy]:
    with moto() as server, proxy(server, tls=False) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        running.rules.append(Fault(is_denied, "status", 403, times=1000))
        yield running


@pytest.fixture
def store(between: Proxy) -> Store:
    name = f"bucket-{uuid.uuid4().hex}"
    options = Options(S3Settings(endpoint=between.endpoint, region="us-east-1", part_megabytes=5))
    bucket = options.storage(f"s3://{name}")
    assert isinstance(bucket, S3Storage)
    bucket.client.create_bucket(Bucket=name)
    for key, content in KEYS.items():
        bucket.put(key, content)
    return Store(name, between, options)


def test_each_object_is_read_with_one_request_and_its_size_with_another(store: Store) -> None:
    frame = pd.DataFrame({"id": list(KEYS), "image": [store.uri(key) for key in KEYS]})
    read = reader(frame, store.options)
    assert read.into_size_table().raise_if_failed().table["image"].to_pylist() == list(map(len, KEYS.values()))
    assert sorted(store.asked("HEAD")) == sorted(KEYS)
    assert store.asked("GET") == []
    assert read.into_blob_table().raise_if_failed().table["image"].to_pylist() == list(KEYS.values())
    with read.into_temp_dir() as rows:
        assert [row.paths["image"].read_bytes() for row in rows] == list(KEYS.values())
    assert sorted(store.asked("GET")) == sorted([*KEYS, *KEYS])
    assert sorted(store.asked("HEAD")) == sorted(KEYS)


def test_missing_and_denied_objects_are_errors_of_their_rows(store: Store, tmp_path: Path) -> None:
    (tmp_path / "local.png").write_bytes(b"local")
    uris = {
        "fine": store.uri("plain"),
        "missing": store.uri("none"),
        "denied": store.uri("denied/x"),
        "no bucket": "s3://there-is-no-such-bucket/x",
        "folder": store.uri("a b/"),
        "local": str(tmp_path / "local.png"),
    }
    read = reader(pd.DataFrame({"id": list(uris), "image": list(uris.values())}), store.options)
    for outcome in (read.into_blob_table(), read.into_size_table()):
        assert outcome.table["id"].to_pylist() == ["fine", "local"]
        errors = {error["id"]: (error["error"], error["uri"]) for error in outcome.errors.to_pylist()}
        assert errors == {
            "missing": ("NotFound", uris["missing"]),
            "denied": ("Denied", uris["denied"]),
            "no bucket": ("NotFound", uris["no bucket"]),
            "folder": ("UsageError", uris["folder"]),
        }
    assert "AccessDenied" in read.into_blob_table().errors["message"][1].as_py()
    with pytest.raises(ConfigError, match="AccessDenied"), reader({"x": uris["denied"]}, store.options).into_temp_dir():
        pytest.fail("there is nothing to work on")


def test_a_request_that_fails_is_tried_as_often_as_the_options_say(store: Store) -> None:
    key = f"{uuid.uuid4().hex}.png"
    store.proxy.rules.append(Fault(lambda request: key in request.path, "status", 500, times=1000))
    options = Options(store.options.s3.model_copy(update={"attempts": 2}))
    outcome = reader({"image": store.uri(key)}, options).into_blob_table()
    assert outcome.errors["error"].to_pylist() == ["ImagelakeError"]
    assert len(store.asked("GET", key)) == 2


def test_files_are_written_once_and_the_same_content_is_not_sent_again(store: Store, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"y" * 6_000_000)

    def files() -> dict[str, Any]:
        return {"a.png": b"small", "large": tmp_path / "large", "stream": io.BytesIO(b"stream")}

    into = store.uri("out/here")
    row = write_files(files(), into, "cats/7 %", store.options)
    assert row == {"id": "cats/7 %"} | {name: f"{into}/cats/7 %/{name}" for name in files()}
    sent = len(store.asked("PUT", "/out/"))
    assert write_files(files(), into, "cats/7 %", store.options) == row
    assert len(store.asked("PUT", "/out/")) == sent
    write_files(files() | {"a.png": b"other"}, into, "cats/7 %", store.options)
    assert store.asked("PUT", "/out/")[sent:] == ["out/here/cats/7 %/a.png"]
    (written,) = reader(row, store.options).into_blob_table().raise_if_failed().table.to_pylist()
    assert (written["a.png"], written["large"], written["stream"]) == (b"other", b"y" * 6_000_000, b"stream")


def test_a_place_where_nothing_may_be_written_is_named(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"cannot look at s3://.*/denied/1/a"):
        write_files({"a": b""}, store.uri("denied"), 1, store.options)


def double(row: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any]:
    return {"double": paths["image"].read_bytes() * 2}


def test_a_pipeline_reads_from_a_bucket_and_writes_into_one(store: Store) -> None:
    uris = [store.uri("plain"), store.uri("denied/x"), store.uri("a b/ü+%20.png")]
    pipeline = Pipeline(double, WriteOptions(store.uri("doubled"), store.options))
    result = pipeline.run(pd.DataFrame({"id": [1, 2, 3], "image": uris}))
    assert result.frame["double"].tolist() == [store.uri("doubled/1/double"), store.uri("doubled/3/double")]
    assert result.errors[["id", "column", "uri"]].to_numpy().tolist() == [["2", "image", uris[1]]]
    blobs = reader(result.frame, store.options).into_blob_table().raise_if_failed().table
    assert blobs["double"].to_pylist() == [b"", b"oneone"]
