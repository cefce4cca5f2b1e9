"""Bytes of packages on this machine: fetched once by however many processes, bounded, and never wrong."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.buckets import ROOT, reach, upload_folder
from tests.lakes import LakeMaker
from tests.servers.faults import Fault, Proxy, proxy

from imagelake.client.data.read.object_cache import BLOCK, CHUNK, Cache
from imagelake.client.lake import Lake
from imagelake.errors import ImagelakeError
from imagelake.storage.s3.bucket_storage import S3Storage

IMAGES = 300
MEMBER = 60_000

TRAIN = """if True:
    import hashlib, sys
    from imagelake.client.lake import Lake
    from imagelake.config.settings import S3Settings
    from imagelake.storage.s3.bucket_storage import S3Storage
    bucket, settings = sys.argv[1], S3Settings.model_validate_json(sys.argv[2])
    samples = Lake(S3Storage(bucket, "", settings)).load("pets@v1")
    print("ready", flush=True)
    sys.stdin.readline()
    digest = hashlib.sha256()
    for batch in samples.stream(batch=32, shuffle=True, seed=int(sys.argv[3])):
        for sample in batch:
            digest.update(sample.key.encode() + hashlib.sha256(sample.bytes).digest())
    print(digest.hexdigest(), flush=True)
"""


def content(seed: int) -> bytes:
    return random.Random(seed).randbytes(MEMBER)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> LakeMaker:
    """v1 has its images in one zip of 18 MB, v2 three more in a zip of their own, a few lie as objects."""
    maker = LakeMaker(tmp_path_factory.mktemp("packed") / "lake")
    for n in range(IMAGES):
        maker.image("pets", f"{n:03}.png", content(n), width=8, height=6, split="train")
        maker.box("pets", f"{n:03}.png", "cat", (0, 0, 1, 2))
    maker.keep("pets", [content(n) for n in range(10)], "object")
    maker.keep("pets", [content(n) for n in range(10, IMAGES)], "stored")
    maker.deliver("pets")
    maker.publish("pets")
    for n in range(IMAGES, IMAGES + 3):
        maker.image("pets", f"{n:03}.png", content(n), width=8, height=6, split="train")
        maker.box("pets", f"{n:03}.png", "cat", (0, 0, 1, 2))
    maker.keep("pets", [content(n) for n in range(IMAGES, IMAGES + 3)], "stored")
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    return maker


@dataclass(frozen=True)
class Link:
    """A lake in a bucket behind a proxy that keeps a log, and an empty cache."""

    lake: Lake
    proxy: Proxy

    def fetched(self) -> list[tuple[str, int]]:
        """Object and number of bytes of each request for bytes of images so far."""
        ranges = []
        for request in self.proxy.requests:
            if request.method == "GET" and ("/blobs/zip/" in request.path or "/blobs/obj/" in request.path):
                first, _, last = (request.range or "bytes=0--1").removeprefix("bytes=").partition("-")
                ranges.append((request.path.rpartition("/")[2], int(last) - int(first) + 1))
        return ranges

    def process(self, seed: int = 0) -> subprocess.Popen[str]:
        storage = self.lake.storage
        assert isinstance(storage, S3Storage)
        command = [sys.executable, "-c", TRAIN, storage.bucket, storage.settings.model_dump_json(), str(seed)]
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def link(moto_server, packed, tmp_path, monkeypatch) -> Iterator[Link]:
    monkeypatch.setenv("IMAGELAKE_CACHE", str(tmp_path / "cache"))
    name = f"bucket-{uuid.uuid4().hex}"
    direct = S3Storage(name, "", reach(moto_server))
    direct.client.create_bucket(Bucket=name)
    upload_folder(direct, packed.root)
    with proxy(moto_server, tls=False) as between:
        settings = direct.settings.model_copy(update={"endpoint": between.endpoint, "connections": 8})
        yield Link(Lake(S3Storage(name, "", settings)), between)


def expected(samples, seed: int) -> str:
    digest = hashlib.sha256()
    for batch in samples.stream(batch=32, shuffle=True, seed=seed):
        for sample in batch:
            digest.update(sample.key.encode() + hashlib.sha256(sample.bytes).digest())
    return digest.hexdigest()


def local(packed: LakeMaker):
    return Lake(_local(packed)).load("pets@v1")


def _local(packed: LakeMaker):
    from imagelake.storage import open_storage

    return open_storage(str(packed.root), None)


@pytest.mark.parametrize("count", [4, pytest.param(50, marks=pytest.mark.nightly)])
def test_many_processes_fetch_bytes_once(link: Link, packed: LakeMaker, count: int) -> None:
    processes = [link.process(seed) for seed in range(count)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=300)[0].strip() for process in processes]
    assert answers == [expected(local(packed), seed) for seed in range(count)]
    requests = link.fetched()
    zipped = [size for name, size in requests if name.endswith(".zip")]
    assert sum(zipped) < IMAGES * MEMBER * 1.02, "no byte twice"
    assert max(zipped) <= BLOCK
    assert len(requests) - len(zipped) == 10, "a request for each object"


def test_a_killed_process_leaves_nothing_half(link: Link, packed: LakeMaker) -> None:
    link.proxy.rules.append(Fault(lambda request: request.path.endswith(".zip"), "slow", seconds=0.5, times=3))
    for delay in (0.1, 0.4, 0.7):
        process = link.process()
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert expected(link.lake.load("pets@v1"), 5) == expected(local(packed), 5)


def test_a_second_version_costs_what_is_new(link: Link) -> None:
    assert sum(len(sample.bytes) for sample in link.lake.load("pets@v1")) == IMAGES * MEMBER
    before = len(link.fetched())
    assert sum(len(sample.bytes) for sample in link.lake.load("pets@v2")) == (IMAGES + 3) * MEMBER
    new = link.fetched()[before:]
    assert sum(size for _, size in new) <= 3 * MEMBER + CHUNK
    assert len(new) == 1


def test_one_image_fetches_no_package(link: Link) -> None:
    (sample,) = link.lake.load("pets@v1", images=["150.png"])
    assert sample.bytes == content(150)
    assert sum(size for _, size in link.fetched()) <= 2 * CHUNK


def test_requests_are_few(link: Link) -> None:
    for _ in link.lake.load("pets@v1").stream(shuffle=True):
        pass
    zipped = [size for name, size in link.fetched() if name.endswith(".zip")]
    assert len(zipped) <= IMAGES * MEMBER / BLOCK + 3


def test_a_damaged_cache_is_fetched_anew(link: Link, tmp_path: Path) -> None:
    first = [sample.bytes for sample in link.lake.load("pets@v1")]
    for path in (tmp_path / "cache").rglob("*"):
        if path.name == "data" or path.parent.parent.name == "small":
            path.write_bytes(bytes(path.stat().st_size))
    assert [sample.bytes for sample in link.lake.load("pets@v1")] == first


def test_bytes_that_are_wrong_at_their_source_are_refused(link: Link) -> None:
    storage = link.lake.storage
    path = next(stat.path for stat in storage.list("blobs/obj"))
    storage.put(path, bytes(MEMBER))
    with pytest.raises(ImagelakeError, match=path.rpartition("/")[2]):
        list(link.lake.load("pets@v1"))


def test_the_cache_does_not_outgrow_its_size(link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGELAKE_CACHE_GB", str(4 * CHUNK / (1 << 30)))
    samples = link.lake.load("pets@v2")
    assert [hashlib.sha256(s.bytes).hexdigest() for s in samples] == samples.rows["content_hash"].to_pylist()
    Cache.of_user().make_room()
    used = sum(path.stat().st_blocks * 512 for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert used <= 5 * CHUNK


def test_what_is_used_stays_longest(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 4 * CHUNK)
    for n, name in enumerate(("old", "used", "new")):
        cache.open(name, lambda: 2 * CHUNK).ensure([0, 1], lambda start, end: os.urandom(end - start))
        for path in tmp_path.rglob("chunks"):
            if path.stat().st_mtime > 1000:
                os.utime(path, (n, n))
    used = cache.open("used", lambda: 0)
    assert used.has(0, 2 * CHUNK)
    cache.make_room()
    assert cache.open("used", lambda: 2 * CHUNK).has(0, CHUNK)
    assert not cache.open("old", lambda: 2 * CHUNK).has(0, CHUNK)


def test_a_full_disk_is_an_error_that_names_the_cache(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: memoryview, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    samples = link.lake.load("pets@v1")
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ImagelakeError, match="cannot be written: No space left") as raised:
        list(samples)
    assert "IMAGELAKE_CACHE" in str(raised.value.hint)
    monkeypatch.undo()
