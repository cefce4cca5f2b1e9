"""The policies of docs/serving.md for those who write: enough for the verbs of the role, and for nothing else."""

from __future__ import annotations

import itertools
import json
import uuid

import pytest
from tests.integration.buckets import Bucket, documented, new_bucket, reach, refused, settings
from tests.servers.rgw import create_user
from tests.spark import helpers

from imagelake.cli.main import main
from imagelake.client.lake import Lake
from imagelake.config.settings import Settings
from imagelake.gold.plan import PublishRequest
from imagelake.runs import pipeline
from imagelake.runs.context import system_clock
from imagelake.runs.landing import run_landing
from imagelake.runs.open_run import run_verb
from imagelake.storage.base import Denied
from imagelake.storage.open_lake import create_lake
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.client import Keys


@pytest.fixture
def become(monkeypatch):
    """From then on this process, and Java in that bucket, is somebody in a role."""
    numbers = itertools.count(9)

    def change(role: str, bucket: Bucket) -> tuple[Settings, S3Storage]:
        user = f"{role}-{uuid.uuid4().hex[:8]}"
        access, secret = create_user(bucket.server, user)
        client = bucket.storage().client  # of the owner
        client.put_bucket_policy(Bucket=bucket.name, Policy=documented(role, bucket.name, user))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", access)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        # sent along, else Java would use the keys it was started with; and a client of its own, made with the new keys
        chosen = settings(bucket, "", "s3.ship_credentials=true", f"s3.connections={next(numbers)}")
        return chosen, S3Storage(bucket.name, "", reach(bucket.server), Keys(access, secret))

    return change


def test_ingest_takes_and_builds_and_publish_publishes_and_neither_may_do_more(spark, rgw_bucket, become, tmp_path):
    owner, other = rgw_bucket.storage(), new_bucket(rgw_bucket.server)
    owner_of_other = other.storage()
    files = helpers.small(2).files()
    owner.put_file(helpers.write_zip(tmp_path / "a.zip", files), "landing/pets/a.zip")
    owner.put("landing/pets/a.ready", b"")
    chosen, own = become("ingest", rgw_bucket)
    (report,) = run_verb(chosen, "run", None, run_landing, create=True)
    assert (report.status, report.images.accepted) == ("accepted", 2)
    kept = next(s.path for s in own.list("blobs/zip"))
    refused(lambda: own.put("datasets/pets.yaml", b""))
    for path in (kept, "imagelake.json", "datasets/pets.yaml", next(s.path for s in own.list("tables"))):
        refused(lambda path=path: own.delete(path))

    for found in own.list():  # a lake can be copied
        owner_of_other.put(found.path, own.read(found.path))
    chosen, own = become("publish", other)
    (report,) = run_verb(chosen, "publish", "pets", lambda ctx: [pipeline.publish_draft(ctx, PublishRequest("pets"))])
    assert report.version == "pets@v1"
    for path in (kept, "landing/pets/b.zip", "datasets/pets.yaml", "imagelake.json"):
        refused(lambda path=path: own.put(path, b"x"))
    for path in (kept, "imagelake.json", next(s.path for s in own.list("tables"))):
        refused(lambda path=path: own.delete(path))
    with Lake(own) as lake:
        assert lake.verify("pets@v1").as_json()["images_checked"] == 2
    with (
        Lake(owner_of_other) as lake,
        pytest.raises(Denied, match=r"cannot open s3://.*/tables/gold/versions: AccessDenied"),
    ):
        lake.verify("pets@v1")


def test_maintain_cleans_up_and_sets_rules(rgw_bucket, become, capsys):
    owner = rgw_bucket.storage()
    create_lake(rgw_bucket.uri(""), system_clock, reach(rgw_bucket.server))
    begun = owner.client.create_multipart_upload(Bucket=rgw_bucket.name, Key="blobs/zip/a.zip")
    chosen, _ = become("maintain", rgw_bucket)
    reached = reach(rgw_bucket.server).model_copy(update={"connections": chosen.s3.connections})
    flags = ["--lake", chosen.lake, "--set", f"s3={reached.model_dump_json(exclude_none=True)}"]
    for verb in (["lifecycle", "apply"], ["lifecycle", "verify"], ["maintain", "--only", "uploads"]):
        assert main([*verb, *flags]) == 0, capsys.readouterr()
    capsys.readouterr()
    main(["doctor", *flags, "--json"])
    checks = {c["name"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert begun["UploadId"] not in str(checks), "an id of an upload is of no use to anybody"
    assert {name for name, c in checks.items() if "AccessDenied" in str(c)} == set()
