"""What doctor says of a bucket, and what to do about it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.integration.buckets import Bucket, reach
from tests.servers.plain import serving

from imagelake.cli.main import main
from imagelake.config.settings import S3Settings, Settings
from imagelake.doctor import bucket as doctor_s3
from imagelake.doctor.check import Check
from imagelake.errors import ConfigError
from imagelake.storage.s3.capabilities import require_conditions
from imagelake.storage.s3.multipart import Parts


def checks(bucket: Bucket, s3: S3Settings | None = None) -> dict[str, Check]:
    chosen = Settings(lake=bucket.uri("lake"), s3=s3 or reach(bucket.server))
    return {check.name: check for check in doctor_s3.bucket_checks(chosen)}


def test_a_bucket_in_order_passes_and_the_rule_a_browser_needs_is_printed(bucket):
    found = checks(bucket)
    assert list(found) == [
        "credentials", "endpoint", "clock", "conditional put", "unfinished uploads", "lifecycle", "cors",
    ]  # fmt: skip
    assert [check.message for check in found.values() if not check.ok] == []
    assert "any number of machines may write" in found["conditional put"].message
    assert list(bucket.storage("lake").list()) == [], "it leaves nothing"
    rule = json.loads(str(found["cors"].hint).removeprefix("put-bucket-cors "))
    bucket.storage().client.put_bucket_cors(Bucket=bucket.name, CORSConfiguration=rule)
    assert "https://labels.example.com" in checks(bucket)["cors"].message


def test_uploads_that_nobody_ended_are_listed(rgw_bucket, monkeypatch):
    bucket, lake = rgw_bucket, rgw_bucket.storage("lake")
    Parts(lake.client, lake.at("blobs/zip/half.zip"), lake.settings).stop()
    assert checks(bucket)["unfinished uploads"].message == "none older than 24 hours"
    monkeypatch.setattr(doctor_s3, "_STALE", timedelta(0))
    told = checks(bucket)["unfinished uploads"]
    assert "blobs/zip/half.zip" in told.message
    assert "maintain --only uploads" in str(told.hint)


def test_a_store_that_cannot_be_reached_or_refuses_ends_the_list(rgw_bucket, monkeypatch):
    absent = checks(Bucket(rgw_bucket.server, "nobody-has-this"))
    assert list(absent) == ["credentials", "endpoint"]
    assert "there is no bucket nobody-has-this" in absent["endpoint"].message
    closed = checks(rgw_bucket, S3Settings(endpoint="http://127.0.0.1:9", connections=2))
    assert "127.0.0.1:9" in closed["bucket"].message
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-canary-that-must-not-sing")
    wrong = checks(rgw_bucket, reach(rgw_bucket.server).model_copy(update={"connections": 3}))
    assert not wrong["bucket"].ok
    assert wrong["bucket"].hint
    assert "canary" not in repr(wrong)


def test_a_store_that_ignores_conditions_is_refused_unless_one_writer_is_declared():
    with serving() as (plain, server):
        plain.kept["/any"] = b""  # the bucket
        bucket, s3 = Bucket(server, "any"), reach(server)
        told = checks(bucket)["conditional put"]
        assert not told.ok
        assert "s3.single_writer=true" in str(told.hint)
        with pytest.raises(ConfigError, match="ignores If-None-Match"):
            require_conditions(bucket.storage("lake"))
        assert checks(bucket, s3.model_copy(update={"single_writer": True}))["conditional put"].ok


@pytest.mark.parametrize("upload", ["drops/none.zip", "drops/none/"])
@pytest.mark.parametrize("verb", ["run", "ingest"])
def test_an_upload_that_is_not_there_is_told_before_a_lake_is_made(bucket, capsys, verb, upload):
    where = ["--set", f"s3.endpoint={bucket.server.http}", "--lake", bucket.uri("lake")]
    assert main([verb, bucket.uri(upload), "--dataset", "pets", *where]) == 6
    assert f"{bucket.uri(upload).rstrip('/')} does not exist" in capsys.readouterr().err
    assert list(bucket.storage().list()) == []
