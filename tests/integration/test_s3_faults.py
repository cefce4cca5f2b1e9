"""A network and a server that fail: whatever happens to a request, it has exactly one effect."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.buckets import FAULTS
from tests.servers.faults import Fault, proxy

from imagelake.settings import S3Settings
from imagelake.storage.s3_probe import unfinished
from imagelake.storage.s3_storage import S3Storage

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

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(one, range(RUNS)))
    assert fired(between) - before == RUNS
    left = [u.path for u in unfinished(lake_through(between, rgw_bucket))]
    # an upload whose begin was answered to nobody stays behind, empty, and is listed
    assert len(left) == (RUNS if step == "begin" and kind in ("drop_answer", "late_status") else 0)
