"""Commits of a Delta log in a bucket: from any number of writers, each is there, once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.buckets import FAULTS, Bucket, add_with_rust, commits, ids_of, new_bucket, settings
from tests.integration.racers import add
from tests.servers.faults import Fault, Proxy, proxy

from imagelake.engine.session import open_session

RUNS = 20


@pytest.fixture
def between(rgw_server):
    with proxy(rgw_server, tls=True) as spoiled:
        yield spoiled


def through(bucket: Bucket, between: Proxy) -> None:
    """Have the session's Java reach this bucket through a proxy."""
    chosen = settings(bucket, "lake")
    s3 = chosen.s3.model_copy(update={"endpoint": between.endpoint, "ca_bundle": str(between.ca_bundle)})
    open_session(chosen.model_copy(update={"s3": s3}), "tests")


@pytest.mark.parametrize(("scheme", "lost"), [("s3a", []), ("s3n", ["between"])], ids=["ours", "stock"])
def test_a_commit_that_is_late_takes_the_place_of_no_other(spark, rgw_bucket, between, scheme, lost):
    """With Delta's stock store (nothing is set for s3n) the late one overwrites what was committed meanwhile."""
    through(rgw_bucket, between)
    spark._jsc.hadoopConfiguration().set("fs.s3n.impl", "org.apache.hadoop.fs.s3a.S3AFileSystem")
    table = f"{scheme}://{rgw_bucket.name}/lake/own"
    add(spark, table, "first")
    late = Fault(lambda r: r.method == "PUT" and r.path.endswith("1.json"), "held", seconds=4)
    between.rules.append(late)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(add, spark, table, "late")
        while not between.has_fired(late):
            assert not slow.done(), slow.exception()
            time.sleep(0.05)
        add_with_rust(rgw_bucket, "lake/own", "between")
        slow.result(timeout=60)
    assert ids_of(rgw_bucket, "lake/own") == sorted({"first", "late", "between"} - set(lost))
    assert len(commits(rgw_bucket, "lake/own")) == (3 if not lost else 2)


@pytest.mark.parametrize(("kind", "status"), FAULTS, ids=[f"{k}-{s or ''}" for k, s in FAULTS])
def test_whatever_happens_to_a_commit_it_is_made_once(spark, rgw_bucket, between, kind, status):
    through(rgw_bucket, between)

    def one(number: int) -> list[str]:
        path = f"lake/own{number}"
        mark = f"{path}/_delta_log/{0:020d}.json"
        between.rules.append(Fault(lambda r: r.method == "PUT" and r.path.endswith(mark), kind, status=status))
        add(spark, f"s3a://{rgw_bucket.name}/{path}", str(number))
        return commits(rgw_bucket, path)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(one, range(RUNS)))
    assert made == [[f"{0:020d}.json"]] * RUNS
    assert [ids_of(rgw_bucket, f"lake/own{n}") for n in range(RUNS)] == [[str(n)] for n in range(RUNS)]
    assert sum(1 for seen in between.requests if seen.fault) == RUNS


def test_a_session_trusts_the_authority_of_each_lake_it_was_opened_for(spark, rgw_server, moto_server):
    """Each proxy has an authority of its own; Hadoop looks at the trust store once a bucket."""
    with proxy(rgw_server, tls=True) as one, proxy(moto_server, tls=True) as another:
        assert one.ca_bundle.read_bytes() != another.ca_bundle.read_bytes()
        for server, between in ((rgw_server, one), (moto_server, another), (rgw_server, one)):
            bucket = new_bucket(server)
            through(bucket, between)
            add(spark, f"s3a://{bucket.name}/lake/own", "1")
            assert len(commits(bucket, "lake/own")) == 1
