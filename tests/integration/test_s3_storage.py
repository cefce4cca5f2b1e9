"""The Storage protocol over a bucket, on both servers."""

from __future__ import annotations

import hashlib
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from imagelake.config.settings import S3Settings
from imagelake.errors import ConfigError, Conflict, ImagelakeError, IntegrityError, NotFound, UploadRejected
from imagelake.maintenance.leftovers import remove_leftovers
from imagelake.runs.context import system_clock
from imagelake.storage import open_storage
from imagelake.storage.local import LocalStorage
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.capabilities import abort, honours_conditions, unfinished
from imagelake.storage.s3.multipart import Parts

MIB = 1 << 20


def test_what_is_put_is_read_back_whole_and_in_ranges(bucket):
    lake = bucket.storage("lake")
    assert lake.put("a/b c/ü+%20.bin", b"0123456789")
    assert lake.read("a/b c/ü+%20.bin") == b"0123456789"
    assert lake.read("a/b c/ü+%20.bin", 3) == b"3456789"
    assert lake.read("a/b c/ü+%20.bin", 3, 4) == b"3456"
    assert lake.read("a/b c/ü+%20.bin", 3, 0) == b""
    lake.put("empty", b"")
    assert lake.read("empty") == b""
    with pytest.raises(IntegrityError, match="ends at byte 10, not 12"):
        lake.read("a/b c/ü+%20.bin", 8, 4)
    with pytest.raises(IntegrityError, match="ends before"):
        lake.read("a/b c/ü+%20.bin", 20, 4)
    with pytest.raises(NotFound, match=r"s3://.*/lake/none does not exist"):
        lake.read("none")


def test_stat_knows_length_time_and_version(bucket):
    lake = bucket.storage("lake")
    assert lake.stat("x") is None
    lake.put("x", b"one")
    first = lake.stat("x")
    assert (first.path, first.length, first.etag) == ("x", 3, hashlib.md5(b"one").hexdigest())
    assert first.mtime_ns > 1_600_000_000 * 10**9
    lake.put("x", b"two")
    with pytest.raises(Conflict, match="has changed"):
        lake.read_version("x", first.etag)


def test_a_listing_has_all_pages_and_only_what_lies_below(bucket):
    lake, beside = bucket.storage("lake"), bucket.storage("lake2")
    beside.put("x", b"")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: lake.put(f"many/{n:04d}", b""), range(1100)))
    lake.put("many2/x", b"")
    lake.put("many/.tmp-x", b"")
    assert [s.path for s in lake.list("many/")] == [f"many/{n:04d}" for n in range(1100)]
    assert len(list(lake.list())) == 1101
    lake.delete_all(s.path for s in lake.list("many"))
    assert [s.path for s in lake.list()] == ["many2/x"]
    assert sorted(s.path for s in bucket.storage("").list()) == ["lake/many2/x", "lake2/x"]


def test_a_stream_can_be_sought_and_notices_a_change(bucket):
    lake = bucket.storage("lake")
    data = os.urandom(300_000)
    lake.put("x", data)
    with lake.open("x") as stream:
        assert stream.read(10) == data[:10]
        stream.seek(-5, os.SEEK_END)
        assert stream.read() == data[-5:]
        stream.seek(100_000)
        assert stream.read(1000) == data[100_000:101_000]
    with lake.open("x") as stream:
        lake.put("x", b"other")
        with pytest.raises(Conflict):
            stream.read(10)


def test_only_one_of_many_creates_an_object(bucket):
    lake = bucket.storage("lake")
    with ThreadPoolExecutor(16) as pool:
        for round_ in range(5):
            won = list(pool.map(lambda n, r=round_: lake.put(f"x{r}", str(n).encode(), if_absent=True), range(16)))
            assert won.count(True) == 1
            assert lake.read(f"x{round_}") == str(won.index(True)).encode()
    assert honours_conditions(lake)
    assert [s.path for s in lake.list("locks")] == []


def test_only_one_of_many_replaces_a_version(bucket):
    lake = bucket.storage("lake")
    lake.put("x", b"first")
    etag = lake.stat("x").etag
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda n: lake.replace("x", str(n).encode(), etag), range(16)))
    assert won.count(True) == 1
    assert lake.read("x") == str(won.index(True)).encode()
    assert not lake.replace("none", b"x", etag)


def test_a_put_that_finds_its_own_bytes_has_succeeded(bucket):
    lake = bucket.storage("lake")
    assert lake.put("x", b"mine", if_absent=True)
    assert lake.put("x", b"mine", if_absent=True)
    assert not lake.put("x", b"other", if_absent=True)


