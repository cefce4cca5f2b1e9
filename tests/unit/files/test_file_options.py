"""How files are reached travels between processes; secrets do so only when asked to, and are never shown."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from imagelake.config.settings import S3Settings
from imagelake.files import Options, Pipeline, WriteOptions, reader
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.client import Keys

CANARY = "canary-that-nobody-may-see"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"id-{CANARY}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"secret-{CANARY}")
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"token-{CANARY}")


def fresh(**changed: object) -> Options:
    """Options whose client nobody has made before: clients are cached by settings."""
    return Options(S3Settings(endpoint="http://127.0.0.1:9", region=f"region-{os.urandom(8).hex()}", **changed))


def shown(value: object) -> str:
    return f"{value!r} {value!s} {value}"


@pytest.mark.parametrize("ship", [False, True])
def test_no_secret_is_shown(ship: bool) -> None:
    options = fresh(ship_credentials=ship)
    options.client()
    travelled = pickle.loads(pickle.dumps(options))
    assert (travelled.credentials is not None) == ship
    explicit = Options(options.s3, Keys(f"id-{CANARY}", f"secret-{CANARY}", f"token-{CANARY}"))
    row = {"image": "s3://bucket/key"}
    for each in (options, travelled, explicit):
        around = (
            each,
            WriteOptions("s3://bucket", each),
            Pipeline(print, WriteOptions("out", each)),
            reader(row, each),
        )
        for value in (*around, each.storage("s3://bucket/x")):
            assert CANARY not in shown(value)


def test_no_secret_is_in_an_error_or_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "imagelake")
    options = fresh(attempts=1)
    outcome = reader({"image": "s3://bucket/key"}, options).into_blob_table()
    (error,) = outcome.errors.to_pylist()
    assert "s3://bucket/key" in error["message"]
    assert CANARY not in shown(error) + caplog.text


def test_a_pickle_holds_secrets_only_when_asked_to() -> None:
    options = fresh()
    explicit = Options(options.s3, Keys(f"id-{CANARY}", f"secret-{CANARY}", None))
    options.client()
    for each in (options, explicit):
        for value in (each, Pipeline(print, WriteOptions("s3://bucket/out", each)), each.storage("s3://bucket")):
            assert CANARY.encode() not in pickle.dumps(value)
    shipped = pickle.dumps(fresh(ship_credentials=True))
    for part in ("id", "secret", "token"):
        assert f"{part}-{CANARY}".encode() in shipped
    assert CANARY.encode() in pickle.dumps(Pipeline(print, WriteOptions("s3://b", fresh(ship_credentials=True))))


def test_shipped_credentials_work_where_there_are_none_and_travel_on(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(fresh(ship_credentials=True))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = pickle.loads(pickle.dumps(pickle.loads(data)))
    storage = options.storage("s3://bucket/x")
    assert isinstance(storage, S3Storage)
    url = storage.client.generate_presigned_url("get_object", Params=storage.at("y"))
    assert f"id-{CANARY}" in url


def test_options_are_values() -> None:
    options = fresh()
    for same in (copy.deepcopy(options), copy.copy(options), pickle.loads(pickle.dumps(options))):
        assert same == options
        assert hash(same) == hash(options)
    assert Options() == Options(S3Settings())
    with pytest.raises(AttributeError):
        options.s3 = S3Settings()  # type: ignore[misc]


def test_the_client_is_made_on_first_use_and_shared_by_threads() -> None:
    options = fresh(attempts=3, connections=5)
    with ThreadPoolExecutor(8) as pool:
        clients = set(map(id, pool.map(lambda _: options.client(), range(32))))
    assert options.client() is options.client()
    assert id(options.client()) in clients
    config = options.client().meta.config
    assert config.retries == {"mode": "adaptive", "total_max_attempts": 3}
    assert config.max_pool_connections == 5


def test_making_options_makes_no_client() -> None:
    code = (
        "import sys, pickle\n"
        "from imagelake.files import Options, reader\n"
        "pickle.loads(pickle.dumps(Options()))\n"
        "reader({'image': 's3://bucket/key'})\n"
        "assert 'boto3' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
