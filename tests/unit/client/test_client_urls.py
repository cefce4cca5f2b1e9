from __future__ import annotations

import copy
import pickle
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from imagelake.bronze.probe import probe_image
from imagelake.client.labelling.label_pages import Page, PageImage
from imagelake.client.lake import Lake
from imagelake.client.serve.tickets import LEAST_PART, MOST_AT_ONCE, MOST_BYTES, Offer, UploadTicket, ticket
from imagelake.client.serve.urls import UrlRow, Urls
from imagelake.config.settings import S3Settings
from imagelake.core.upload_paths import IMAGE_TYPES, SUFFIX_TYPES
from imagelake.errors import ConfigError, UsageError
from imagelake.storage.s3 import presign
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.presign import MOST_SECONDS, Url, presigned_gets, presigned_put
from pet_lake import Pets
from presigned import presigned_get

SECRET = "canary-secret-0123456789"
TOKEN = "canary-token"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    """A bucket nobody is asked about: signing needs no server."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    # settings of its own: clients are kept by them, and so are the credentials they were made with
    return S3Storage("bucket", "a lake", S3Settings(endpoint="http://127.0.0.1:9", region="eu-west-1", connections=3))


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_a_url_names_the_object_its_type_and_its_end(storage: S3Storage) -> None:
    url = presigned_get(storage, "x y/ü+.png", "image/png", 60)
    assert urlsplit(url).path == "/bucket/a%20lake/x%20y/%C3%BC%2B.png"
    found = query(url)
    assert (found["response-content-type"], found["response-content-disposition"]) == ("image/png", "inline")
    assert (found["X-Amz-Algorithm"], found["X-Amz-Expires"]) == ("AWS4-HMAC-SHA256", "60")
    assert "/eu-west-1/s3/aws4_request" in found["X-Amz-Credential"]


def test_urls_are_those_boto3_would_sign(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    for in_path in (True, False):
        bucket = replace(storage, settings=storage.settings.model_copy(update={"path_style": in_path}))
        kind = {"ResponseContentType": "image/png", "ResponseContentDisposition": "inline"}
        for _ in range(3):  # the clock may move on to the next second in between
            theirs = bucket.client.generate_presigned_url("get_object", {**bucket.at("a/ü.png"), **kind}, 60)
            ours = presigned_get(bucket, "a/ü.png", "image/png", 60)
            if query(theirs)["X-Amz-Date"] == query(ours)["X-Amz-Date"]:
                break
        assert ours == theirs


@pytest.mark.parametrize("kind", [None, "", "text/html", "image/svg+xml", "application/xhtml+xml", "IMAGE/PNG"])
def test_what_is_no_image_is_bytes(storage: S3Storage, kind: str | None) -> None:
    assert query(presigned_get(storage, "a", kind))["response-content-type"] == "application/octet-stream"


def test_images_are_what_the_prober_takes_for_images() -> None:
    assert {*probe_image.READABLE, "image/heic", "image/heif"} == IMAGE_TYPES
    assert not any(map(probe_image.is_image, ("image/svg+xml", "text/html")))


@pytest.mark.parametrize("seconds", [0, -1, MOST_SECONDS + 1, 691_200, 1.5, True, None])
def test_a_url_lives_a_second_to_seven_days(storage: S3Storage, pets: Pets, seconds: int) -> None:
    with pytest.raises(UsageError, match="expire"):
        presigned_get(storage, "a", "image/png", seconds)
    with pytest.raises(UsageError, match="expire"):
        ticket(storage, Offer("pets/a.zip", 1, expires=seconds))
    assert query(presigned_get(storage, "a", "image/png", MOST_SECONDS))["X-Amz-Expires"] == str(MOST_SECONDS)


def test_a_hundred_urls_take_milliseconds(storage: S3Storage) -> None:
    wanted = [(f"blobs/obj/{n}", "image/png") for n in range(100)]
    presigned_gets(storage, wanted)
    times = []
    for _ in range(5):
        start = time.process_time()
        assert len(set(presigned_gets(storage, wanted))) == 100
        times.append(time.process_time() - start)
    assert min(times) < 0.05


def test_without_credentials_the_message_says_what_to_set(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    bucket = replace(storage, settings=storage.settings.model_copy(update={"connections": 4}))
    with pytest.raises(ConfigError, match="sign URLs") as caught:
        presigned_get(bucket, "a", "image/png")
    assert "AWS_ACCESS_KEY_ID" in str(caught.value.hint)


def test_a_folder_has_no_urls(pets: Pets) -> None:
    for ask in (
        lambda: pets.lake.urls("pets@v1"),
        lambda: pets.lake.upload_url("pets/a.zip", size=1),
        lambda: presigned_get(pets.lake.storage, "a", None),
    ):
        with pytest.raises(UsageError, match="is a folder: its files have no URLs"):
            ask()


def holders(storage: S3Storage) -> list[object]:
    """Everything that holds a URL."""
    url = presigned_get(storage, "a", "image/png")
    image = PageImage("a", 1, 1, 1, "image/png", None, (), (), "etag", url)
    return [
        url,
        UrlRow("a", url, "image/png"),
        Urls("pets@v1", 60, (UrlRow("a", url, "image/png"),), ("b",), "hint"),
        image,
        Page((image,), None),
        ticket(storage, Offer("pets/a.zip", 5)),
    ]


def test_no_url_is_in_a_representation_or_a_pickle(storage: S3Storage) -> None:
    for holder in holders(storage):
        for shown in (repr(holder), f"{holder!r}", repr([holder]), repr({"a": (holder,)})):
            assert "X-Amz" not in shown
            assert "http" not in shown
        with pytest.raises(TypeError, match="never pickled") as caught:
            pickle.dumps(holder)
        assert "X-Amz" not in str(caught.value)
    url = presigned_get(storage, "a", "image/png")
    assert copy.deepcopy(url) is copy.copy(url) is url
    assert "X-Amz-Signature" in str(url)
    assert isinstance(url, Url)


def test_no_secret_is_in_what_keeps_or_tells_anything(storage: S3Storage) -> None:
    lake = Lake(storage)
    lake._warm()
    for thing in (storage, lake, *holders(storage)):
        assert SECRET not in repr(thing)
    for thing in (storage, lake):
        assert SECRET.encode() not in pickle.dumps(thing)
    for name in ("pets/a.exe", "../a.zip", "pets/../a.zip"):
        with pytest.raises(UsageError) as caught:
            lake.upload_url(name, size=1)
        assert SECRET not in f"{caught.value!r} {caught.value.hint}"


def test_one_put_signs_type_and_length_and_replaces_nothing(storage: S3Storage) -> None:
    found = ticket(storage, Offer("pets/monday.zip", 7, expires=60))
    assert found.path.startswith("landing/pets/monday-")
    assert found.path.endswith(".zip")
    assert found.headers == {"Content-Type": "application/zip", "If-None-Match": "*"}
    assert (len(found.urls), found.part_size, found.complete_url, found.abort_url) == (1, 7, None, None)
    assert query(found.urls[0])["X-Amz-SignedHeaders"] == "content-length;content-type;host;if-none-match"
    assert urlsplit(found.ready_url).path == "/bucket/a%20lake/" + found.path.replace(".zip", ".ready")
    assert ticket(storage, Offer("pets/monday.zip", 7)).path != found.path, "nobody is in the way of another"
    assert query(presigned_put(storage, "a", "image/png", 5))["X-Amz-Expires"] == "3600"


def test_an_image_or_document_keeps_its_name_in_a_folder_of_its_own(storage: S3Storage) -> None:
    for file, kind in (("a b.JPG", "image/jpeg"), ("_annotations.coco.json", "application/json"), ("ü.xml", None)):
        found = ticket(storage, Offer(f"pets/{file}", 7, content_type=kind))
        folder, _, name = found.path.rpartition("/")
        assert name == file
        assert folder.startswith("landing/pets/" + file.rpartition(".")[0] + "-")
        assert urlsplit(found.ready_url).path.endswith(".ready")
        assert found.headers["Content-Type"] == (kind or "application/xml")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a.zip",
        "pets",
        "pets/",
        "pets/a",
        "pets/a.exe",
        "pets/a.svg",
        "pets/a.zip.html",
        "pets/x/a.zip",
        "pets/../a.zip",
        "pets/./a.zip",
        "../pets/a.zip",
        "/pets/a.zip",
        "Pets/a.zip",
        ".done/a.zip",
        "pets/.hidden.zip",
        "pets/a\\b.zip",
        "pets/a\n.zip",
        "pets/a\u0000.zip",
        "pets/C:a.zip",
        "pets/._a.zip",
        "pets/" + "a" * 300 + ".zip",
    ],
)
def test_a_name_is_one_file_of_a_dataset_that_an_ingest_takes(storage: S3Storage, name: str) -> None:
    with pytest.raises(UsageError):
        ticket(storage, Offer(name, 5))


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "image/png", "", "application/zip\r\nx: y"])
def test_the_type_is_that_of_the_suffix(storage: S3Storage, kind: str) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        ticket(storage, Offer("pets/a.zip", 5, content_type=kind))


@pytest.mark.parametrize("suffix", sorted(SUFFIX_TYPES))
def test_every_image_is_uploaded_as_what_its_suffix_says(storage: S3Storage, suffix: str) -> None:
    given = ticket(storage, Offer(f"pets/license{suffix.upper()}", 5))
    assert dict(given.headers)["Content-Type"] == SUFFIX_TYPES[suffix][0]


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (0, 1),
        (-1, 1),
        (MOST_BYTES + 1, 10_000),
        (MOST_AT_ONCE + 1, 1),
        (5, 0),
        (5, 2),
        (2 * LEAST_PART - 2, 2),
        (MOST_BYTES, 10_001),
        (2 * MOST_AT_ONCE + 1, 2),
    ],
)
def test_sizes_and_parts_have_bounds(storage: S3Storage, size: int, parts: int) -> None:
    with pytest.raises(UsageError) as caught:
        ticket(storage, Offer("pets/a.zip", size, parts))
    assert caught.value.hint


def test_parts_cover_the_file_exactly(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def parts(bucket: S3Storage, path: str, upload: str, found: list[int], seconds: int) -> list[Url]:
        lengths[:] = found
        return presign.presigned_parts(bucket, path, upload, found, seconds)

    monkeypatch.setattr("imagelake.client.serve.tickets.begin_parts", lambda *_: "2~id")
    monkeypatch.setattr("imagelake.client.serve.tickets.presigned_parts", parts)
    for size, wanted in ((11 << 20, 2), ((11 << 20) + 1, 2), (MOST_BYTES, 1024), (99_999_999, 7)):
        found: UploadTicket = ticket(storage, Offer("pets/a.zip", size, wanted))
        assert sum(lengths) == size
        assert set(lengths[:-1]) == {found.part_size}
        assert 0 < lengths[-1] <= found.part_size
        assert len(found.urls) == len(lengths) <= wanted
        assert query(found.urls[1])["partNumber"] == "2"
        assert query(found.urls[0])["X-Amz-SignedHeaders"] == "content-length;host"
        assert (found.headers, query(str(found.complete_url))["uploadId"]) == ({}, "2~id")
