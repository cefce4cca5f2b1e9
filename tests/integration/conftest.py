from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.buckets import Bucket, new_bucket
from tests.servers.moto import moto
from tests.servers.rgw import rgw
from tests.servers.server import Server

import imagelake
from imagelake.settings import load


@pytest.fixture(scope="session", autouse=True)
def credentials(tmp_path_factory) -> Iterator[None]:
    """Those of the RGW, where every process of a test looks for them; moto takes any. Only the jars stay cached."""
    cache, jars = tmp_path_factory.mktemp("cache"), Path(load().spark.jar_cache).expanduser().absolute()
    jars.mkdir(parents=True, exist_ok=True)
    (cache / "imagelake").mkdir()
    (cache / "imagelake" / "jars").symlink_to(jars)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "lakeaccess")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "lakesecret123")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("XDG_CACHE_HOME", str(cache))
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


@pytest.fixture
def bucket(server) -> Bucket:
    """A new, empty bucket on each of the servers."""
    return new_bucket(server)


@pytest.fixture
def rgw_bucket(rgw_server) -> Bucket:
    """A new, empty bucket on the server that checks signatures and keeps its promises."""
    return new_bucket(rgw_server)


@pytest.fixture(scope="session")
def expected(real_uploads):
    """The report and digest of bccd-voc.zip on a local disk."""
    report, _ = real_uploads.take("bccd-voc")
    return report, imagelake.open(str(real_uploads.path)).verify("bccd").as_json()
