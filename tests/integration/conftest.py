from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from tests.integration.buckets import Bucket, reach
from tests.servers.moto import moto
from tests.servers.rgw import rgw
from tests.servers.server import Server

from imagelake.storage.s3 import connect

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def credentials(tmp_path_factory) -> Iterator[None]:
    """Those of the RGW, where every process of a test looks for them; moto takes any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "lakeaccess")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "lakesecret123")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def rgw_server(tmp_path_factory) -> Iterator[Server]:
    with rgw(tmp_path_factory.mktemp("rgw")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Server]:
    with moto() as server:
        yield server


@pytest.fixture(scope="session", params=["rgw", "moto"])
def server(request) -> Server:
    """Each of the two servers."""
    return request.getfixturevalue(f"{request.param}_server")


def _bucket(server: Server) -> Bucket:
    bucket = Bucket(server, f"bucket-{next(_NUMBERS)}")
    connect(reach(server)).create_bucket(Bucket=bucket.name)
    return bucket


@pytest.fixture
def bucket(server) -> Bucket:
    """A new, empty bucket on each of the servers."""
    return _bucket(server)


@pytest.fixture
def rgw_bucket(rgw_server) -> Bucket:
    """A new, empty bucket on the server that checks signatures and keeps its promises."""
    return _bucket(rgw_server)
