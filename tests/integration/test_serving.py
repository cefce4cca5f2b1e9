"""URLs of a lake in a bucket, which the server itself checks: who may read and write what with them."""

from __future__ import annotations

import json
import logging
import pickle
import time
from pathlib import Path

import pytest
from tests.integration.served import IMAGES, REF, ZIPPED, ask, picture

from imagelake.cli.main import main
from imagelake.errors import NotFound
from imagelake.runs.landing import waiting
from imagelake.storage.blobs.local_writer import blob_path
from imagelake.storage.s3.capabilities import unfinished
from imagelake.storage.s3.presign import presigned_put, put_headers
from presigned import presigned_get

SECRET = "lakesecret123"


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
