"""The page as a whole: what stands where, that it needs nobody, and that names in it do nothing."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import pytest
from html_of import read
from lakes_of_pictures import SCRIPT, picture

from imagelake.client.lake import Lake
from imagelake.errors import NotFound, UsageError
from lakes import LakeMaker
from pet_lake import Pets

ORDER = ["refused", "contact", "changes", "distributions", "checks", "provenance"]


def test_the_verdict_comes_first_and_then_what_was_refused(bad: Lake) -> None:
    page = read(bad.report("bad").html)
    assert [s.attributes["id"] for s in page.all("section")] == [name for name in ORDER if name != "changes"], (
        "v1 has no parent"
    )
    verdict = page.one(class_="verdict")
    assert verdict.text.startswith("bad@v1 was published against the quality gate: 8 images with 8 annotations, 9 rows")
    assert f"{SCRIPT} is wrong" in verdict.text
    header = page.one("header")
    assert header.all(class_="verdict"), "before everything else"


def test_a_draft_has_its_open_rejections_and_changes(bad: Lake) -> None:
    page = read(bad.report("bad@draft").html)
    assert [s.attributes["id"] for s in page.all("section")] == ORDER
    assert "not published and not judged yet: 7 images with 6 annotations, 9 rows refused" in page.one("header").text


@pytest.mark.parametrize("ref", ["bad", "bad@draft", "bad@v1..bad@draft"])
def test_the_page_asks_no_network_and_runs_nothing(bad: Lake, ref: str) -> None:
    page = read(bad.report(ref).html)
    assert {e.tag for e in page.all()} & {"script", "img", "iframe", "link", "object", "embed", "form", "base"} == set()
    for element in page.all():
        assert not [name for name in element.attributes if name.startswith("on")], element
        for name in ("href", "src", "action", "xlink:href"):
            assert element.attributes.get(name, "#").startswith(("#", "data:image/jpeg;base64,"))
    style = page.one("style").own_text[0]
    assert "url(" not in style
    assert "@import" not in style
    policy = page.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy.split("; ")[:3] == ["default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"]


@pytest.mark.parametrize("ref", ["bad", "bad@draft", "bad@v1..bad@draft"])
def test_hostile_names_are_text_on_one_short_line(bad: Lake, ref: str) -> None:
    html = bad.report(ref).html
    hidden = {c for c in html if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
    assert hidden == set()
    assert SCRIPT not in html
    page = read(html)
    lines = [line for e in page.all() for text in e.own_text for line in text.splitlines() if e.tag != "style"]
    assert max(map(len, lines)) <= 450
    assert ref.startswith("bad@v1..") or ("{{ 7 * 7 }}" in page.text and "\\u202e" in page.text)


def test_every_picture_and_table_says_what_it_is(bad: Lake) -> None:
    page = read(bad.report("bad@draft").html)
    for drawn in page.all(role="img"):
        assert drawn.attributes["aria-label"].strip()
    for table in page.all("table"):
        assert table.one("caption").text
    levels = [int(e.tag[1]) for e in page.all() if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels)), "no level is left out"
    ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert {a.attributes["href"][1:] for a in page.all("a")} | {u.attributes["href"][1:] for u in page.all("use")} <= {
        *ids
    }


def test_a_version_has_the_rejections_that_were_open_when_it_was_made(maker: LakeMaker) -> None:
    maker.image("pets", "a.png", picture((1, 2, 3)))
    maker.reject("pets", "annotation.box_outside", path="old.json", delivery=1, upload_id="u1", closed=True)
    maker.deliver("pets")
    maker.publish("pets", last_sequence=1)
    maker.reject("pets", "annotation.box_outside", path="open.json", delivery=1, upload_id="u1")
    maker.reject("pets", "annotation.box_outside", path="later.json", delivery=2, upload_id="u2")
    maker.reject("pets", "annotation.box_outside", path="mended.json", delivery=1, upload_id="u1", closed=True)
    maker.flush()
    lake = _open(maker)
    places = [e.text for e in read(lake.report("pets@v1").html).all(class_="place")]
    assert sorted(places) == ["mended.json", "open.json"]
    assert sorted(e.text for e in read(lake.report("pets@draft").html).all(class_="place")) == [
        "later.json",
        "open.json",
    ]


def test_what_does_not_exist_is_named(pets: Pets) -> None:
    with pytest.raises(NotFound, match="there is no version pets@v9"):
        pets.lake.report("pets@v9")
    with pytest.raises(NotFound, match="there is no dataset 'cats'"):
        pets.lake.report("cats@v1..cats@v2")
    with pytest.raises(UsageError):
        pets.lake.report("pets@")


def test_the_file_is_named_after_the_version(pets: Pets) -> None:
    names = {
        ref: pets.lake.report(ref).filename
        for ref in ("pets", "pets@v2.2", "pets@gold", "pets@v1..pets@v3", "pets..pets@v1")
    }
    assert names == {
        "pets": "pets-v3.html",
        "pets@v2.2": "pets-v2.2.html",
        "pets@gold": "pets-v3.html",
        "pets@v1..pets@v3": "pets-v1-v3.html",
        "pets..pets@v1": "pets-v3-v1.html",
    }


def test_the_same_version_gives_the_same_page(pets: Pets) -> None:
    assert pets.lake.report("pets@v2").html == pets.lake.report("pets@v2").html


def test_an_empty_draft_has_a_page(maker: LakeMaker) -> None:
    maker.deliver("pets", "rejected", source="x.zip", problem="not a zip file")
    maker.flush()
    report = _open(maker).report("pets@draft")
    assert report.counts["images"] == 0
    assert "not a zip file" in report.html


def _open(maker: LakeMaker) -> Lake:
    from imagelake.client import lake as client

    return client.open(str(maker.root))
