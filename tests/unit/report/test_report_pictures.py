"""Pictures: upright, with boxes where they belong; a reason where there is no picture; never too many bytes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re

import pytest
from html_of import Element, read
from lakes_of_pictures import picture
from PIL import Image

from imagelake.client import lake as client
from imagelake.geometry.orientation import Orientation
from imagelake.report import build_report
from imagelake.report.pictures import album
from lakes import LakeMaker

RED, BLUE = (230, 20, 20), (20, 20, 230)


def cornered(orientation: int, size: tuple[int, int] = (900, 600), form: str = "JPEG") -> bytes:
    """A blue picture whose top left quarter is red where it is shown; stored turned, as the orientation says."""
    turn = Orientation(orientation, *size)
    shown = Image.new("RGB", turn.size, BLUE)
    shown.paste(RED, (0, 0, turn.size[0] // 2, turn.size[1] // 2))
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    turn.back.image(shown).save(out, form, exif=exif)
    return out.getvalue()


def thumbnail(page: Element, drawn: Element) -> Image.Image:
    name = drawn.one("use").attributes["href"][1:]
    uri = page.one("symbol", id=name).one("image").attributes["href"]
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright_and_their_boxes_turn_with_them(maker: LakeMaker, orientation: int, form: str) -> None:
    data, turn = cornered(orientation, form=form), Orientation(orientation, 900, 600)
    corner = turn.back.box((0, 0, turn.size[0] / 2, turn.size[1] / 2))
    maker.image("pets", "a", data, width=900, height=600, orientation=orientation)
    maker.box("pets", "a", "red", corner)
    maker.keep("pets", [data])
    maker.deliver("pets")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    drawn = page.all("svg", role="img")[0]
    assert drawn.attributes["viewbox"] == f"0 0 {turn.size[0]} {turn.size[1]}"
    x, y, w, h, _ = numbers(drawn.one("path", class_="focus").attributes["d"])
    assert (x, y, w, h) == (0, 0, turn.size[0] / 2, turn.size[1] / 2)
    small = thumbnail(page, drawn)
    assert max(small.size) == 280
    assert (small.width > small.height) == (turn.size[0] > turn.size[1])
    reds = [small.getpixel((small.width * i // 4, small.height * j // 4))[0] > 128 for i in (1, 3) for j in (1, 3)]
    assert reds == [True, False, False, False]


def test_a_refused_box_is_dashed_on_its_picture_with_the_reason_beside(maker: LakeMaker) -> None:
    data = picture(BLUE, (200, 100))
    maker.image("pets", "a.png", data, width=200, height=100)
    maker.box("pets", "a.png", "cat", (1, 2, 30, 40))
    maker.keep("pets", [data])
    reason = "box x=190.0 y=10.0 w=40.0 h=0.0: width and height must be positive"
    maker.reject("pets", "annotation.box_degenerate", image_key="a.png", path="x.json", locator="a[7]", message=reason)
    maker.deliver("pets")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    example = page.one("figure", class_="example")
    x, y, w, h, _ = numbers(example.one("path", class_="rejected").attributes["d"])
    assert (x, y, w, h) == (190, 10, 40, 0)
    assert example.all("circle", class_="rejected"), "nobody sees a box without height"
    assert len(example.all("path", class_="other")) == 1, "what was accepted is drawn too"
    left, _, width, _ = numbers(example.one("svg").attributes["viewbox"])
    assert left + width >= 230, "the part outside is in view"
    assert example.one(class_="reason").text == reason
    assert example.one(class_="place").text == "x.json a[7]"
    style = page.one("style").own_text[0]
    assert re.search(r"\.rejected[^{}]*\{[^}]*stroke-dasharray", style)


def test_what_cannot_be_drawn_is_said_in_words(maker: LakeMaker) -> None:
    data = picture(BLUE)
    maker.image("pets", "a.png", data)
    maker.keep("pets", [data])
    far = {"image_key": "a.png", "message": "box x=1000000.0 y=1.0 w=5.0 h=5.0 lies outside", "path": "1.json"}
    maker.reject("pets", "annotation.box_outside", **far)
    maker.reject("pets", "annotation.bbox_invalid", image_key="a.png", raw='{"bbox": "none"}', path="2.json")
    maker.reject("pets", "annotation.image_unknown", image_key="gone.png", path="3.json", locator="line 9")
    maker.deliver("pets")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    remarks = {e.one(class_="place").text: e.one(class_="note").text for e in page.all("figure", class_="example")}
    assert remarks == {
        "1.json": "its box lies too far outside to be drawn",
        "2.json": "no box can be read from what was delivered",
        "3.json line 9": "its image is not there",
    }
    assert len(page.all("figure", class_="words")) == 1


def test_pictures_that_cannot_be_seen_are_a_reason(maker: LakeMaker) -> None:
    whole = cornered(1)
    datas = {"cut.jpg": whole[: len(whole) // 2], "text.jpg": b"no picture at all", "good.jpg": whole}
    for key, data in (*datas.items(), ("lost.jpg", b"nowhere")):
        maker.image("pets", key, data, width=900, height=600)
    maker.keep("pets", list(datas.values()))
    maker.deliver("pets")
    maker.flush()
    report = client.open(str(maker.root)).report("pets@draft")
    reasons = [e.text for e in read(report.html).all(class_="missing")]
    assert report.counts["pictures"] == 1
    assert sorted(r.partition(":")[2][:23] for r in reasons) == [
        " OSError: image file is",
        " UnidentifiedImageError",
        " its bytes have no plac",
    ]


def test_refused_image_files_are_shown_when_they_can_be_decoded(maker: LakeMaker) -> None:
    maker.image("pets", "a.jpg", cornered(1), width=900, height=600)
    other = cornered(6)
    maker.keep("pets", [cornered(1), other])
    raw = json.dumps({"path": "a.jpg", "content_hash": hashlib.sha256(other).hexdigest()})
    maker.reject("pets", "image.key_taken", entity="image", image_key="a.jpg", path="a.jpg", locator="file", raw=raw)
    maker.deliver("pets")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    drawn = page.one("figure", class_="example").one("svg")
    assert drawn.attributes["viewbox"] == "0 0 600 900"
    assert thumbnail(page, drawn).getpixel((20, 20))[0] > 128, "upright by what the file says"


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16", "F", "1"])
def test_pictures_of_any_mode_are_shown(maker: LakeMaker, mode: str) -> None:
    out = io.BytesIO()
    form = "TIFF" if mode in ("CMYK", "F") else "PNG"
    source = Image.linear_gradient("L")
    image = source.convert("I").point(lambda v: v * 200).convert(mode) if mode == "I;16" else source.convert(mode)
    image.save(out, form)
    maker.image("pets", "a", out.getvalue(), width=256, height=256, mode=mode)
    maker.keep("pets", [out.getvalue()])
    maker.deliver("pets")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    small = thumbnail(page, page.all("svg", role="img")[0]).convert("L")
    assert small.getpixel((128, 10)) < 60
    assert small.getpixel((128, 245)) > 190


def test_a_decoder_that_takes_too_long_is_ended_and_the_next_picture_comes(
    maker: LakeMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    _two_pictures(maker)
    monkeypatch.setattr(album, "SECONDS_EACH", 0.0)
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    assert {e.text for e in page.all(class_="missing")} == {"No picture: decoding took longer than 0 s"}
    monkeypatch.undo()
    assert client.open(str(maker.root)).report("pets@draft").counts["pictures"] == 2


def test_pictures_stay_within_their_bytes(maker: LakeMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    _two_pictures(maker)
    lake = client.open(str(maker.root))
    whole = len(lake.report("pets@draft").bytes)
    monkeypatch.setattr(build_report, "MOST_BYTES", whole - 2_000)
    report = lake.report("pets@draft")
    assert len(report.bytes) <= whole - 2_000
    assert report.counts["pictures"] < 2
    assert "left out: the page would grow too large" in report.html


def test_an_image_shown_often_is_in_the_page_once(maker: LakeMaker) -> None:
    data = cornered(1)
    maker.image("pets", "a", data, width=900, height=600)
    for n in range(20):
        maker.box("pets", "a", f"class {n}", (n, n, 50, 50))
    maker.keep("pets", [data])
    maker.deliver("pets")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    assert (len(page.all("svg", role="img")), len(page.all("symbol"))) == (20, 1)


def test_many_annotations_of_one_image_are_drawn_in_part(maker: LakeMaker) -> None:
    data = cornered(1)
    maker.image("pets", "a", data, width=900, height=600)
    for n in range(400):
        maker.box("pets", "a", "cat", (n, 1, 5, 5))
    maker.keep("pets", [data])
    maker.deliver("pets")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    assert len(page.all("svg", role="img")[0].all("path", class_="focus")) == 100
    assert "100 of 400 annotations are drawn" in page.text


def _two_pictures(maker: LakeMaker) -> None:
    datas = [cornered(1), cornered(1, (800, 700))]
    maker.image("pets", "a", datas[0], width=900, height=600)
    maker.image("pets", "b", datas[1], width=800, height=700)
    maker.keep("pets", datas)
    maker.deliver("pets")
    maker.flush()


def test_a_crowded_picture_is_drawn_with_boxes(maker: LakeMaker) -> None:
    data = cornered(1)
    maker.image("pets", "a", data, width=900, height=600)
    outline = [float(n % 500) for n in range(150)]
    for n in range(20):
        maker.box("pets", "a", "cat", (n, 1, 5, 5), kind="polygon", polygons=[[*outline, float(n), 1.0]])
    maker.box("pets", "a", "cat", (50, 1, 5, 5), kind="polygon", polygons=[outline * 2])
    maker.keep("pets", [data])
    maker.deliver("pets")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    paths = [p.attributes["d"] for p in page.all("svg", role="img")[0].all("path", class_="focus")]
    assert len(paths) == 21
    assert sum("L" in d for d in paths) == 6, "outlines of 1,000 numbers together"
