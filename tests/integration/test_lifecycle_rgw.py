"""Lifecycle rules where they are carried out: a Ceph RGW whose day lasts seconds."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest
from PIL import Image
from tests.integration.buckets import reach, upload_folder
from tests.lakes import LakeMaker
from tests.servers.rgw import rgw
from tests.servers.server import Server

import imagelake
from imagelake.cli.main import main
from imagelake.lifecycle.rules_in_bucket import BucketRules
from imagelake.storage.open_lake import create_lake
from imagelake.storage.s3.bucket_storage import S3Storage

DAY = 5  # also how long the server works on rules before it starts anew: two seconds are too short on a busy machine
PATIENCE = 120.0
QUICK = [
    *("--set", "lifecycle.done_days=1", "--set", "lifecycle.abort_multipart_days=1", "--set", "lifecycle.undo_days=1"),
    *("--set", "lifecycle.blobs_to={storage_class: STANDARD_IA, after_days: 1}"),
]
TAGS = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
FOREIGN = [
    {
        "ID": "tagged scratch",
        "Filter": {"And": {"Prefix": "scratch/", "Tags": TAGS}},
        "Status": "Enabled",
        "Expiration": {"Days": 1},
    },
    {
        "ID": "logs",
        "Filter": {"Prefix": "logs/"},
        "Status": "Enabled",
        "Transitions": [{"Days": 5000, "StorageClass": "GLACIER"}, {"Days": 4000, "StorageClass": "STANDARD_IA"}],
    },
    {"ID": "off", "Filter": {"Prefix": ""}, "Status": "Disabled", "Expiration": {"Days": 1}},
]


@dataclass(frozen=True)
class Applied:
    """A lake with three versions in a bucket with rules of others, after `lifecycle apply` and some days."""

    storage: S3Storage
    run: Callable[..., int]
    digests: dict[str, str]
    foreign: dict[str, object]

    def key_classes(self, prefix: str) -> dict[str, str]:
        pages = self.storage.client.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.storage.bucket, Prefix=prefix)
        return {o["Key"]: o.get("StorageClass", "STANDARD") for page in found for o in page.get("Contents", ())}


@pytest.fixture(scope="module")
def rgw_short_day(tmp_path_factory) -> Iterator[Server]:
    with rgw(tmp_path_factory.mktemp("rgw-short-day"), day_seconds=DAY) as server:
        yield server


def picture(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, shade, shade)).save(out, "PNG")
    return out.getvalue()


def three_versions(folder) -> dict[str, str]:
    """A lake at a folder: the digest of each of its versions."""
    maker = LakeMaker(folder)
    for number in range(3):
        data = picture(number * 20)
        maker.image("pets", f"{number}.png", data, width=40, height=30, split="train")
        maker.box("pets", f"{number}.png", "cat", (1, 2, 3, 4))
        maker.keep("pets", [data])
        maker.deliver("pets")
        maker.publish("pets")
        maker.flush()
    return verified(str(folder))


def verified(uri: str, s3: Any = None) -> dict[str, str]:
    with imagelake.open(uri, s3) as lake:
        answers = {f"pets@v{n}": lake.verify(f"pets@v{n}").as_json() for n in (1, 2, 3)}
    assert all(answer["ok"] and answer["images_checked"] for answer in answers.values())
    return {ref: answer["digest"] for ref, answer in answers.items()}


def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def applied(rgw_short_day, tmp_path_factory) -> Applied:
    folder, s3 = tmp_path_factory.mktemp("lake") / "lake", reach(rgw_short_day)
    digests = three_versions(folder)
    storage = S3Storage("life-test", "lake", s3)
    client = storage.client
    client.create_bucket(Bucket=storage.bucket)
    upload_folder(storage, folder)
    for path in ("landing/.done/pets/1-old.zip", "landing/pets/monday.zip", "landing/pets/monday.ready"):
        storage.put(path, b"bytes")
    client.create_multipart_upload(**storage.at("blobs/zip/never-ended"))
    for key in ("scratch/x", "kept/x"):
        client.put_object(Bucket=storage.bucket, Key=key, Body=b"x", Tagging="a=1&b=2")
    client.put_bucket_lifecycle_configuration(Bucket=storage.bucket, LifecycleConfiguration={"Rules": FOREIGN})
    foreign = {rule.content.rule_id: rule.content for rule in BucketRules(storage).read().rules}
    flags = ["--lake", storage.root, "--set", f"s3.endpoint={s3.endpoint}", "--set", f"s3.region={s3.region}", *QUICK]
    done = Applied(storage, lambda *words: main(["lifecycle", *words, *flags]), digests, foreign)
    assert done.run("plan") == 0
    assert done.run("apply") == 0
    return done


def test_what_was_taken_expires_and_a_waiting_upload_stays(applied) -> None:
    eventually(lambda: not applied.key_classes("lake/landing/.done/"), "landing/.done expires")
    assert set(applied.key_classes("lake/landing/")) == {
        "lake/landing/pets/monday.ready",
        "lake/landing/pets/monday.zip",
    }


def test_blobs_move_while_every_version_verifies(applied) -> None:
    eventually(
        lambda: set(applied.key_classes("lake/blobs/zip/").values()) == {"STANDARD_IA"}, "packages move to STANDARD_IA"
    )
    assert len(applied.key_classes("lake/blobs/zip/")) == 3
    assert verified(applied.storage.root, applied.storage.settings) == applied.digests
    assert set(applied.key_classes("lake/tables/").values()) == {"STANDARD"}
    assert set(applied.key_classes("lake/imagelake.json")) == {"lake/imagelake.json"}


def test_unfinished_uploads_are_aborted(applied) -> None:
    def unfinished() -> Any:
        return applied.storage.client.list_multipart_uploads(Bucket=applied.storage.bucket).get("Uploads")

    eventually(lambda: not unfinished(), "the unfinished upload is aborted")


def test_rules_of_others_mean_what_they_meant(applied) -> None:
    """The one for tagged objects of one folder too, which this server would widen to the whole bucket."""
    eventually(lambda: not applied.key_classes("scratch/"), "tagged objects below scratch/ expire")
    now = {rule.content.rule_id: rule.content for rule in BucketRules(applied.storage).read().rules}
    assert {name: now[name] for name in applied.foreign} == applied.foreign
    assert applied.run("apply", "--set", "lifecycle.access_days=9") == 0
    assert applied.run("verify", "--set", "lifecycle.access_days=9") == 0
    time.sleep(3 * DAY)
    assert applied.key_classes("kept/") == {"kept/x": "STANDARD"}
    assert verified(applied.storage.root, applied.storage.settings) == applied.digests


def test_noncurrent_versions_end_after_the_undo_window(rgw_short_day) -> None:
    s3, now = reach(rgw_short_day).model_copy(update={"single_writer": True}), datetime.now(timezone.utc)
    storage = S3Storage("life-versions", "", s3)
    client = storage.client
    client.create_bucket(Bucket=storage.bucket)
    create_lake(storage.root, lambda: now, s3)
    client.put_bucket_versioning(Bucket=storage.bucket, VersioningConfiguration={"Status": "Enabled"})
    for data in (b"1", b"2", b"3"):
        storage.put("datasets/pets.yaml", data)

    def versions() -> list[Any]:
        return client.list_object_versions(Bucket=storage.bucket, Prefix="datasets/").get("Versions", [])

    assert len(versions()) == 3
    flags = ["--lake", storage.root, "--set", f"s3.endpoint={s3.endpoint}", *QUICK]
    assert main(["lifecycle", "apply", *flags]) == 2, "this server ignores conditions in a versioned bucket"
    assert main(["lifecycle", "apply", *flags, "--set", "s3.single_writer=true"]) == 0
    eventually(lambda: len(versions()) == 1, "noncurrent versions expire")
    assert storage.read("datasets/pets.yaml") == b"3"


def test_two_appliers_at_once_leave_one_answer(applied) -> None:
    with ThreadPoolExecutor(2) as pool:
        changed = ["--set", "lifecycle.rejected_days=50"]
        codes = list(pool.map(lambda _: applied.run("apply", *changed), range(2)))
    assert codes == [0, 0]
    assert applied.run("verify", *changed) == 0
    assert {f.rule_id for f in applied.foreign.values()} <= {
        rule.content.rule_id for rule in BucketRules(applied.storage).read().rules
    }