def test_large_files_go_in_parts_and_an_interrupted_upload_goes_on(bucket, tmp_path):
    lake = bucket.storage("lake", part_megabytes=5)
    data = os.urandom(12 * MIB)
    (tmp_path / "large").write_bytes(data)
    cut = Parts(lake.client, lake.at("large"), lake.settings)
    cut.send(data[: 5 * MIB])
    cut.send(data[5 * MIB : 10 * MIB])
    cut.stop()  # a killed process does no more
    assert lake.stat("large") is None, "half an object is never seen"
    assert [u.path for u in unfinished(lake)] == ["large"]
    sent = []
    lake.client.meta.events.register("before-call.s3.UploadPart", lambda params, **_: sent.append(params["url_path"]))
    lake.put_file(tmp_path / "large", "large")
    assert len(sent) == 1, "only the part that was missing"
    assert lake.read("large") == data
    assert list(unfinished(lake)) == []
    lake.copy("large", "there/copy")
    lake.move("there", "here")
    assert lake.read("here/copy") == data
    assert lake.stat("there/copy") is None


def test_parts_of_other_bytes_make_no_object(bucket):
    lake = bucket.storage("lake", part_megabytes=5)
    pieces = [os.urandom(5 * MIB), b"rest"]
    with pytest.raises(UploadRejected, match="changed"):
        lake.put_parts("x", pieces, hashlib.sha256(b"something else").hexdigest())
    assert lake.stat("x") is None
    assert list(unfinished(lake)) == []
    Parts(lake.client, lake.at("y"), lake.settings).stop()
    for upload in unfinished(lake):
        abort(lake, upload)
        abort(lake, upload)
    assert list(unfinished(lake)) == []


def test_what_killed_runs_left_is_removed_once_it_is_a_day_old(rgw_bucket, tmp_path):
    lake = rgw_bucket.storage("lake")
    lake.put("blobs/zip/kept.zip", b"1")
    lake.put("blobs/zip/.tmp-1", b"1")
    Parts(lake.client, lake.at("blobs/zip/half.zip"), lake.settings).stop()
    assert remove_leftovers(lake, system_clock).as_json() == {"uploads": [], "files": []}
    found = remove_leftovers(lake, lambda: system_clock() + timedelta(days=2))
    assert found.as_json() == {"uploads": ["blobs/zip/half.zip"], "files": ["blobs/zip/.tmp-1"]}
    assert list(unfinished(lake)) == []
    assert [s.path for s in lake.list()] == ["blobs/zip/kept.zip"]
    local = LocalStorage(tmp_path)
    local.put("blobs/zip/kept.zip", b"1")
    (tmp_path / "blobs" / "zip" / ".tmp-1").write_bytes(b"1")
    assert remove_leftovers(local, system_clock).files == ()
    assert remove_leftovers(local, lambda: system_clock() + timedelta(days=2)).files == ("blobs/zip/.tmp-1",)
    assert local.stat("blobs/zip/kept.zip") is not None


def test_what_cannot_be_done_says_why(bucket, rgw_server):
    nobody = S3Storage("nobody-has-this", "x", bucket.storage().settings)
    for attempt in (lambda: nobody.put("a", b""), lambda: list(nobody.list())):
        with pytest.raises(NotFound, match="there is no bucket nobody-has-this"):
            attempt()
    with pytest.raises(ConfigError, match="names no bucket"):
        open_storage("s3:///x")
    closed = S3Settings(endpoint="http://127.0.0.1:9", connections=1)
    with pytest.raises(ImagelakeError, match=r"cannot look at .*127\.0\.0\.1:9"):
        S3Storage(bucket.name, "", closed).stat("x")
    untrusted = S3Settings(endpoint=rgw_server.https)
    with pytest.raises(ConfigError, match="certificate is refused") as told:
        S3Storage(bucket.name, "", untrusted).stat("x")
    assert "s3.ca_bundle" in str(told.value.hint)


def test_wrong_credentials_are_named_as_such_and_never_shown(rgw_bucket, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-canary-that-must-not-sing")
    lake = rgw_bucket.storage("lake", region="eu-west-9")  # other settings: another client
    with pytest.raises(ConfigError, match="cannot write") as told:
        lake.put("x", b"")
    assert "canary" not in str(told.value) + repr(lake) + str(told.value.hint)


def test_a_pickle_holds_no_secret_unless_asked(bucket):
    lake = bucket.storage("lake")
    lake.put("x", b"1")
    packed = pickle.dumps(lake)
    assert b"lakesecret123" not in packed
    assert b"lakeaccess" not in packed
    assert pickle.loads(packed).read("x") == b"1"
    shipped = pickle.dumps(bucket.storage("lake", ship_credentials=True))
    assert b"lakesecret123" in shipped
    assert "lakesecret123" not in repr(pickle.loads(shipped))
    assert pickle.loads(shipped).read("x") == b"1"
