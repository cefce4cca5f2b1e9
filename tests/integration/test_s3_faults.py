"""A network and a server that fail: whatever happens to a request, it has exactly one effect."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.buckets import FAULTS
from tests.servers.faults import Fault, proxy

from imagelake.config.settings import S3Settings
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.capabilities import unfinished

RUNS = 20
MIB = 1 << 20
ids = [kind if status is None else f"{kind}-{status}" for kind, status in FAULTS]


@pytest.fixture(scope="module")
def between(rgw_server):
    with proxy(rgw_server, tls=False) as spoiled:
        yield spoiled


def lake_through(between, bucket, number=0) -> S3Storage:
    """A client for each number: one that was told to slow down does so for all that follows."""
    return S3Storage(
        bucket.name, "lake", S3Settings(endpoint=between.endpoint, part_megabytes=5, connections=8 + number)
    )


def spoil(between, kind, status, fits) -> None:
    between.rules.append(Fault(fits, kind, status=status, times=1))


def fired(between) -> int:
    return sum(1 for seen in between.requests if seen.fault)


@pytest.mark.parametrize(("kind", "status"), FAULTS, ids=ids)
def test_a_conditional_put_has_one_effect(between, rgw_bucket, kind, status):
    before = fired(between)

    def one(number: int) -> None:
        lake = lake_through(between, rgw_bucket, number)
        path, data = f"{kind}{status}/{number}", os.urandom(1000)
        spoil(between, kind, status, lambda r: r.method == "PUT" and r.path.endswith(path))
        assert lake.put(path, data, if_absent=True), "the first writer has written"
        assert lake.read(path) == data
        assert not lake.put(path, b"another", if_absent=True)
        assert lake.read(path) == data

    with ThreadPoolExecutor(RUNS) as pool:
        list(pool.map(one, range(RUNS)))
    assert fired(between) - before == RUNS, "every fault took place"


@pytest.mark.parametrize(("kind", "status"), FAULTS, ids=ids)
@pytest.mark.parametrize("step", ["begin", "part", "end"])
def test_an_upload_in_parts_has_one_effect(between, rgw_bucket, kind, status, step):
    before = fired(between)
    data = os.urandom(6 * MIB)
    digest = hashlib.sha256(data).hexdigest()
    method, mark = {"begin": ("POST", "uploads"), "part": ("PUT", "partNumber=1"), "end": ("POST", "uploadId")}[step]

    def one(number: int) -> None:
        lake = lake_through(between, rgw_bucket, number)
        path = f"{step}{kind}{status}/{number}"
        spoil(between, kind, status, lambda r: r.method == method and r.path.endswith(path) and mark in r.query)
        lake.put_parts(path, [data[: 5 * MIB], data[5 * MIB :]], digest)
        assert hashlib.sha256(lake.read(path)).hexdigest() == digest

    with ThreadPoolExecutor(RUNS) as pool:
        list(pool.map(one, range(RUNS)))
    assert fired(between) - before == RUNS
    left = [u.path for u in unfinished(lake_through(between, rgw_bucket))]
    # an upload whose begin was answered to nobody stays behind, empty, and is listed
    assert len(left) == (RUNS if step == "begin" and kind in ("drop_answer", "late_status") else 0)


def test_an_upload_that_was_killed_is_not_seen_and_goes_on_where_it_stopped(rgw_bucket, rgw_server, tmp_path):
    """The second part hangs while its sender is killed."""
    source, data = tmp_path / "large", os.urandom(60 * MIB)
    source.write_bytes(data)
    lake = rgw_bucket.storage("lake", part_megabytes=5)
    with proxy(rgw_server, tls=False) as between:
        send_and_kill(between, rgw_bucket, source)
    # the proxy is closed: no part is under way any more
    there = parts_there(lake)
    assert 5 <= there < 12
    assert lake.stat("large") is None
    assert list(lake.list()) == []
    sent: list[str] = []
    lake.client.meta.events.register("before-call.s3.UploadPart", lambda params, **_: sent.append(params["url_path"]))
    lake.put_file(source, "large")
    assert len(sent) == 12 - there, "only what was missing"
    assert lake.read("large") == data
    assert list(unfinished(lake)) == []


def send_and_kill(between, bucket, source) -> None:
    held = Fault(lambda r: r.method == "PUT" and "partNumber=2" in r.query.split("&"), "held", seconds=60)
    between.rules.append(held)
    sending = pickle.dumps(bucket.storage("lake", part_megabytes=5, endpoint=between.endpoint))
    code = "import pathlib, pickle, sys; pickle.load(sys.stdin.buffer).put_file(pathlib.Path(sys.argv[1]), 'large')"
    child = subprocess.Popen([sys.executable, "-c", code, str(source)], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(sending)
    child.stdin.close()
    while not between.has_fired(held) or parts_there(bucket.storage("lake")) < 5:
        assert child.poll() is None
        time.sleep(0.05)
    child.kill()
    child.wait()


def parts_there(lake: S3Storage) -> int:
    found = list(unfinished(lake))
    asked = {"Bucket": lake.bucket, "Key": f"lake/{found[0].path}", "UploadId": found[0].upload_id} if found else {}
    return len(lake.client.list_parts(**asked).get("Parts", ())) if found else 0
