"""What a labelling tool gets from a lake in a bucket: URLs that the server itself checks, pages, and saves."""

from __future__ import annotations

import http.client
import io
import json
import logging
import pickle
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from tests.integration.buckets import Bucket, documented, reach, refused, upload_folder
from tests.lakes import LakeMaker
from tests.servers.rgw import create_user

from imagelake.cli.main import main
from imagelake.client.lake import Lake
from imagelake.errors import Conflict, NotFound
from imagelake.landing import waiting
from imagelake.storage.blobs import blob_path
from imagelake.storage.labels import folder_of
from imagelake.storage.presign import presigned_get, presigned_put, put_headers
from imagelake.storage.s3 import Keys, connect
from imagelake.storage.s3_probe import unfinished
from imagelake.storage.s3_storage import S3Storage

REF = "pets@draft"
SECRET = "lakesecret123"
IMAGES = 105
ZIPPED = "zipped.png"
CAT = {"category": "cat", "bbox": [1, 1, 3, 2]}
DOG = {"category": "dog", "bbox": [0, 0, 8, 6]}


def picture(n: int) -> bytes:
    """A PNG unlike the others."""
    out = io.BytesIO()
    Image.new("RGB", (8, 6), (n, n, 7)).save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """A request as a browser sends it: without credentials."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> LakeMaker:
    """A lake in a folder: images as objects, one in a zip, a published version."""
    maker = LakeMaker(tmp_path_factory.mktemp("made") / "lake")
    data = [picture(n) for n in range(IMAGES)]
    for n, content in enumerate(data):
        maker.image("pets", f"cats/{n:03}.png", content, width=8, height=6, split="train" if n % 2 else "test")
        maker.box("pets", f"cats/{n:03}.png", "cat", (0, 0, 1 + n % 7, 2))
    maker.image("pets", ZIPPED, picture(200), width=8, height=6)
    maker.keep("pets", data, "object")
    maker.keep("pets", [picture(200)])
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    return maker


def served(bucket: Bucket, made: LakeMaker) -> Lake:
    upload_folder(bucket.storage(), made.root, "lake")
    return Lake(bucket.storage("lake"))


@pytest.fixture(scope="module")
def lake(rgw_server, made) -> Iterator[Lake]:
    """That lake on RGW, for all tests that only read it or save labels of images of their own."""
    bucket = Bucket(rgw_server, f"serving-{uuid.uuid4().hex[:8]}")
    connect(reach(rgw_server)).create_bucket(Bucket=bucket.name)
    with served(bucket, made) as opened:
        yield opened


def again(lake: Lake) -> Lake:
    """The same lake as another process opens it."""
    return pickle.loads(pickle.dumps(lake))


def names(lake: Lake, key: str) -> list[str]:
    return [s.path for s in lake.storage.list(folder_of("pets", key))]


def test_a_page_and_a_save_on_each_server(bucket, made):
    lake = served(bucket, made)
    page = lake.images(REF)
    assert (len(page.images), page.next) == (100, "cats/099.png")
    first = page.images[0]
    assert ask("GET", first.url).body == picture(0)
    assert (first.width, first.height, len(first.labels)) == (8, 6, 1)
    etag = lake.save_labels(REF, first.key, [CAT, DOG], "ann", base=first.etag)
    found = again(lake).images(REF, limit=1).images[0]
    assert (found.etag, sorted(a.category for a in found.labels)) == (etag, ["cat", "dog"])
    with pytest.raises(Conflict, match="ann saved them at 20"):
        again(lake).save_labels(REF, first.key, [], "bob", base=first.etag)
    rest = lake.images(REF, after=page.next).images
    assert [i.key for i in rest] == [f"cats/{n}.png" for n in range(100, IMAGES)] + [ZIPPED]
    assert [i.url is None for i in rest] == [False] * 5 + [True]


def test_urls_of_a_selection_can_be_read_by_anybody_and_only_read(lake):
    found = lake.urls("pets@v1", split="train", images=["cats/001.png", "cats/003.png"], expires=60)
    assert [row.key for row in found.rows] == ["cats/001.png", "cats/003.png"]
    assert (found.missing, found.hint) == ((), None)
    url = found.rows[0].url
    answer = ask("GET", url)
    assert (answer.status, answer.body) == (200, picture(1))
    assert (answer.headers["Content-Type"], answer.headers["Content-Disposition"]) == ("image/png", "inline")
    for method in ("PUT", "DELETE", "POST"):
        assert ask(method, url, b"x" if method != "DELETE" else None).status == 403
    assert ask("GET", found.rows[1].url).body == picture(3)


def test_images_in_a_zip_have_no_url_and_the_hint_says_what_helps(lake):
    found = lake.urls("pets@v1")
    assert (len(found.rows), found.missing) == (IMAGES, (ZIPPED,))
    assert "1 of 106 images" in found.hint
    assert "browse: true" in found.hint


def test_the_verb_prints_a_line_an_image_and_nothing_else(lake, capsys):
    where = ["--set", f"s3.endpoint={lake.storage.settings.endpoint}", "--lake", lake.storage.root]
    assert main(["urls", "pets@v1", "--where", "image_key <= 'cats/002.png'", *where]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [key for key, _ in lines] == ["cats/000.png", "cats/001.png", "cats/002.png"]
    assert ask("GET", lines[2][1]).body == picture(2)
    assert main(["urls", "pets@v1", "--json", "--expires", "60", *where]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (len(document["urls"]), document["missing"], document["expires"]) == (IMAGES, [ZIPPED], 60)
    assert main(["urls", "pets@v1", "--expires", "604801", *where]) == 2


def test_the_server_refuses_what_was_not_signed(lake):
    keys = [row.url for row in lake.urls("pets@v1", images=["cats/000.png", "cats/001.png"]).rows]
    url, other = keys
    assert ask("GET", url).status == 200
    path, _, query = url.partition("?")
    signed = dict(part.split("=", 1) for part in query.split("&"))
    signature = signed["X-Amz-Signature"]
    broken = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    tampered = {
        "another object": f"{other.partition('?')[0]}?{query}",
        "another type": url.replace("image%2Fpng", "text%2Fhtml"),
        "another disposition": url.replace("disposition=inline", "disposition=attachment"),
        "a longer life": url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"),
        "another signature": url.replace(signature, broken),
        "no signature": f"{path}?response-content-type=image%2Fpng",
        "another key": url.replace("lakeaccess", "lakeaccesx"),
        "another parameter": url + "&versionId=null",
    }
    assert {what for what, changed in tampered.items() if ask("GET", changed).status == 200} == set()
    assert {ask("GET", changed).status for changed in tampered.values()} <= {400, 403}


def test_a_url_ends(lake):
    path = next(s.path for s in lake.storage.list("blobs/obj"))
    url = presigned_get(lake.storage, path, "image/png", 2)
    assert ask("GET", url).status == 200
    time.sleep(3.1)
    answer = ask("GET", url)
    assert answer.status == 403
    assert b"PNG" not in answer.body


def test_bytes_that_are_no_image_are_never_sent_as_a_page(lake):
    lake.storage.put("landing/x.html", b"<script>alert(1)</script>")
    answer = ask("GET", presigned_get(lake.storage, "landing/x.html", "text/html"))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    lake.storage.delete("landing/x.html")


def test_a_put_takes_exactly_what_was_signed_and_once(lake):
    url, headers = presigned_put(lake.storage, "landing/pets/x.png", "image/png", 5), put_headers("image/png")
    assert ask("PUT", url, b"1234", headers).status == 403
    assert ask("PUT", url, b"123456", headers).status == 403
    assert ask("PUT", url, b"12345", {**headers, "Content-Type": "text/html"}).status == 403
    assert ask("PUT", url, b"12345", {"Content-Type": "image/png"}).status == 403
    assert ask("GET", url).status == 403
    assert lake.storage.stat("landing/pets/x.png") is None
    assert ask("PUT", url, b"12345", headers).status == 200
    assert ask("PUT", url, b"54321", headers).status == 412, "what is there is not replaced"
    assert lake.storage.read("landing/pets/x.png") == b"12345"
    lake.storage.delete("landing/pets/x.png")


def test_a_zip_is_put_at_once_and_waits_when_its_marker_is_there(lake):
    ticket = lake.upload_url("pets/monday.zip", size=4)
    assert ask("PUT", ticket.urls[0], b"PK12", ticket.headers).status == 200
    assert waiting(lake.storage) == []
    assert ask("PUT", ticket.ready_url, b"", ticket.ready_headers).status == 200
    (found,) = waiting(lake.storage)
    assert (found.dataset, found.path) == ("pets", ticket.path)
    for path in (found.path, found.marker):
        lake.storage.delete(path)


def test_an_image_is_an_upload_of_its_own(lake):
    ticket = lake.upload_url("pets/a.png", size=4)
    assert ask("PUT", ticket.urls[0], b"1234", ticket.headers).status == 200
    assert ask("PUT", ticket.ready_url, b"", ticket.ready_headers).status == 200
    (found,) = waiting(lake.storage)
    assert f"{found.path}/a.png" == ticket.path
    for path in (ticket.path, found.marker):
        lake.storage.delete(path)


def test_an_upload_in_parts_is_one_object_in_the_end(lake):
    whole = bytes(range(256)) * (6 << 12) + b"end"
    ticket = lake.upload_url("pets/large.zip", size=len(whole), parts=1)
    assert len(ticket.urls) == 1
    ticket = lake.upload_url("pets/large.zip", size=len(whole) * 2, parts=2)
    size, body = ticket.part_size, whole + whole
    pieces = [body[:size], body[size:]]
    assert ask("PUT", ticket.urls[0], pieces[0] + b"x").status == 403
    assert ask("PUT", ticket.urls[1], pieces[0][:-1]).status == 403
    tags = [ask("PUT", url, piece).headers["ETag"] for url, piece in zip(ticket.urls, pieces, strict=True)]
    parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>" for n, tag in enumerate(tags, 1))
    assert lake.storage.stat(ticket.path) is None
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    assert ask("POST", ticket.complete_url, document).status == 200
    assert lake.storage.read(ticket.path) == body
    assert ask("PUT", ticket.urls[0], pieces[0]).status == 404, "an upload that has ended takes no more parts"
    lake.storage.delete(ticket.path)


def test_an_upload_in_parts_can_be_given_up(lake):
    ticket = lake.upload_url("pets/large.zip", size=11 << 20, parts=2)
    assert [u.path for u in unfinished(lake.storage)] == [ticket.path]
    assert ask("DELETE", ticket.abort_url).status == 204
    assert list(unfinished(lake.storage)) == []


def test_of_two_saves_on_one_base_exactly_one_wins_twenty_times(lake):
    key, tools = "cats/050.png", [again(lake), again(lake)]
    gate, lost = threading.Barrier(2), []

    def race(tool: int, round_: int, base: str) -> tuple[int, str] | None:
        gate.wait()
        box = {"category": "cat", "bbox": [tool, 0, 1, 1 + round_ / 8]}
        try:
            return tool, tools[tool].save_labels(REF, key, [box], f"tool {tool}", base=base)
        except Conflict as error:
            lost.append(error.message)
            return None

    etag = lake.images(REF, where=f"image_key = '{key}'").images[0].etag
    with ThreadPoolExecutor(2) as pool:
        for round_ in range(20):
            sent = [pool.submit(race, tool, round_, etag) for tool in (0, 1)]
            (won,) = [found for found in (s.result() for s in sent) if found is not None]
            shown = lake.images(REF, where=f"image_key = '{key}'").images[0]
            assert (shown.labels[0].bbox[0], shown.etag) == won
            etag = won[1]
    assert all("saved them at" in message for message in lost)
    found = names(lake, key)
    assert len(found) == 20, "who lost has left nothing"
    assert found == sorted(found)
    times = [int(path.rpartition("/")[2][:20]) / 1e6 for path in found]
    assert abs(times[-1] - time.time()) < 60
    assert times[0] < times[-1]


def test_x_then_y_then_x_has_the_etag_of_x(lake):
    key = "cats/051.png"
    shown = lake.images(REF, where=f"image_key = '{key}'").images[0]
    x = lake.save_labels(REF, key, [CAT], "ann", base=shown.etag)
    y = again(lake).save_labels(REF, key, [DOG], "bob", base=x)
    assert len({shown.etag, x, y}) == 3
    assert lake.save_labels(REF, key, [CAT], "ann", base=y) == x
    assert len(names(lake, key)) == 3


def test_a_save_that_was_withdrawn_while_a_page_is_made_is_not_missed(lake):
    key = "cats/052.png"
    shown = lake.images(REF, where=f"image_key = '{key}'").images[0]
    etag = lake.save_labels(REF, key, [CAT], "ann", base=shown.etag)
    saves = again(lake)._warm().saves
    folder = saves.folder(folder_of("pets", key))
    gone = type(folder)(folder.path, (*folder.names, f"{10**19}-ab.json"), folder.now)
    assert saves.newest([gone])[folder.path].by == "ann"
    assert again(lake).images(REF, where=f"image_key = '{key}'").images[0].etag == etag


def test_pages_and_saves_are_quick_in_an_open_lake(lake):
    """Loosely: machines that run tests are busy. docs/serving.md has what was measured."""
    page, times = lake.images(REF), []
    for _ in range(5):
        start = time.perf_counter()
        page = lake.images(REF)
        times.append(time.perf_counter() - start)
    shown = next(i for i in page.images if i.key == "cats/053.png")
    etag = shown.etag
    saves = []
    for n in range(5):
        start = time.perf_counter()
        etag = lake.save_labels(REF, shown.key, [{**CAT, "bbox": [n, 0, 1, 1]}], "ann", base=etag)
        saves.append(time.perf_counter() - start)
    assert min(times) < 1
    assert min(saves) < 1


def test_nothing_is_told_or_kept_of_secrets_and_urls(lake, caplog, tmp_path):
    caplog.set_level(logging.DEBUG, "imagelake")
    page, found = lake.images(REF), lake.urls("pets@v1", images=["cats/000.png"])
    ticket = lake.upload_url("pets/a.zip", size=5)
    assert "X-Amz-Signature" in str(found.rows[0].url)
    said = [repr(thing) for thing in (lake, lake.storage, page, page.images[0], found, found.rows[0], ticket)]
    said += [caplog.text]
    for attempt in (
        lambda: lake.save_labels(REF, "none.png", [], "ann", base="x"),
        lambda: lake.storage.read("nothing/there"),
    ):
        with pytest.raises(NotFound) as caught:
            attempt()
        said.append(f"{caught.value!r} {caught.value.hint} {pickle.dumps(caught.value)!r}")
    for thing in (page, found, ticket, found.rows[0]):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(thing)
    said.append(repr(pickle.dumps(lake)))
    for text in said:
        assert SECRET not in text
        assert "X-Amz-" not in text
    kept = [lake.storage.read(s.path) for s in lake.storage.list() if not s.path.startswith("blobs/")]
    kept += [path.read_bytes() for path in Path(tmp_path).rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in data or b"X-Amz-" in data for data in kept)


def test_a_url_needs_an_object(lake):
    url = presigned_get(lake.storage, blob_path("0" * 64), "image/png")
    assert ask("GET", url).status == 404


@pytest.fixture
def as_role(rgw_server, rgw_bucket, made):
    """The lake in a bucket of its own, as somebody in a role opens it."""
    own = rgw_bucket.storage()
    for path in sorted(p for p in made.root.rglob("*") if p.is_file()):
        own.put_file(path, path.relative_to(made.root).as_posix())
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
