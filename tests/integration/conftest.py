from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.buckets import Bucket, new_bucket
from tests.integration.served import IMAGES, ZIPPED, picture, served
from tests.lakes import LakeMaker
from tests.servers.moto import moto
from tests.servers.rgw import rgw
from tests.servers.server import Server

import imagelake
from imagelake.client.lake import Lake
from imagelake.config.settings import load


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


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> LakeMaker:
    """A lake in a folder: images as objects, one in a zip, a published version."""
    maker = LakeMaker(tmp_path_factory.mktemp("made") / "lake")
    data = [picture(n) for n in range(IMAGES)]
    for n, content in enumerate(data):
        maker.image("pets", f"cats/{n:03}.png", content, width=8, height=6, split="train" if n % 2 else "test")
        maker.box("pets", f"cats/{n:03}.png", "cat", (0, 0, 1 + n % 7, 2))
    maker.image("pets", ZIPPED, picture(200), width=8, height=6)
    maker.keep("pets", data, "object")
    maker.keep("pets", [picture(200)])
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    return maker


@pytest.fixture(scope="session")
def lake(rgw_server, made) -> Iterator[Lake]:
    """That lake on RGW, for all tests that only read it or save labels of images of their own."""
    with served(new_bucket(rgw_server), made) as opened:
        yield opened
