"""The policies of docs/serving.md for those who need no Java: enough for what the role does, and for nothing else."""

from __future__ import annotations

import uuid

import pytest
from tests.integration.buckets import documented, refused, upload_folder
from tests.integration.served import CAT, IMAGES, REF, ask, picture
from tests.servers.rgw import create_user

from imagelake.client.lake import Lake
from imagelake.errors import Conflict
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.client import Keys
from presigned import presigned_get


@pytest.fixture
def as_role(rgw_server, rgw_bucket, made):
    """The lake in a bucket of its own, as somebody in a role opens it."""
    own = rgw_bucket.storage()
    upload_folder(own, made.root)
    own.put("landing/pets/waits.zip", b"PK")

    def opened(role: str) -> Lake:
        user = f"{role}-{uuid.uuid4().hex[:8]}"
        keys = create_user(rgw_server, user)
        own.client.put_bucket_policy(Bucket=own.bucket, Policy=documented(role, own.bucket, user))
        return Lake(S3Storage(own.bucket, "", own.settings, Keys(*keys)))

    return opened


def test_the_labellers_policy_is_enough_to_label_and_for_nothing_else(as_role):
    lake = as_role("labeller")
    shown = lake.images(REF).images[0]
    assert ask("GET", shown.url).body == picture(0)
    etag = lake.save_labels(REF, shown.key, [CAT], "ann", base=shown.etag)
    with pytest.raises(Conflict):
        lake.save_labels(REF, shown.key, [], "bob", base=shown.etag)
    assert lake.images(REF, limit=1).images[0].etag == etag
    assert len(lake.urls("pets@v1").rows) == IMAGES
    ticket = lake.upload_url("pets/a.zip", size=4)
    assert ask("PUT", ticket.urls[0], b"PK12", ticket.headers).status == 200
    assert ask("PUT", ticket.ready_url, b"", ticket.ready_headers).status == 200
    parts = lake.upload_url("pets/a.zip", size=11 << 20, parts=2)
    assert ask("PUT", parts.urls[1], b"x" * (11 << 19)).status == 200
    assert ask("DELETE", parts.abort_url).status == 204
    storage = lake.storage
    zipped = next(s.path for s in storage.list("blobs/zip"))
    single = next(s.path for s in storage.list("blobs/obj"))
    refused(lambda: storage.read(zipped))
    refused(lambda: storage.read("landing/pets/waits.zip"))
    refused(lambda: storage.put(single, b"x"))
    refused(lambda: storage.put("tables/silver/images/_delta_log/00000000000000000009.json", b"{}"))
    for path in (single, "landing/pets/waits.zip", "imagelake.json"):
        refused(lambda path=path: storage.delete(path))
    assert ask("GET", presigned_get(storage, zipped, None)).status == 403, "a URL can do what its signer can"


def test_the_trainers_policy_is_enough_to_read_versions_and_for_nothing_else(as_role):
    lake = as_role("trainer")
    assert len(lake.load("pets@v1", unlabelled=True)[0].bytes) > 0
    assert lake.verify("pets@v1").as_json()["ok"]
    assert lake.show("pets")
    assert lake.sql("select count(*) from images").rows == ((IMAGES + 1,),)
    assert lake.runs().runs == ()
    storage = lake.storage
    refused(lambda: storage.read("landing/pets/waits.zip"))
    for path in ("labels/pets/x", "landing/pets/x.zip", "tables/x", "imagelake.json", "blobs/obj/x"):
        refused(lambda path=path: storage.put(path, b"x"))
        refused(lambda path=path: storage.delete(path))
    shown = lake.images(REF).images[0]
    refused(lambda: lake.save_labels(REF, shown.key, [CAT], "ann", base=shown.etag))
